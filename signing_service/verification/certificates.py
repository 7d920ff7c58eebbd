"""Certificates as this room sees them: loaded once, with the few answers that the checks ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from signing_service.verification.algorithms import fits, public_key, signature_algorithm, value_is_right
from signing_service.verification.errors import UnsupportedAlgorithm

_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.ISSUER_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.OCSP_NO_CHECK,
}
POLICY_RULES = {ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.POLICY_MAPPINGS, ExtensionOID.INHIBIT_ANY_POLICY}

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


class Certificate:
    """One certificate. Equality and hash go by its DER bytes."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.x509 = x509.load_der_x509_certificate(der)
        self.serial = self.x509.serial_number
        self.subject = self.x509.subject.public_bytes()
        self.issuer = self.x509.issuer.public_bytes()
        self.not_before, self.not_after = self.x509.not_valid_before_utc, self.x509.not_valid_after_utc
        _ = self.x509.extensions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    @cached_property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.der).digest()

    @cached_property
    def subject_key(self) -> tuple[tuple[str, str], ...]:
        return comparable(self.x509.subject)

    @cached_property
    def issuer_key(self) -> tuple[tuple[str, str], ...]:
        return comparable(self.x509.issuer)

    @property
    def self_issued(self) -> bool:
        return self.subject_key == self.issuer_key

    @cached_property
    def is_ca(self) -> bool:
        found = self._extension(x509.BasicConstraints)
        return found is not None and found.ca

    @cached_property
    def path_length(self) -> int | None:
        found = self._extension(x509.BasicConstraints)
        return found.path_length if found is not None and found.ca else None

    @cached_property
    def key_usage(self) -> x509.KeyUsage | None:
        return self._extension(x509.KeyUsage)

    @cached_property
    def purposes(self) -> frozenset[str] | None:
        """Extended key usages (dotted), None when unrestricted."""
        found = self._extension(x509.ExtendedKeyUsage)
        return None if found is None else frozenset(usage.dotted_string for usage in found)

    @cached_property
    def key_identifier(self) -> bytes | None:
        found = self._extension(x509.SubjectKeyIdentifier)
        return None if found is None else found.digest

    @cached_property
    def unknown_critical(self) -> list[str]:
        """Critical extensions that nobody here understands (RFC 5280, 4.2)."""
        return [
            item.oid.dotted_string for item in self.x509.extensions if item.critical and item.oid not in _UNDERSTOOD
        ]

    @cached_property
    def rules_policies(self) -> bool:
        """Rules on certificate policies: judged by the complete path algorithm."""
        return any(item.oid in POLICY_RULES for item in self.x509.extensions)

    @cached_property
    def name_constraints(self) -> x509.NameConstraints | None:
        return self._extension(x509.NameConstraints)

    @cached_property
    def alternative_names(self) -> x509.SubjectAlternativeName | None:
        return self._extension(x509.SubjectAlternativeName)

    @cached_property
    def is_timestamper(self) -> bool:
        """EKU timeStamping, critical and alone (RFC 3161, 2.3)."""
        try:
            found = self.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            return False
        return found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]

    def common_name(self) -> str:
        """CN, else the whole subject; what a report shows."""
        names = self.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.x509.subject.rfc4514_string()

    def organisation(self) -> str:
        names = self.x509.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return str(names[0].value) if names else ""

    def _extension(self, kind: type[_Kind]) -> _Kind | None:
        try:
            return self.x509.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


def comparable(name: x509.Name) -> tuple[tuple[str, str], ...]:
    """A name for matching: case and inner blanks do not count (RFC 5280, 7.1)."""
    return tuple((item.oid.dotted_string, " ".join(str(item.value).split()).lower()) for item in name)


@lru_cache(maxsize=4096)
def load(der: bytes) -> Certificate | None:
    """None when the bytes are no certificate that a careful reader accepts."""
    try:
        return Certificate(der)
    except (
        ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType
    ):  # fmt: skip
        return None


def load_all(ders: Iterable[bytes]) -> list[Certificate]:
    """Those that load, each once, in order."""
    return list(dict.fromkeys(found for found in map(load, ders) if found is not None))


@lru_cache(maxsize=4096)
def issued_by(child: Certificate, issuer: Certificate) -> bool:
    """Did `issuer`'s key sign `child`? Names are not compared here. Raises UnsupportedAlgorithm."""
    oid = child.x509.signature_algorithm_oid.dotted_string
    if oid == "1.2.840.113549.1.1.10":
        from asn1crypto import x509 as asn1

        stated = asn1.Certificate.load(child.der)["signature_algorithm"]
        algorithm = signature_algorithm(oid, stated["parameters"])
    else:
        algorithm = signature_algorithm(oid)
    key = public_key(issuer.x509)
    if not fits(key, algorithm):
        return False
    return value_is_right(
        key, algorithm, algorithm.digest or "sha512", child.x509.signature, child.x509.tbs_certificate_bytes
    )


def signed_with_sm2(certificate: Certificate) -> str | None:
    """The name of an algorithm in this certificate that cannot be computed here, else None."""
    try:
        signature_algorithm_known(certificate)
        public_key(certificate.x509)
    except UnsupportedAlgorithm as found:
        return found.name
    return None


def signature_algorithm_known(certificate: Certificate) -> None:
    oid = certificate.x509.signature_algorithm_oid.dotted_string
    if oid != "1.2.840.113549.1.1.10":
        signature_algorithm(oid)
