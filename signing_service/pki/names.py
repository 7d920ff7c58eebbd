"""Subject names of certificates: country, organisation, unit, common name and an opaque identifier."""

from __future__ import annotations

from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from signing_service.pki.errors import IssuingRefused

LONGEST = 64


def subject_name(
    common_name: str, *, organization: str, unit: str = "", identifier: str = "", country: str = "CN"
) -> x509.Name:
    """A subject in the order C, O, OU, CN, serialNumber; empty parts are left out.

    `identifier` is an officer, seal or department code, never a personal number: certificates are public.
    Raises IssuingRefused where a part is longer than 64 characters (RFC 5280 appendix A) or the name is empty.
    """
    parts = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.SERIAL_NUMBER, identifier),
    )
    if not common_name.strip():
        raise IssuingRefused("名称为空。", "The common name is empty.")
    if too_long := [value for _, value in parts if len(value) > LONGEST]:
        raise IssuingRefused(
            f"名称超过 {LONGEST} 个字符:{too_long[0]}。", f"A name exceeds {LONGEST} characters: {too_long[0]}."
        )
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts if value])


def host_name(host: str) -> x509.GeneralName:
    """A TLS server's name for subjectAltName: an IP address as one (RFC 5280 4.2.1.6)."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, or the whole subject where it has none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()
