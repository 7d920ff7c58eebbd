"""What the commands of `zhengyin approvals` share: the home's casework, who acts, who applies, files and fields."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.approvals.applicants import Applicant
    from signing_service.approvals.casework import Casework
    from signing_service.approvals.rules import Actor

ORGANISATION, RESIDENT = "001", "111"


class ApprovalsUsage(SigningServiceError):
    """An option or file that cannot be followed."""

    code = "approvals_usage"


@contextmanager
def casework(ctx: typer.Context) -> Iterator[Casework]:
    """Casework on the home's database, with its calendar file; custody is reached when a sealed number is needed."""
    from cli.home_casework import home_casework
    from signing_service.kernel.database import Database
    from signing_service.settings import load_settings

    settings = load_settings(ctx.obj.home)
    database = Database(settings.database_url)
    try:
        yield home_casework(settings, database)
    finally:
        database.close()


def actor_named(work: Casework, officer: str) -> Actor:
    """The officer with department and roles as the people register has them now."""
    from signing_service.approvals.rules import Actor
    from signing_service.people.register import PeopleRegister

    people = PeopleRegister(work.database, work.clock, work.audit)
    with work.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, known.department_id, roles)


def case_id_named(work: Casework, case: str) -> str:
    from signing_service.approvals.casework import case_id_of

    with work.database.read() as session:
        return case_id_of(session, case)


def applicant_of(ctx: typer.Context, name: str, code: str, code_type: str, number_fd: int | None) -> Applicant:
    """Raises ApprovalsUsage where a number is given in the way of the other kind of applicant."""
    from signing_service.approvals.applicants import ORGANISATIONS, Applicant

    personal = code_type not in ORGANISATIONS
    if personal == bool(code) or (number_fd is not None and not personal):
        raise ApprovalsUsage(
            Text("申请人的号码给法不对。", "The applicant's number is given in the wrong way."),
            advice=Text(
                "单位用 --code;自然人用 --person,号码按提示输入或用 --number-fd。",
                "For an organisation --code; for a person --person, and the number by prompt or --number-fd.",
            ),
        )
    if personal:
        asked = Text("证件号码(不显示)", "Number of the person (not shown)").in_(ctx.obj.language)
        code = typer.prompt(asked, hide_input=True, err=True) if number_fd is None else _line_of(number_fd)
    return Applicant(name, code.strip(), code_type)


def _line_of(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="utf-8", closefd=False) as file:
        return file.readline()


def pairs(entries: Sequence[str]) -> dict[str, str]:
    """Raises BadParameter for an entry that is not NAME=VALUE."""
    if not all("=" in entry for entry in entries):
        raise typer.BadParameter("fields are written NAME=VALUE")
    return dict(entry.partition("=")[::2] for entry in entries)


def read_bytes(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as failure:
        raise ApprovalsUsage(
            Text(f"无法读取 {path}。", f"{path} cannot be read."),
            why=Text(f"原因:{failure.strerror}。", f"Cause: {failure.strerror}."),
        ) from failure


def plain(value: Any) -> Any:
    """A view as JSON: dates in ISO 8601, words in both languages."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
