"""Which certificate belongs to which key: by public key, never by label or CKA_ID. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .certificate_fields import ordinary_fields
from .object_reading import certificate_key
from .records import CertificateRecord, KeyRecord


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and the certificates made for it, newest first."""

    key: KeyRecord
    certificates: tuple[CertificateRecord, ...]


def certificates_of(key: KeyRecord, certificates: Iterable[CertificateRecord]) -> tuple[CertificateRecord, ...]:
    """The certificates whose public key is the key's, the one that begins last first."""
    own = [each for each in certificates if key.public and certificate_key(each.der) == key.public]
    return tuple(sorted(own, key=lambda each: _begins(each.der), reverse=True))


def pairs(keys: Sequence[KeyRecord], certificates: Sequence[CertificateRecord]) -> list[Pair]:
    return [Pair(key, certificates_of(key, certificates)) for key in keys]


def _begins(der: bytes) -> float:
    fields = ordinary_fields(der)
    if fields is not None:
        return fields.not_before.timestamp()
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der).not_valid_before_utc.timestamp()
    except ValueError:
        return 0.0


def may_sign_documents(der: bytes) -> bool:
    """Key usage (RFC 5280, 4.2.1.3) has digitalSignature or nonRepudiation; absent usage allows everything.

    Dual-certificate USB keys carry a signing and an encryption pair; only the former may sign.
    """
    from cryptography import x509

    try:
        usage = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage.digital_signature or usage.content_commitment


def signing_pairs(found: Iterable[Pair]) -> list[Pair]:
    """The pairs that may sign documents, by key usage of the newest certificate and CKA_SIGN."""
    return [
        pair
        for pair in found
        if pair.key.may_sign and pair.certificates and may_sign_documents(pair.certificates[0].der)
    ]
