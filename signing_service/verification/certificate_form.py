"""Rules for the form of certificates (RFC 5280, 4) whose breach no path may rest on: stricter than section 6 asks.

Left out on purpose are rules whose breach is common in certificates of honest authorities and proves nothing.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from signing_service.verification.certificates import Certificate

LARGEST_SERIAL = 1 << 159
_NEVER_CRITICAL = {ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.SUBJECT_KEY_IDENTIFIER}


def form_fault(certificate: Certificate) -> str | None:
    """What is wrong with a certificate below the anchor, in English; None when nothing is.

    4.1.2.2: the serial number is positive, of at most 20 octets; 4.2.1.1, 4.2.1.2: key identifiers are not critical.
    """
    if not 0 < certificate.serial < LARGEST_SERIAL:
        return "its serial number is not positive or longer than 20 octets"
    if any(item.critical and item.oid in _NEVER_CRITICAL for item in certificate.x509.extensions):
        return "a key identifier is critical"
    return None


def has_unclear_host(certificate: Certificate) -> bool:
    """A DNS name with a wildcard or an empty label: name constraints on it are read in two ways (RFC 9525)."""
    try:
        names = certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    hosts = names.get_values_for_type(x509.DNSName)
    return any("*" in host or "" in host.removesuffix(".").split(".") for host in hosts)
