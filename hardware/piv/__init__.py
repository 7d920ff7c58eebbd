"""The PIV applet of a smart card, spoken to over PC/SC: what PKCS#11 modules for PIV leave out.

Owns: command and answer bytes (NIST SP 800-73-4, with Yubico's extensions), the applet's operations, its slots.
Comes in: a card to send commands to (`apdu.Card`), PINs, PUKs and management keys. Goes out: public keys, named errors.
May not: sign (the module does), remember a secret, or open a card by itself (`hardware.pcsc` does).
"""
