"""What the commands of `zhengyin pki` share: the home's register and CA, tokens by URI, officers as actors, output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from hardware.ports import Token
    from signing_service.errors import Language
    from signing_service.pki.certificates import CertificateRow
    from signing_service.pki.crl import Reason
    from signing_service.pki.enrolment import Enrolment
    from signing_service.pki.health import Finding
    from signing_service.pki.impact import Impact
    from signing_service.pki.register import CertificateRegister
    from signing_service.pki.rules import Actor
    from signing_service.settings import Settings


class PkiUsage(SigningServiceError):
    """An option that cannot be followed."""

    code = "pki_usage"


def home_settings(ctx: typer.Context) -> Settings:
    """The settings of the home that was named."""
    from cli.opened_home import open_home

    return open_home(ctx.obj.home)


@contextmanager
def open_register(ctx: typer.Context) -> Iterator[CertificateRegister]:
    """The certificate register over the home's database."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database
    from signing_service.pki.register import CertificateRegister

    database = Database(home_settings(ctx).database_url)
    try:
        yield CertificateRegister(database, SystemClock(), AuditLog())
    finally:
        database.close()


@contextmanager
def open_enrolment(ctx: typer.Context) -> Iterator[tuple[CertificateRegister, Enrolment]]:
    """Register and enrolment with the issuing CA, whose key custody holds."""
    from cli.own_services import own_pki
    from signing_service.pki.enrolment import Enrolment

    authority = own_pki(home_settings(ctx)).authorities["issuing"]
    try:
        yield authority.register, Enrolment(authority.register, authority)
    finally:
        authority.register.database.close()


@contextmanager
def open_usb_key(ctx: typer.Context, uri: str, pin_file: Path) -> Iterator[Token]:
    """The one token that the URI names, logged in for writing."""
    from hardware.driver import list_tokens, open_token
    from hardware.pin_source import read_pin_file
    from hardware.uri import TokenUri

    module = home_settings(ctx).token_module
    wanted = TokenUri.parse(uri)
    found = [info for info in list_tokens(module) if wanted.matches(info)]
    if len(found) != 1:
        raise PkiUsage(
            Text(f"{uri} 对应 {len(found)} 个设备。", f"{uri} names {len(found)} tokens."),
            advice=Text("请用序列号指明一个设备。", "Name exactly one, by its serial."),
        )
    with open_token(module, serial=found[0].serial, pin=read_pin_file(pin_file), write=True) as token:
        yield token


def actor_named(register: CertificateRegister, officer: str) -> Actor:
    """The officer with the roles held now."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister
    from signing_service.pki.rules import Actor

    people = PeopleRegister(register.database, register.clock, AuditLog())
    with register.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, roles, department=known.department_id)


def bind_to_officer(register: CertificateRegister, which: str, by: str) -> None:
    """From now on an activated officer's certificate stands for the officer in the people register."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister

    people = PeopleRegister(register.database, register.clock, AuditLog())
    with register.database.write() as session:
        row = register.find(session, which)
        kind, _, purpose = row.profile.partition("-")
        if kind == "officer":
            people.bind_certificate(session, row.owner, row.der, purpose=purpose, actor=by)


def reason_named(name: str) -> Reason:
    """CRLReason by its name in lower case."""
    from signing_service.pki.crl import Reason

    never = (Reason.REMOVE_FROM_CRL, Reason.CERTIFICATE_HOLD)
    allowed = [reason.name.lower() for reason in Reason if reason not in never]
    if name not in allowed:
        listed = ", ".join(allowed)
        raise PkiUsage(Text(f"没有“{name}”这种理由。", f'There is no reason code "{name}".'),
                       advice=Text(f"可用:{listed}。", f"Use one of: {listed}."))  # fmt: skip
    return Reason[name.upper()]


def moment(text: str) -> datetime | None:
    """ISO 8601; UTC where no offset is given; None for an empty text."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as failure:
        advice = Text("例如 2026-11-25T08:00+08:00。", "Such as 2026-11-25T08:00+08:00.")
        raise PkiUsage(Text(f"“{text}”不是时间。", f'"{text}" is no time.'), advice=advice) from failure
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def pairs(entries: list[str] | None) -> dict[str, str]:
    """NAME=VALUE options."""
    return dict(entry.split("=", 1) for entry in entries or () if "=" in entry)


def known_cas(session: Any) -> list[CertificateRow]:
    """All CAs on record."""
    from sqlalchemy import select

    from signing_service.pki.certificates import CertificateRow
    from signing_service.pki.health import CA_PROFILES

    return list(session.scalars(select(CertificateRow).where(CertificateRow.profile.in_(CA_PROFILES))))


def row_json(row: CertificateRow) -> dict[str, Any]:
    """A certificate row for people and programs."""
    return {
        "reference": row.reference, "profile": row.profile, "state": row.state, "owner": row.owner,
        "department": row.department, "subject": row.subject, "fingerprint": row.fingerprint, "serial": row.serial,
        "origin": row.origin, "token_serial": row.token_serial,
        "not_after": row.not_after.isoformat() if row.not_after else None,
    }  # fmt: skip


def impact_json(found: Impact) -> dict[str, Any]:
    """An impact as one document."""
    return {
        "certificate": found.certificate, "owner": found.owner, "since": found.since.isoformat(),
        "dependants": [
            {"kind": entry.kind, "id": entry.id, "label": entry.label, "at": entry.at.isoformat() if entry.at else None}
            for entry in found.dependants
        ],
        "timestamps": found.timestamps,
        "drafts": [
            {"reference": draft.reference, "profile": draft.profile, "owner": draft.owner,
             "reason": draft.reason.name.lower()}
            for draft in found.drafts
        ],
        "unknown": list(found.unknown),
    }  # fmt: skip


def finding_json(finding: Finding, language: Language) -> dict[str, str]:
    """A finding for people and programs."""
    return {
        "level": finding.level.value,
        "code": finding.code,
        "subject": finding.subject,
        "text": finding.text.in_(language),
        "advice": finding.advice.in_(language),
    }


def print_rows(rows: list[dict[str, Any]], json_output: bool) -> None:
    """As JSON, or the first columns of each."""
    if json_output:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        typer.echo("  ".join(str(value) for value in list(row.values())[:6]))


def change_state(
    ctx: typer.Context, which: str, move: str, by: str, text: str, *, code: Reason | None = None,
    lost_at: datetime | None = None, basis: str = "",
) -> None:  # fmt: skip
    """Make one move on a certificate in an officer's name, and print the state after it."""
    from signing_service.pki.crl import Reason
    from signing_service.pki.register import Why

    why = Why(text, code or Reason.UNSPECIFIED, legal_basis=basis, invalid_from=lost_at)
    with open_register(ctx) as register:
        row = register.change(which, move, actor_named(register, by), why)
    typer.echo(f"{row.reference} {row.state}")
