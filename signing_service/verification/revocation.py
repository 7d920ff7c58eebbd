"""Revocation (RFC 5280, 5 and 6.3; RFC 6960): what CRLs and OCSP responses at hand say about a certificate at an
instant.

Only complete CRLs of the certificate's own issuer can say good; a delta can only add a revocation, and indirect CRLs or
CRLs limited to some reasons leave the state unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from signing_service.verification.algorithms import fits, public_key, signature_algorithm, value_is_right
from signing_service.verification.certificates import Certificate, comparable, issued_by, load
from signing_service.verification.chain import TrustStore
from signing_service.verification.errors import UnsupportedAlgorithm

_CRL_EXTENSIONS = {
    ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.DELTA_CRL_INDICATOR,
}
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
COMPROMISE = frozenset(
    {x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise}
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One verified source's word on one certificate. `revoked_at` None means good; `invalid_since` is the compromise
    date."""

    source: str
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None
    invalid_since: datetime | None = None

    @property
    def hold(self) -> bool:
        return self.reason == x509.ReasonFlags.certificate_hold


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a certificate at an instant. `state`: good, revoked, held, unknown; `newest` is the latest
    word."""

    state: str
    statement: Statement | None = None
    newest: Statement | None = None


@dataclass(frozen=True, eq=False, slots=True)
class LoadedCrl:
    """A parsed CRL; hashed by identity so that checks of it can be remembered."""

    crl: x509.CertificateRevocationList


class RevocationData:
    """Every CRL and OCSP response at hand, indexed; statements are verified on demand and remembered."""

    def __init__(self, crls: Iterable[bytes], responses: Iterable[bytes], store: TrustStore) -> None:
        self._store = store
        self._crls: dict[tuple[tuple[str, str], ...], list[LoadedCrl]] = {}
        self._responses: dict[int, list[ocsp.OCSPResponse]] = {}
        self._known: dict[tuple[bytes, bytes], list[Statement]] = {}
        self._seen: set[bytes] = set()
        self.add(crls, responses)

    def add(self, crls: Iterable[bytes], responses: Iterable[bytes]) -> None:
        for raw in crls:
            crl = None if raw in self._seen else load_crl(raw)
            self._seen.add(raw)
            if crl is not None:
                self._crls.setdefault(comparable(crl.crl.issuer), []).append(crl)
        for raw in responses:
            response = None if raw in self._seen else load_ocsp(raw)
            self._seen.add(raw)
            for single in response.responses if response is not None else ():
                self._responses.setdefault(single.serial_number, []).append(response)  # type: ignore[arg-type]
        self._known.clear()

    def statements(self, certificate: Certificate, issuer: Certificate) -> list[Statement]:
        """Verified statements about the certificate, oldest first."""
        key = (certificate.der, issuer.der)
        if key not in self._known:
            found = [
                word
                for crl in self._crls.get(certificate.issuer_key, ())
                if (word := self._by_crl(crl, certificate, issuer))
            ]
            for response in self._responses.get(certificate.serial, ()):
                found += self._by_ocsp(response, certificate, issuer)
            self._known[key] = sorted(found, key=lambda word: word.this_update)
        return self._known[key]

    def _by_crl(self, loaded: LoadedCrl, certificate: Certificate, issuer: Certificate) -> Statement | None:
        crl = loaded.crl
        if (
            certificate.serial < 0
            or not _in_scope(crl, certificate)
            or not any(_crl_signed(loaded, signer) for signer in self._crl_signers(issuer))
        ):
            return None
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial)
        if _is_delta(crl):
            return None if entry is None else self._from_entry(crl, entry)
        if entry is None:
            return Statement("crl", crl.last_update_utc, crl.next_update_utc)
        return self._from_entry(crl, entry)

    def _from_entry(self, crl: x509.CertificateRevocationList, entry: x509.RevokedCertificate) -> Statement | None:
        reason = _entry(entry, x509.CRLReason)
        if reason is not None and reason.reason == x509.ReasonFlags.remove_from_crl:
            return None
        invalid = _entry(entry, x509.InvalidityDate)
        return Statement(
            "crl",
            crl.last_update_utc,
            crl.next_update_utc,
            min(entry.revocation_date_utc, crl.last_update_utc),  # what a list names is revoked by the time of the list
            reason.reason if reason else None,
            invalid.invalidity_date_utc if invalid else None,
        )

    def _crl_signers(self, issuer: Certificate) -> list[Certificate]:
        """The issuer, and other certificates of the same authority for CRL signing (same name, same issuer above
        it)."""
        anchors = (anchor for group in self._store.anchors.values() for anchor in group)
        others = dict.fromkeys(
            other
            for other in (*self._store.named(issuer.subject_key), *anchors)
            if other != issuer and other.subject_key == issuer.subject_key and self._sibling(other, issuer)
        )
        return [issuer, *others]

    def _sibling(self, other: Certificate, issuer: Certificate) -> bool:
        for above in [
            issuer,
            *self._store.named(issuer.issuer_key),
            *(a for group in self._store.anchors.values() for a in group),
        ]:
            if (
                above.subject_key == other.issuer_key
                and _safely_issued(other, above)
                and (above == issuer or _safely_issued(issuer, above))
            ):
                return True
        return issuer.self_issued and _safely_issued(issuer, other)  # its new key vouches for its old one (4.2.1.1)

    def _by_ocsp(self, response: ocsp.OCSPResponse, certificate: Certificate, issuer: Certificate) -> list[Statement]:
        if not _responder_is_right(response, issuer):
            return []
        found = []
        for single in response.responses:
            if single.serial_number != certificate.serial or not _names_issuer(single, issuer):
                continue
            status = single.certificate_status
            if status == ocsp.OCSPCertStatus.UNKNOWN:
                continue
            revoked = single.revocation_time_utc if status == ocsp.OCSPCertStatus.REVOKED else None
            found.append(
                Statement("ocsp", single.this_update_utc, single.next_update_utc, revoked, single.revocation_reason)
            )
        return found

    def standing(
        self, certificate: Certificate, issuer: Certificate, when: datetime, at: datetime, freshness: timedelta
    ) -> Standing:
        """The certificate's state at `when`, judged at `at`.

        The newest word counts. A hold that was lifted later still makes it held at `when`; a revocation after `when`
        does not.
        """
        words = [word for word in self.statements(certificate, issuer) if word.this_update <= at + timedelta(minutes=5)]
        if not words:
            return Standing("unknown")
        newest = words[-1]
        then = [
            word
            for word in words
            if word.this_update <= when and (word.next_update is None or when <= word.next_update)
        ]
        held = next(
            (word for word in reversed(then) if word.hold and word.revoked_at and word.revoked_at <= when), None
        )
        if held is not None and then[-1] is held:
            return Standing("held", held, newest)
        revoked = (
            newest
            if newest.revoked_at
            else next((word for word in reversed(words) if word.revoked_at and not word.hold), None)
        )
        if revoked is not None and revoked.revoked_at is not None and revoked.revoked_at <= when:
            return Standing("held" if revoked.hold else "revoked", revoked, newest)
        if any(_covers(word, when, freshness) for word in words):
            return Standing("good", revoked, newest)
        return Standing("unknown", revoked, newest)


def _covers(word: Statement, when: datetime, freshness: timedelta) -> bool:
    """Issued after the instant (less freshness), or in its own period at that instant."""
    if word.this_update >= when - freshness:
        return True
    return word.next_update is not None and word.this_update <= when <= word.next_update


@lru_cache(maxsize=256)
def load_crl(raw: bytes) -> LoadedCrl | None:
    try:
        crl = x509.load_der_x509_crl(raw)
        _ = crl.extensions, crl.issuer
    except (ValueError, TypeError, x509.InvalidVersion):
        return None
    return LoadedCrl(crl)


@lru_cache(maxsize=1024)
def load_ocsp(raw: bytes) -> ocsp.OCSPResponse | None:
    try:
        response = ocsp.load_der_ocsp_response(raw)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        list(response.responses)
    except (ValueError, TypeError):
        return None
    return response


def _entry(entry: x509.RevokedCertificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return entry.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _in_scope(crl: x509.CertificateRevocationList, certificate: Certificate) -> bool:
    point = None
    for item in crl.extensions:
        if item.oid == ExtensionOID.ISSUING_DISTRIBUTION_POINT:
            point = item.value
        elif item.critical and item.oid not in _CRL_EXTENSIONS:
            return False
    if not isinstance(point, x509.IssuingDistributionPoint):
        return True
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs or point.relative_name:
        return False
    if (point.only_contains_user_certs and certificate.is_ca) or (
        point.only_contains_ca_certs and not certificate.is_ca
    ):
        return False
    return point.full_name is None or bool(set(point.full_name) & _points_of(certificate))


def _is_delta(crl: x509.CertificateRevocationList) -> bool:
    """A delta may tell of a revocation; what it does not list says nothing."""
    return any(item.oid == ExtensionOID.DELTA_CRL_INDICATOR for item in crl.extensions)


def _points_of(certificate: Certificate) -> set[x509.GeneralName]:
    try:
        found = certificate.x509.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return set()
    return {name for point in found for name in point.full_name or () if not point.reasons}


@lru_cache(maxsize=1024)
def _crl_signed(loaded: LoadedCrl, signer: Certificate) -> bool:
    crl = loaded.crl
    if signer.key_usage is not None and not signer.key_usage.crl_sign:
        return False
    try:
        oid = crl.signature_algorithm_oid.dotted_string
        if oid == "1.2.840.113549.1.1.10":
            return crl.is_signature_valid(public_key(signer.x509))
        algorithm = signature_algorithm(oid)
        key = public_key(signer.x509)
        return fits(key, algorithm) and value_is_right(
            key, algorithm, algorithm.digest or "sha512", crl.signature, crl.tbs_certlist_bytes
        )
    except (UnsupportedAlgorithm, TypeError, ValueError):
        return False


def _responder_is_right(response: ocsp.OCSPResponse, issuer: Certificate) -> bool:
    """Signed by the issuer itself, or by a responder that the issuer appointed (RFC 6960, 4.2.2.2)."""
    for responder in _responders(response, issuer):
        try:
            algorithm = signature_algorithm(response.signature_algorithm_oid.dotted_string, _pss_parameters(response))
            key = public_key(responder.x509)
            if fits(key, algorithm) and value_is_right(
                key, algorithm, algorithm.digest or "sha512", response.signature, response.tbs_response_bytes
            ):
                return True
        except UnsupportedAlgorithm:
            continue
    return False


def _responders(response: ocsp.OCSPResponse, issuer: Certificate) -> Sequence[Certificate]:
    delegates = []
    for raw in response.certificates:
        delegate = load(raw.public_bytes(serialization.Encoding.DER))
        if delegate is None or delegate == issuer or delegate.issuer_key != issuer.subject_key:
            continue
        appointed = (
            delegate.purposes is not None and ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string in delegate.purposes
        )
        valid = delegate.not_before <= response.produced_at_utc <= delegate.not_after
        if appointed and valid and not delegate.unknown_critical and _safely_issued(delegate, issuer):
            delegates.append(delegate)
    return [issuer, *delegates]


def _pss_parameters(response: ocsp.OCSPResponse) -> object:
    if response.signature_algorithm_oid.dotted_string != "1.2.840.113549.1.1.10":
        return None
    from asn1crypto import ocsp as asn1

    loaded = asn1.OCSPResponse.load(response.public_bytes(serialization.Encoding.DER))
    return loaded["response_bytes"]["response"].parsed["signature_algorithm"]["parameters"]


def _safely_issued(child: Certificate, issuer: Certificate) -> bool:
    try:
        return issued_by(child, issuer)
    except UnsupportedAlgorithm:
        return False


def _names_issuer(single: ocsp.OCSPSingleResponse, issuer: Certificate) -> bool:
    try:
        name = hashlib.new(single.hash_algorithm.name, issuer.x509.subject.public_bytes()).digest()
    except ValueError:
        return False
    return name == single.issuer_name_hash and _key_hash(issuer, single.hash_algorithm) == single.issuer_key_hash


def _key_hash(issuer: Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    from asn1crypto import keys

    info = issuer.x509.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bits = keys.PublicKeyInfo.load(info)["public_key"].contents[1:]
    return hashlib.new(algorithm.name, bits).digest()
