"""Holding a key ceremony: keys are generated on opened tokens, certificates signed, written back and read again.

Nothing is overwritten: if one label of the plan is taken, no key is made at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from sqlalchemy.orm import Session

from hardware.ports import Token, TokenKey
from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.pki.ceremony_plan import CeremonyPlan, Participant, PlannedCertificate, issuer_urls
from signing_service.pki.crl import build_crl
from signing_service.pki.crl_partitions import FIRST, partition_address
from signing_service.pki.crl_publication import next_number, record_crl
from signing_service.pki.errors import PkiError
from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial, validity
from signing_service.pki.names import host_name, subject_name
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.profiles import PROFILES
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor, MoveNotAllowed

OFFLINE_CRL_LIFE = timedelta(days=400)
ONLINE_CRL_LIFE = timedelta(days=7)


class CeremonyImpossible(PkiError):
    """The tokens at hand do not fit the plan; nothing was made."""

    code = "ceremony_impossible"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("密钥仪式不能进行,没有生成任何密钥。", "The ceremony cannot be held; no key was made."),
            why=Text(zh, en),
            advice=Text("请核对方案和插入的密码设备。", "Check the plan and the tokens that are plugged in."),
        )


class CertificateNotWritten(PkiError):
    """What was read back from the token is not what was written."""

    code = "certificate_not_written"

    def __init__(self, label: str) -> None:
        super().__init__(
            Text(f"证书“{label}”写入密码设备后读不回来。", f'The certificate "{label}" could not be read back.'),
            advice=Text("请检查密码设备后重新进行。", "Check the token and hold the ceremony again."),
        )


@dataclass(frozen=True, slots=True)
class CeremonyCertificate:
    """A certificate that was made; `issuer` is the certificate (DER) that signed it, its own for a root."""

    planned: PlannedCertificate
    der: bytes
    issuer: bytes
    key_id: bytes
    token_serial: str


@dataclass(frozen=True, slots=True)
class CeremonyCrl:
    """A CRL that was signed at the ceremony; times are aware."""

    issuer_name: str
    issuer: bytes
    der: bytes
    number: int
    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class CeremonyRecord:
    """All that a ceremony made, public material only."""

    title: str
    plan_digest: str
    present: tuple[Participant, ...]
    started_at: datetime
    ended_at: datetime
    certificates: tuple[CeremonyCertificate, ...]
    crls: tuple[CeremonyCrl, ...]

    def certificate(self, name: str) -> bytes:
        """The DER certificate that was made under this name in the plan."""
        return next(made.der for made in self.certificates if made.planned.name == name)

    def as_json(self) -> dict[str, object]:
        """Who, when, which tokens, which hashes: what goes into the audit log and onto the signed paper record."""
        return {
            "title": self.title,
            "plan_sha256": self.plan_digest,
            "present": [{"name": person.name, "role": person.role} for person in self.present],
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "certificates": [
                {
                    "name": made.planned.name, "profile": made.planned.profile, "key": made.planned.key,
                    "token_serial": made.token_serial, "key_id": made.key_id.hex(), "sha256": fingerprint(made.der),
                }
                for made in self.certificates
            ],
            "crls": [{"issuer": crl.issuer_name, "number": crl.number, "sha256": fingerprint(crl.der)}
                     for crl in self.crls],
        }  # fmt: skip


@dataclass(slots=True)
class _Signers:
    """The CA keys at hand during the ceremony, by name, and what their certificates point to."""

    keys: dict[str, CertifiedKey] = field(default_factory=dict)
    has_ocsp: dict[str, bool] = field(default_factory=dict)

    def add(self, name: str, key: TokenKey, certificate: bytes) -> None:
        self.keys[name] = CertifiedKey(key, certificate)
        constraints = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.BasicConstraints
        )
        self.has_ocsp[name] = constraints.value.path_length == 0


def dry_run(plan: CeremonyPlan) -> list[Text]:
    """What a ceremony would do, step by step, without any token."""
    steps = []
    for entry in plan.certificates:
        issuer = entry.issuer or entry.name
        steps.append(
            Text(
                f"在设备“{entry.token}”上生成 {entry.key} 密钥“{entry.name}”;"
                f"由“{issuer}”签发 {entry.profile} 证书:{entry.subject}",
                f'generate a {entry.key} key "{entry.name}" on token "{entry.token}"; '
                f'"{issuer}" issues {entry.profile}: {entry.subject}',
            )
        )
    return steps + [Text(f"由“{name}”签发 CRL", f'"{name}" signs a CRL') for name in plan.crls]


def hold_ceremony(
    plan: CeremonyPlan, tokens: Mapping[str, Token], clock: Clock, *, crl_numbers: Mapping[str, int] | None = None
) -> CeremonyRecord:
    """Carry out a checked plan on opened, logged-in tokens (by their names in the plan).

    `crl_numbers` gives the next CRL number of the CAs on record, by name: none of them is made again. Raises
    CeremonyImpossible before anything is made, CertificateNotWritten, and TokenError.
    """
    _check_tokens(plan, tokens)
    _check_names(plan, crl_numbers or {})
    started, signers = clock.now(), _Signers()
    for issuer in plan.existing:
        key = tokens[issuer.token].key(label=issuer.label)
        signers.add(issuer.name, key, tokens[issuer.token].certificate_for(key))
    _check_offline_tokens(plan, signers)
    made = tuple(_make(entry, plan, tokens[entry.token], signers, clock) for entry in plan.certificates)
    numbers = crl_numbers or {}
    crls = tuple(_sign_crl(name, signers, numbers.get(name, 1), clock.now()) for name in plan.crls)
    return CeremonyRecord(plan.title, plan.digest, plan.present, started, clock.now(), made, crls)


def require_officiant(register: CertificateRegister, audit: AuditLog, plan: CeremonyPlan, actor: Actor) -> None:
    """Raises MoveNotAllowed, and logs it, unless the person may hold ceremonies."""
    if actor.roles & {OPERATOR, SYSTEM}:
        return
    refusal = MoveNotAllowed("ceremony", "需要角色:pki_operator。", "It needs the role pki_operator.")
    act = Act("pki.ceremony", actor.id, f"ceremony:{plan.digest}", actor.department, actor.certificate)
    audit.refuse(register.database, act, register.clock.now(), refusal.code)
    raise refusal


def record_ceremony(
    register: CertificateRegister, audit: AuditLog, session: Session, record: CeremonyRecord, actor: Actor
) -> None:
    """Enter certificates, CRLs and the ceremony itself into register and audit log, in the caller's transaction."""
    for made in record.certificates:
        holder = Holder(made.planned.owner, made.planned.department, made.token_serial)
        register.add_issued(
            session, made.der, made.issuer, made.planned.profile, holder, actor, why=Why(f"密钥仪式:{record.title}")
        )
    for crl in record.crls:
        record_crl(session, crl.issuer, crl.der, crl.number, crl.this_update, crl.next_update)
    act = Act("pki.ceremony", actor.id, f"ceremony:{record.plan_digest}", actor.department, actor.certificate,
              details=record.as_json())  # fmt: skip
    audit.record(session, act, register.clock.now())


