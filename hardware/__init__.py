"""Tokens, and nothing else: HSM partitions, USB keys and SoftHSM behind one narrow port.

Owns: the ports (`ports`), RFC 7512 URIs, the error tree, the PKCS#11 driver and its session pool,
discovery of keys, SoftHSM provisioning.
Comes in: module paths, token serials, PINs, bytes to sign. Goes out: signatures, certificates, named errors.
May not: know what a PDF or a database is, or import any other package of this project. It alone may import
`pkcs11`, `usb` and `smartcard`.
"""
