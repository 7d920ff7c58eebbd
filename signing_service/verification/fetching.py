"""Asks the policy's fetcher for revocation data; the fetcher decides which hosts are allowed, and bounds time and
size."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing_service.verification.certificates import Certificate
from signing_service.verification.ports import Fetcher

_MOST = 3


def fetch_for(certificate: Certificate, issuer: Certificate, fetcher: Fetcher) -> tuple[list[bytes], list[bytes]]:
    """(CRLs, OCSP responses) from the places that the certificate names, at most three of each."""
    crls = [found for url in _crl_urls(certificate)[:_MOST] if (found := fetcher.crl(url))]
    urls = _ocsp_urls(certificate)[:_MOST]
    if not urls:
        return crls, []
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate.x509, issuer.x509, hashes.SHA256()).build()
    wanted = request.public_bytes(Encoding.DER)
    return crls, [found for url in urls if (found := fetcher.ocsp(url, wanted))]


def revocation_urls(certificate: Certificate) -> list[str]:
    """Every http(s) address at which a certificate says its status can be had."""
    return [*_crl_urls(certificate), *_ocsp_urls(certificate)]


def _crl_urls(certificate: Certificate) -> list[str]:
    try:
        points = certificate.x509.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))
    ]


def _ocsp_urls(certificate: Certificate) -> list[str]:
    try:
        access = certificate.x509.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        item.access_location.value
        for item in access
        if item.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(item.access_location, x509.UniformResourceIdentifier)
        and item.access_location.value.startswith(("http://", "https://"))
    ]