def next_crl_numbers(session: Session, issuers: Mapping[str, bytes]) -> dict[str, int]:
    """For `hold_ceremony`: the next CRL number of each issuer (name to DER certificate)."""
    return {name: next_number(session, certificate) for name, certificate in issuers.items()}


def _check_tokens(plan: CeremonyPlan, tokens: Mapping[str, Token]) -> None:
    if missing := sorted(plan.tokens - tokens.keys()):
        raise CeremonyImpossible(f"缺少设备:{', '.join(missing)}。", f"Tokens are missing: {', '.join(missing)}.")
    for entry in plan.certificates:
        if any(key.label == entry.name for key in tokens[entry.token].keys()):  # noqa: SIM118  # a token is no mapping
            raise CeremonyImpossible(
                f"设备“{entry.token}”上已有密钥“{entry.name}”。",
                f'Token "{entry.token}" already holds a key "{entry.name}"; nothing is overwritten.',
            )
    serials = [tokens[name].info.serial for name in plan.tokens]
    if len(set(serials)) != len(serials):
        raise CeremonyImpossible("同一设备被用作两个设备。", "One token was given under two names.")


def _check_names(plan: CeremonyPlan, on_record: Collection[str]) -> None:
    """A CA's name stands in addresses: two of one name would answer for each other's certificates."""
    made = {entry.owner for entry in plan.certificates if PROFILES[entry.profile].is_ca}
    if again := sorted(made & set(on_record)):
        raise CeremonyImpossible(
            f"已有名为 {again[0]} 的 CA。", f'There is a CA "{again[0]}" on record; nothing is overwritten.'
        )


