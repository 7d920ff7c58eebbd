"""Certificates of our own: profiles, issuing, enrolment, CRL, OCSP, timestamps, ceremony, register.

Owns: the certificate register and its state machine, the issued CRLs, the TSA's own register of timestamps.
Comes in: keys that sign on a token or through custody (`ports.SigningKey`), requests as bytes, a clock.
Goes out: DER bytes (certificates, CRLs, OCSP and timestamp responses), records, named errors.
May not: sign a document, hold a PIN, touch a token driver, or answer HTTP (that is `web.pki_endpoints`).
"""
