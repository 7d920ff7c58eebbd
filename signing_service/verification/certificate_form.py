"""Rules for the form of certificates (RFC 5280, 4) whose breach no path may rest on: stricter than section 6 asks.

Left out on purpose are rules whose breach is common in certificates of honest authorities and proves nothing: missing
key identifiers, basic or policy constraints that are not critical, a root's serial number of zero (docs/adr/0090).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from signing_service.verification.certificates import Certificate

LARGEST_SERIAL = 1 << 159
_NEVER_CRITICAL = {ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.SUBJECT_KEY_IDENTIFIER}
_ON_PATHS = {ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.INHIBIT_ANY_POLICY}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_ELLIPTIC_CURVE = "1.2.840.10045.2.1"


@lru_cache(maxsize=4096)
def form_fault(certificate: Certificate) -> str | None:
    """What is wrong with a certificate below the anchor, in English; None when nothing is.

    4.1.2.2: the serial number is positive, of at most 20 octets; 4.1.2.4 and 4.1.2.6: it has an issuer, and a subject
    or a critical alternative name; 4.2.1.6: host names have the preferred syntax; and what `common_fault` says.
    """
    if not 0 < certificate.serial < LARGEST_SERIAL:
        return "its serial number is not positive or longer than 20 octets"
    if not certificate.issuer_key:
        return "it names no issuer"
    if not certificate.subject_key and not _names_are_critical(certificate):
        return "it has neither a subject nor a critical alternative name"
    if any(not _is_host(host) for host in _hosts(certificate)):
        return "a host name in it is none"
    return common_fault(certificate)


@lru_cache(maxsize=1024)
def anchor_fault(certificate: Certificate, *, alone: bool) -> str | None:
    """The same for an anchor, `alone` when it is trusted for itself: what honest roots keep to as well.

    A serial number of zero is let through: roots that everybody trusts have one.
    """
    if not 0 <= certificate.serial < LARGEST_SERIAL:
        return "its serial number is negative or longer than 20 octets"
    return None if alone else common_fault(certificate)


def common_fault(certificate: Certificate) -> str | None:
    """4.2.1.1, 4.2.1.2: key identifiers are not critical; 4.2.1.3, 4.2.1.9: only an authority may sign certificates,
    and a key usage allows something; 4.2.1.10, 4.2.1.11, 4.2.1.14: only authorities constrain paths, and constraints on
    names are critical; RFC 5480, 2.1.1: a curve is named, not described (CVE-2020-0601)."""
    critical = {item.oid: item.critical for item in certificate.x509.extensions}
    if any(critical.get(oid) for oid in _NEVER_CRITICAL):
        return "a key identifier is critical"
    usage = certificate.key_usage
    if usage is not None and usage.key_cert_sign and not certificate.is_ca:
        return "it may sign certificates and is no certification authority"
    if usage is not None and not _allows_something(usage):
        return "its key usage allows nothing"
    if critical.get(ExtensionOID.NAME_CONSTRAINTS) is False:
        return "its name constraints are not critical"
    if not certificate.is_ca and any(oid in critical for oid in _ON_PATHS):
        return "constraints on paths in a certificate that issues nothing"
    if _describes_its_curve(certificate):
        return "its curve is described instead of named"
    return None


def usage_fault(certificate: Certificate, purposes: Collection[str]) -> str | None:
    """May the key sign for one of `purposes` (dotted extended key usages; 4.2.1.3, 4.2.1.12)? None when it may."""
    usage = certificate.key_usage
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        return "the certificate's key usage does not allow signatures"
    allowed = certificate.purposes
    if allowed is None or allowed & {*purposes, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string}:
        return None
    return "the certificate is for other purposes"


def _names_are_critical(certificate: Certificate) -> bool:
    return any(
        item.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME and item.critical for item in certificate.x509.extensions
    )


def _hosts(certificate: Certificate) -> list[str]:
    names = certificate.alternative_names
    return [] if names is None else names.get_values_for_type(x509.DNSName)


def _is_host(host: str) -> bool:
    """Letters, digits and hyphens (RFC 1034, 3.5); a whole first label may be a wildcard, which 4.2.1.6 leaves open."""
    labels = host.removeprefix("*.").split(".")
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _allows_something(usage: x509.KeyUsage) -> bool:
    return any(
        (
            usage.digital_signature,
            usage.content_commitment,
            usage.key_encipherment,
            usage.data_encipherment,
            usage.key_agreement,
            usage.key_cert_sign,
            usage.crl_sign,
        )
    )


def _describes_its_curve(certificate: Certificate) -> bool:
    if certificate.x509.public_key_algorithm_oid.dotted_string != _ELLIPTIC_CURVE:
        return False
    from asn1crypto import x509 as asn1

    try:
        return bool(asn1.Certificate.load(certificate.der).public_key["algorithm"]["parameters"].name != "named")
    except (ValueError, TypeError, KeyError, AttributeError):
        return True
