"""Making a certificate: the structure is assembled here, checked against its issuer, and signed by the issuer's key."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing_service.pki import der
from signing_service.pki.errors import IssuingRefused, KeyNotAllowed
from signing_service.pki.extensions import Urls, extensions
from signing_service.pki.ports import Signs
from signing_service.pki.profiles import Profile
from signing_service.pki.signature_algorithms import algorithm_for, key_kind, sign_structure

_VERSION_3 = der.context(0, der.integer(2))


def new_serial() -> int:
    """126 random bits below a fixed one: positive, 16 octets, never guessed (RFC 5280 4.1.2.2)."""
    return 1 << 126 | secrets.randbits(126)


def validity(profile: Profile, issuer_certificate: bytes | None, now: datetime) -> tuple[datetime, datetime]:
    """From now for the profile's days, not beyond the issuer's own end; whole seconds, UTC."""
    start = now.astimezone(UTC).replace(microsecond=0)
    end = start + timedelta(days=profile.days) - timedelta(seconds=1)
    if issuer_certificate is None:
        return start, end
    return start, min(end, x509.load_der_x509_certificate(issuer_certificate).not_valid_after_utc)


def issue_certificate(
    profile: Profile,
    *,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer_certificate: bytes | None,
    issuer_key: Signs,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    urls: Urls,
    alternative_names: Sequence[x509.GeneralName] = (),
) -> bytes:
    """A certificate, DER. `issuer_certificate` is None for a self-signed root.

    Raises KeyNotAllowed and IssuingRefused. The new certificate is read and its signature checked before it is
    returned, so a key that does not belong to `issuer_certificate` is noticed here.
    """
    if (kind := key_kind(public_key)) not in profile.keys:
        raise KeyNotAllowed(kind, ", ".join(profile.keys))
    issuer = None if issuer_certificate is None else x509.load_der_x509_certificate(issuer_certificate)
    _check(profile, issuer, serial, not_before, not_after, alternative_names)
    signer = public_key if issuer is None else issuer.public_key()
    content = der.sequence(
        _VERSION_3,
        der.integer(serial),
        algorithm_for(signer).identifier,
        (subject if issuer is None else issuer.subject).public_bytes(),
        der.sequence(der.time(not_before.astimezone(UTC)), der.time(not_after.astimezone(UTC))),
        subject.public_bytes(),
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        extensions(profile, public_key, issuer, urls, alternative_names),
    )
    made = sign_structure(content, issuer_key, signer)
    _read_again(made, issuer)
    return made


def _check(
    profile: Profile,
    issuer: x509.Certificate | None,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    alternative_names: Sequence[x509.GeneralName],
) -> None:
    if (issuer is None) != profile.self_signed:
        raise IssuingRefused("自签名与证书类型不符。", "Self-signing does not fit this profile.")
    if not 0 < serial < 1 << 159:
        raise IssuingRefused("序列号超出范围。", "The serial number is out of range.")
    if not_before >= not_after:
        raise IssuingRefused("有效期为空。", "The validity period is empty.")
    if profile.needs_host != bool(alternative_names):
        raise IssuingRefused(
            "主机名与证书类型不符。", "Host names are required for TLS servers, and refused for every other kind."
        )
    if issuer is not None:
        _check_issuer(issuer, not_after)


def _check_issuer(issuer: x509.Certificate, not_after: datetime) -> None:
    if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise IssuingRefused("签发者不是 CA。", "The issuer is not a CA.")
    if not_after > issuer.not_valid_after_utc:
        raise IssuingRefused("有效期超出签发者的有效期。", "It would outlive its issuer.")


def _read_again(made: bytes, issuer: x509.Certificate | None) -> None:
    certificate = x509.load_der_x509_certificate(made)
    try:
        certificate.verify_directly_issued_by(certificate if issuer is None else issuer)
    except InvalidSignature:
        raise IssuingRefused("签发密钥与签发者证书不符。", "The issuing key does not belong to the issuer.") from None
