"""Validation material to embed, and the refusal to sign with a revoked certificate (B42)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing_service.pades.errors import CertificateRefused
from signing_service.pades.ports import Evidence


def merged(parts: Iterable[Evidence]) -> Evidence:
    """All material once, in the order in which it came."""
    found = list(parts)
    return Evidence(
        tuple(dict.fromkeys(item for part in found for item in part.certificates)),
        tuple(dict.fromkeys(item for part in found for item in part.ocsp_responses)),
        tuple(dict.fromkeys(item for part in found for item in part.crls)),
    )


def refuse_revoked(certificate: bytes, evidence: Evidence) -> None:
    """Raises CertificateRefused when a CRL of its issuer or an OCSP response calls the certificate (DER) revoked."""
    for der in evidence.crls:
        if (when := _revoked_by_crl(certificate, der)) is not None:
            raise _revoked(when)
    for der in evidence.ocsp_responses:
        if (when := _revoked_by_ocsp(certificate, der)) is not None:
            raise _revoked(when)


@lru_cache(maxsize=1024)
def _revoked_by_crl(certificate_der: bytes, der: bytes) -> str | None:
    """Since when, or None. One list serves many signatures, so the answer is kept."""
    certificate, revocations = x509.load_der_x509_certificate(certificate_der), x509.load_der_x509_crl(der)
    if revocations.issuer != certificate.issuer:
        return None
    entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return entry.revocation_date_utc.isoformat() if entry is not None else None


def _revoked_by_ocsp(certificate_der: bytes, der: bytes) -> str | None:
    certificate = x509.load_der_x509_certificate(certificate_der)
    response = ocsp.load_der_ocsp_response(der)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return None
    for single in response.responses:
        is_ours = single.serial_number == certificate.serial_number
        if is_ours and single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            return str(single.revocation_time_utc)
    return None


def _revoked(when: str) -> CertificateRefused:
    return CertificateRefused(f"证书已被吊销({when})。", f"It was revoked on {when}.")


@lru_cache(maxsize=64)
def timestamp_chain(certificates: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The authority's certificate first, then its issuers, from the unordered certificates of a token."""
    loaded = {der: x509.load_der_x509_certificate(der) for der in certificates}
    chain = [der for der, certificate in loaded.items() if _is_timestamping(certificate)][:1]
    while chain:
        issuer = loaded[chain[-1]].issuer
        following = [der for der, certificate in loaded.items() if certificate.subject == issuer and der not in chain]
        if not following:
            break
        chain.append(following[0])
    return tuple(chain)


def _is_timestamping(certificate: x509.Certificate) -> bool:
    usages = [item.value for item in certificate.extensions if isinstance(item.value, x509.ExtendedKeyUsage)]
    return any(ExtendedKeyUsageOID.TIME_STAMPING in usage for usage in usages)
