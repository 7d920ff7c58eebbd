"""Putting the public services together from the register: which certificates are in use, and who signs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select

from signing_service.pki.authority import CertificateAuthority
from signing_service.pki.ceremony_plan import issuer_urls
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl_publication import CrlIssuer, CrlPublisher
from signing_service.pki.current_services import (
    Current,
    CurrentResponder,
    CurrentTimestamps,
    ServiceCertificateMissing,
)
from signing_service.pki.ocsp import Issuer, OcspResponder
from signing_service.pki.ports import CertifiedKey, Signs
from signing_service.pki.profiles import TIMESTAMP_POLICY
from signing_service.pki.register import CertificateRegister
from signing_service.pki.revocation_evidence import OwnEvidence
from signing_service.pki.rules import State
from signing_service.pki.timestamp_register import TimestampRegister
from signing_service.pki.timestamping import TimestampAuthority

OFFLINE, ONLINE = "root", ("issuing-ca", "simulation-ca")
RESPONDERS = ("ocsp", "simulation-ocsp")
SignerFor = Callable[[CertificateRow], Signs | None]
"""The key behind a row: custody's client in production. None: that key is not at hand."""


@dataclass(frozen=True, slots=True)
class PkiServices:
    """What the web serves and other rooms use; `tsa` and `ocsp` follow a rotation by themselves. `authorities` are the
    online CAs by name."""

    tsa: CurrentTimestamps
    ocsp: CurrentResponder
    crls: CrlPublisher
    evidence: OwnEvidence
    authorities: dict[str, CertificateAuthority]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A row and its key; the same choice where the certificate is the same."""

    fingerprint: str
    row: CertificateRow = field(compare=False)
    key: Signs = field(compare=False)


def assemble(register: CertificateRegister, signer_for: SignerFor, base_url: str) -> PkiServices:
    """The services, each with the newest active certificate whose key is at hand. Raises ServiceCertificateMissing."""
    rows = _active_rows(register)
    cas = {row.owner: row for row in rows if row.profile in (OFFLINE, *ONLINE)}
    found = {row.owner: signer_for(row) for row in cas.values() if row.profile in ONLINE}
    keys = {name: _certified(register, cas[name], key) for name, key in found.items() if key is not None}
    crls = CrlPublisher(
        register.database,
        {
            name: CrlIssuer(
                row.der,
                keys.get(name),
                url=f"{base_url}/crl/{name}.crl",
                delta_url=f"{base_url}/crl/{name}-delta.crl",
            )
            for name, row in cas.items()
        },
        register.clock,
    )
    ocsp = _responder(register, signer_for, [cas[name] for name in keys])
    return PkiServices(
        tsa=_timestamps(register, signer_for),
        ocsp=ocsp,
        crls=crls,
        evidence=OwnEvidence(ocsp, crls, {row.der: name for name, row in cas.items()}),
        authorities={
            name: CertificateAuthority(key, issuer_urls(base_url, name, has_ocsp=True), register)
            for name, key in keys.items()
        },
    )


def _timestamps(register: CertificateRegister, signer_for: SignerFor) -> CurrentTimestamps:
    serials = TimestampRegister(register.database)

    def look() -> _Chosen:
        chosen = _newest([row for row in _active_rows(register) if row.profile == "tsa"], signer_for)
        if chosen is None:
            raise ServiceCertificateMissing("tsa")
        return chosen

    def make(chosen: _Chosen) -> TimestampAuthority:
        key = _certified(register, chosen.row, chosen.key)
        return TimestampAuthority(
            key, key.certificate, key.chain, TIMESTAMP_POLICY, serials=serials, clock=register.clock
        )

    return CurrentTimestamps(Current(look, make, register.clock))


def _responder(register: CertificateRegister, signer_for: SignerFor, cas: list[CertificateRow]) -> CurrentResponder:
    def look() -> tuple[_Chosen | None, ...]:
        rows = [row for row in _active_rows(register) if row.profile in RESPONDERS]
        return tuple(_newest([row for row in rows if row.issuer == ca.fingerprint], signer_for) for ca in cas)

    def make(chosen: tuple[_Chosen | None, ...]) -> OcspResponder:
        issuers = [
            Issuer(ca.der, _certified(register, responder.row, responder.key))
            for ca, responder in zip(cas, chosen, strict=True)
            if responder is not None
        ]
        return OcspResponder(issuers, register, register.clock)

    return CurrentResponder(Current(look, make, register.clock))


def _active_rows(register: CertificateRegister) -> list[CertificateRow]:
    """Active certificates of CAs and services, oldest first."""
    kinds = (OFFLINE, *ONLINE, *RESPONDERS, "tsa")
    query = select(CertificateRow).where(CertificateRow.state == State.ACTIVE, CertificateRow.profile.in_(kinds))
    now = register.clock.now()
    with register.database.read() as session:
        rows = list(session.scalars(query.order_by(CertificateRow.id)))
    return [row for row in rows if row.not_after is not None and now < row.not_after]


def _newest(rows: list[CertificateRow], signer_for: SignerFor) -> _Chosen | None:
    """The newest whose key is at hand: a certificate may be on record before custody is told of its key."""
    for row in reversed(rows):
        if (key := signer_for(row)) is not None:
            return _Chosen(row.fingerprint or "", row, key)
    return None


def _certified(register: CertificateRegister, row: CertificateRow, key: Signs) -> CertifiedKey:
    with register.database.read() as session:
        above = register.chain(session, row.der)
    return CertifiedKey(key, row.der, tuple(above))
