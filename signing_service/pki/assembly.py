"""Putting the public services together from the register: which certificates are in use, and who signs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from signing_service.errors import Text
from signing_service.pki.authority import CertificateAuthority
from signing_service.pki.ceremony_plan import issuer_urls
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl_publication import CrlIssuer, CrlPublisher
from signing_service.pki.errors import PkiError
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


class ServiceCertificateMissing(PkiError):
    """A service has no active certificate within its validity."""

    code = "service_certificate_missing"

    def __init__(self, profile: str) -> None:
        super().__init__(
            Text(f"没有可用的“{profile}”证书。", f'There is no active "{profile}" certificate.'),
            advice=Text("请先进行密钥仪式(zhengyin pki ceremony)。", "Hold a ceremony first (zhengyin pki ceremony)."),
        )


@dataclass(frozen=True, slots=True)
class PkiServices:
    """What the web serves and other rooms use. `authorities` are the online CAs by name."""

    tsa: TimestampAuthority
    ocsp: OcspResponder
    crls: CrlPublisher
    evidence: OwnEvidence
    authorities: dict[str, CertificateAuthority]


def assemble(
    register: CertificateRegister, signer_for: Callable[[CertificateRow], Signs], base_url: str
) -> PkiServices:
    """The services with the newest active certificate of each kind. `signer_for` gives the key behind a row: custody's
    client in production. Raises ServiceCertificateMissing."""
    rows = _active_rows(register)
    cas = {row.owner: row for row in rows if row.profile in (OFFLINE, *ONLINE)}
    keys = {row.owner: _certified(register, row, signer_for) for row in cas.values() if row.profile in ONLINE}
    tsa = _certified(register, _newest(rows, "tsa"), signer_for)
    ocsp = OcspResponder(
        [
            Issuer(cas[name].der, _certified(register, responder, signer_for))
            for name in keys
            if (responder := _responder_of(rows, cas[name])) is not None
        ],
        register,
        register.clock,
    )
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
    return PkiServices(
        tsa=TimestampAuthority(
            tsa, tsa.certificate, tsa.chain, TIMESTAMP_POLICY,
            serials=TimestampRegister(register.database), clock=register.clock,
        ),
        ocsp=ocsp,
        crls=crls,
        evidence=OwnEvidence(ocsp, crls, {row.der: name for name, row in cas.items()}),
        authorities={
            name: CertificateAuthority(key, issuer_urls(base_url, name, has_ocsp=True), register)
            for name, key in keys.items()
        },
    )  # fmt: skip


def _active_rows(register: CertificateRegister) -> list[CertificateRow]:
    """Active certificates of CAs and services, oldest first."""
    kinds = (OFFLINE, *ONLINE, *RESPONDERS, "tsa")
    query = select(CertificateRow).where(CertificateRow.state == State.ACTIVE, CertificateRow.profile.in_(kinds))
    now = register.clock.now()
    with register.database.read() as session:
        rows = list(session.scalars(query.order_by(CertificateRow.id)))
    return [row for row in rows if row.not_after is not None and now < row.not_after]


def _newest(rows: list[CertificateRow], profile: str) -> CertificateRow:
    found = [row for row in rows if row.profile == profile]
    if not found:
        raise ServiceCertificateMissing(profile)
    return found[-1]


def _responder_of(rows: list[CertificateRow], ca: CertificateRow) -> CertificateRow | None:
    found = [row for row in rows if row.profile in RESPONDERS and row.issuer == ca.fingerprint]
    return found[-1] if found else None


def _certified(
    register: CertificateRegister, row: CertificateRow, signer_for: Callable[[CertificateRow], Signs]
) -> CertifiedKey:
    with register.database.read() as session:
        above = register.chain(session, row.der)
    return CertifiedKey(signer_for(row), row.der, tuple(above))
