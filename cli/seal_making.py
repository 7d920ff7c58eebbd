"""Making a seal on custody's own machine: key and certificate in the token, picture, signed structure, policy entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from cli.opened_home import open_custody, save_picture
from cli.outside_parts import outside_check
from cli.own_services import own_pki
from hardware.driver import open_token
from hardware.pin_source import read_pin_file
from signing_service.custody.keys import ServiceKey
from signing_service.custody.ledger import REGISTER
from signing_service.custody.policy import SealEntry, ServiceEntry, TokenPlace, change_policy, load_policy
from signing_service.people.officers import SIGNING, RoleGrant
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import GrantState, Role
from signing_service.pki.certificates import OUTSIDE, CertificateRow
from signing_service.pki.names import subject_name
from signing_service.pki.outside import outside_chain
from signing_service.pki.register import Holder
from signing_service.pki.rules import SYSTEM, Actor, State
from signing_service.seals.errors import SealError, Text
from signing_service.seals.picture import SealDesign, draw_seal, seal_png
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import KIND_NUMBERS, Kind
from signing_service.seals.seal_tables import SealRow
from signing_service.seals.structures import SealContent, make_seal
from signing_service.settings import Settings

if TYPE_CHECKING:
    from hardware.opened_token import OpenedToken

NOT_YET = "已制作,尚未启用"
TOKEN = "issuing"  # noqa: S105 - custody's name for the token of issuing CA and seals
MAKER = "seal-maker"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"


class SealNotLicensed(SealError):
    """A formal seal of a production home, and no licensed CA's certificate for it on record."""

    code = "seal_not_licensed"

    def __init__(self, seal: str) -> None:
        super().__init__(
            Text(
                f"正式印章 {seal} 还没有持牌机构的证书。",
                f"The formal seal {seal} has no licensed CA's certificate yet.",
            ),
            why=Text(
                "正式电子印章须用依法许可的电子认证服务机构的证书(国办发〔2025〕33号第十二条)。",
                "Formal seals need a certificate from a licensed CA (国办发〔2025〕33号, art. 12).",
            ),
            advice=Text(
                f"先 zhengyin pki csr,取得证书后 zhengyin pki import --profile seal --owner seal:{seal}。",
                f"First zhengyin pki csr; with the certificate zhengyin pki import --profile seal --owner seal:{seal}.",
            ),
        )


def make_structure(settings: Settings, register: SealRegister, row: SealRow) -> bytes:
    """Key, certificate, picture, signed structure; custody knows the seal before it is recorded as made.

    A seal that custody knows already (a new home's first one, or a run that was cut off) keeps its key and certificate.
    """
    entry = load_policy(settings.custody).seals.get(row.id) or _entry(settings, register, row)
    maker = _maker(settings, row)
    design = SealDesign(**row.design)
    content = SealContent(
        row.id, KIND_NUMBERS[Kind(row.kind)], row.name, (entry.certificate,), register.clock.now(), row.valid_from,
        row.valid_until, seal_png(design), round(design.diameter_mm), round(design.height_mm),
    )  # fmt: skip
    save_picture(settings, row.id, draw_seal(design))
    key = ServiceKey.of(open_custody(settings), "seal_maker")
    return make_seal(content, maker=maker.certificate, algorithm_oid=ECDSA_SHA256, sign=key.sign)


