"""What the commands of `zhengyin seals` share: options, the register over the home, officers as actors, output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.pki.rules import Actor
    from signing_service.seals.conditions import Conditions
    from signing_service.seals.register import SealRegister
    from signing_service.seals.rules import Status
    from signing_service.seals.seal_tables import SealRow

Seal = Annotated[str, typer.Argument(metavar="SEAL", help="The seal's id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done; needs the role.")]
Reason = Annotated[str, typer.Option("--reason", help="A sentence for the record.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis or filing number.")]
From = Annotated[str, typer.Option("--from", help="When it takes effect (ISO 8601); default: now.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class SealUsage(SigningServiceError):
    """An option that cannot be followed."""

    code = "seal_usage"


@contextmanager
def open_register(ctx: typer.Context) -> Iterator[SealRegister]:
    """The seal register over the home's database."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database
    from signing_service.seals.register import SealRegister

    database = Database(home_settings(ctx).database_url)
    try:
        yield SealRegister(database, SystemClock(), AuditLog())
    finally:
        database.close()


def actor_named(register: SealRegister, officer: str) -> Actor:
    """The officer with the roles held now."""
    from signing_service.people.register import PeopleRegister
    from signing_service.pki.rules import Actor

    people = PeopleRegister(register.database, register.clock, register.audit)
    with register.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, roles, department=known.department_id)


def conditions_from(text: str) -> Conditions:
    """Conditions of use from the JSON of an option. Raises SealUsage."""
    from signing_service.seals.conditions import Conditions

    try:
        return Conditions.from_json(json.loads(text))
    except (ValueError, TypeError, AttributeError) as failure:
        raise SealUsage(
            Text("--conditions 不是可用的使用条件。", "--conditions are no conditions of use."),
            why=Text(f"原因:{failure}。", f"Cause: {failure}."),
        ) from failure


def row_json(row: SealRow, status: Status) -> dict[str, Any]:
    return {
        "id": row.id, "state": status.state, "name": row.name, "kind": row.kind, "owner": row.owner_name,
        "valid_until": row.valid_until.isoformat(), "owner_code": row.owner_code, "department": row.department,
        "since": status.since.isoformat() if status.since else None, "reason": status.reason,
    }  # fmt: skip


def state_json(row: SealRow) -> dict[str, str]:
    return {"id": row.id, "state": row.state}


def read_bytes(file: Path) -> bytes:
    """Raises SealUsage."""
    try:
        return file.read_bytes()
    except OSError as failure:
        raise SealUsage(
            Text(f"无法读取 {file}:{failure.strerror}。", f"{file} cannot be read: {failure.strerror}.")
        ) from failure


def print_document(document: Any, as_json: bool) -> None:
    """One JSON document, or a line for each value."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2) if as_json else "\n".join(_lines(document)))


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, Mapping | list) and inner:
                yield f"{indent}{name}:"
                yield from _lines(inner, indent + "  ")
            elif inner not in (None, "", [], {}):
                yield f"{indent}{name}: {inner}"
    else:
        for inner in value if isinstance(value, list) else [value]:
            words = ", ".join(str(each) for each in inner.values()) if isinstance(inner, Mapping) else str(inner)
            yield f"{indent}{words}"