def _check_offline_tokens(plan: CeremonyPlan, signers: _Signers) -> None:
    """The token of a root goes back into its safe: no other key may come onto it."""
    offline = {issuer.token for issuer in plan.existing if not signers.has_ocsp[issuer.name]}
    for entry in plan.certificates:
        if entry.token in offline:
            raise CeremonyImpossible(
                f"“{entry.name}”不能放在根密钥的设备“{entry.token}”上。",
                f'"{entry.name}" must not lie on the root\'s token "{entry.token}".',
            )


def _make(
    entry: PlannedCertificate, plan: CeremonyPlan, token: Token, signers: _Signers, clock: Clock
) -> CeremonyCertificate:
    key_id = secrets.token_bytes(8)
    key = token.generate(entry.key, label=entry.name, id=key_id)
    issuer = signers.keys.get(entry.issuer)
    made = _issue(entry, plan, key, issuer, signers, clock.now())
    token.store_certificate(made, label=entry.name, id=key_id)
    if token.certificate_for(key) != made:
        raise CertificateNotWritten(entry.name)
    if PROFILES[entry.profile].is_ca:
        signers.add(entry.name, key, made)
    above = made if issuer is None else issuer.certificate
    return CeremonyCertificate(entry, made, above, key_id, token.info.serial)


def _issue(
    entry: PlannedCertificate, plan: CeremonyPlan, key: TokenKey, issuer: CertifiedKey | None, signers: _Signers,
    now: datetime,
) -> bytes:  # fmt: skip
    profile = PROFILES[entry.profile]
    start, end = validity(profile, None if issuer is None else issuer.certificate, now)
    public_key: CertificatePublicKeyTypes = key.public_key  # type: ignore[assignment]  # the profile lists signing keys only
    urls = Urls()
    if issuer is not None:
        online = signers.has_ocsp[entry.issuer]
        urls = issuer_urls(plan.base_url, entry.issuer, has_ocsp=online)
        urls = replace(urls, crl=partition_address(urls.crl, FIRST)) if online else urls
    return issue_certificate(
        profile,
        subject=subject_name(
            entry.subject, organization=entry.organization or plan.organization, identifier=entry.identifier
        ),
        public_key=public_key,
        issuer_certificate=None if issuer is None else issuer.certificate,
        issuer_key=key if issuer is None else issuer,
        serial=new_serial(),
        not_before=start,
        not_after=end,
        urls=urls,
        alternative_names=[host_name(entry.host)] if entry.host else (),
    )


def _sign_crl(name: str, signers: _Signers, number: int, now: datetime) -> CeremonyCrl:
    """A first, empty CRL; that of an offline root holds until the next ceremony."""
    key = signers.keys[name]
    until = now + (ONLINE_CRL_LIFE if signers.has_ocsp[name] else OFFLINE_CRL_LIFE)
    made = build_crl(key, (), number=number, this_update=now, next_update=until)
    return CeremonyCrl(name, key.certificate, made, number, now, until)