def _entry(settings: Settings, register: SealRegister, row: SealRow) -> SealEntry:
    """Key, certificate and holders, entered in custody's policy and stopped until it is active.

    Today's seal administrators are those of whom two may act in an emergency. A formal seal takes the certificate that
    an outside CA issued for it, if one is on record; in a production home there is no other. Raises SealNotLicensed,
    OutsideRevoked, OutsideStatusUnknown, KeyNotFound.
    """
    simulated = row.kind == Kind.SIMULATION
    licensed = None if simulated else _licensed(settings, register, row)
    if licensed is None and not simulated and not settings.is_demo:
        raise SealNotLicensed(row.id)
    profile = "simulation-seal" if simulated else "seal"
    certificate, chain = licensed or _certify(settings, f"seal-{row.id}", f"{row.name}电子印章", row, profile)
    people = PeopleRegister(register.database, register.clock, register.audit)
    with register.database.read() as session:
        holders, appointed = (
            tuple(each.der for officer in officers for each in people.certificates(session, officer, SIGNING))
            for officers in (row.holders, _administrators(session))
        )
    entry = SealEntry(TOKEN, certificate, row.department, holders, chain, appointed)
    # before custody knows the seal: until it is active on record, nobody's authorisation seals with it
    open_custody(settings).freeze(f"{REGISTER}{row.id}", actor=MAKER, reason=NOT_YET)
    change_policy(settings.custody, lambda policy: policy.with_seal(row.id, entry))
    return entry


def _licensed(settings: Settings, register: SealRegister, row: SealRow) -> tuple[bytes, tuple[bytes, ...]] | None:
    """The outside CA's certificate on record for this seal (DER) and those above it, anchor included; None where there
    is none. Its CA is asked, and its key must lie in custody's token."""
    query = select(CertificateRow.der).where(
        CertificateRow.owner == f"seal:{row.id}", CertificateRow.profile == "seal",
        CertificateRow.origin == OUTSIDE, CertificateRow.state == State.ACTIVE,
    ).order_by(CertificateRow.not_after.desc())  # fmt: skip
    with register.database.read() as session:
        certificate = session.scalar(query)
        if certificate is None:
            return None
        above = outside_chain(session, certificate).certificates[1:]
    outside_check(settings, register.database, register.clock).require(certificate)
    place = load_policy(settings.custody).tokens[TOKEN]
    with _custodys_token(settings, place) as token:
        key = token.key(certificate=certificate)
        if certificate not in token.certificates():
            token.store_certificate(certificate, label=key.label, id=key.id)
    return certificate, tuple(above)


def _custodys_token(settings: Settings, place: TokenPlace) -> OpenedToken:
    pin = settings.custody / place.pin_file
    return open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin), write=True)


def _administrators(session: Session) -> list[str]:
    query = select(RoleGrant.officer_id).where(
        RoleGrant.role == Role.SEAL_ADMINISTRATOR, RoleGrant.state == GrantState.ACTIVE
    )
    return list(session.scalars(query.order_by(RoleGrant.officer_id).distinct()))


def _maker(settings: Settings, row: SealRow) -> ServiceEntry:
    """The key that signs seals (制章), made the first time that one is needed."""
    known = load_policy(settings.custody).services.get("seal_maker")
    if known is not None:
        return known
    certificate, chain = _certify(settings, MAKER, f"{settings.city}电子印章制章", row, "seal")
    entry = ServiceEntry(TOKEN, MAKER.encode(), certificate, chain)
    change_policy(settings.custody, lambda policy: policy.with_service("seal_maker", entry))
    return entry


def _certify(
    settings: Settings, label: str, subject: str, row: SealRow, profile: str
) -> tuple[bytes, tuple[bytes, ...]]:
    """A new P-256 key in custody's token with its certificate by our own CA; (certificate, chain)."""

    place = load_policy(settings.custody).tokens[TOKEN]
    services = own_pki(settings)
    authority = services.authorities["simulation" if profile == "simulation-seal" else "issuing"]
    name = subject_name(subject, organization=row.owner_name, identifier=row.owner_code)
    with _custodys_token(settings, place) as token:
        keys = token.keys()
        left_over = [key for key in keys if key.id == label.encode()]  # by a run that was cut off
        key = left_over[0] if left_over else token.generate("p256", label=label, id=label.encode())
        holder = Holder(label, row.department, place.serial)
        made = authority.issue(profile, name, key.public_key, holder, Actor("zhengyin seals make", frozenset({SYSTEM})))  # type: ignore[arg-type]
        token.store_certificate(made, label=label, id=key.id)
    authority.register.database.close()
    return made, (authority.key.certificate, *authority.key.chain)
