"""`zhengyin approvals`: cases and their course, as the window and the supervision office handle them.

`--as` names the officer in whose name an act is recorded. Steps are signed at the agent, never here. CASE is a case
number (办件编号) or a case id.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import print_rows
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.approvals.casework import Casework
    from signing_service.approvals.rules import Actor

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Case = Annotated[str, typer.Argument(metavar="CASE", help="Case number or id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done.")]
Reason = Annotated[str, typer.Option("--reason", help="A sentence for the record; the applicant may be told.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class ApprovalsUsage(SigningServiceError):
    """An option or file that cannot be followed."""

    code = "approvals_usage"


# --- seeing ----------------------------------------------------------------------------------------------------


@app.command("matters")
def matters(ctx: typer.Context, as_json: Json = False) -> None:
    """The matters (事项) that cases can be opened for."""
    with _work(ctx) as work:
        rows = [
            {
                "code": one.code,
                "name": one.name,
                "statutory_days": one.statutory_days,
                "promised_days": one.promised_days,
            }
            for one in work.matters.all()
        ]
    print_rows(rows, as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """Cases under way, the most urgent first, with their cards."""
    from signing_service.approvals.course_view import running_cases

    with _work(ctx) as work:
        rows = [
            {
                "case": view.number, "card": view.card.value, "state": view.words.in_(ctx.obj.language),
                "due": "" if view.promised_due is None else view.promised_due.day.isoformat(), "title": view.title,
            }
            for view in running_cases(work)
        ]  # fmt: skip
    print_rows(rows, as_json)


@app.command("show")
def show(ctx: typer.Context, case: Case) -> None:
    """One case: state, deadlines, steps, notices; as JSON."""
    from signing_service.approvals.course_view import view_case

    with _work(ctx) as work:
        view = view_case(work, _case_id(work, case))
    typer.echo(json.dumps(_plain(view), ensure_ascii=False, indent=2))


@app.command("conversions")
def conversions(ctx: typer.Context, as_json: Json = False) -> None:
    """Simulated approvals whose conditions are complete and that are not yet formal."""
    from signing_service.approvals.simulated import pending_conversions

    with _work(ctx) as work:
        rows = [
            {"case": one.number, "card": one.card.value, "due": one.due.day.isoformat()}
            for one in pending_conversions(work)
        ]
    print_rows(rows, as_json)


# --- taking in -------------------------------------------------------------------------------------------------


@app.command("open")
def open_(
    ctx: typer.Context,
    matter: Annotated[str, typer.Option("--matter", help="Code of the matter, see `approvals matters`.")],
    applicant: Annotated[str, typer.Option("--applicant", help="Name of the applicant.")],
    code: Annotated[str, typer.Option("--code", help="Unified social credit code; of a company only.")],
    by: As,
    field: Annotated[list[str] | None, typer.Option("--field", help="NAME=VALUE; may be repeated.")] = None,
    given: Annotated[Path | None, typer.Option("--file", help="The PDF to sign and seal itself.")] = None,
    commitment: Annotated[Path | None, typer.Option("--commitment", help="Letter of commitment (simulated).")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="A simulated approval (模拟审批).")] = False,
    basis_case: Annotated[str, typer.Option("--basis-case", help="The case that it builds on.")] = "",
) -> None:
    """Take a case in. Prints its number and the query code, which is shown this once."""
    from signing_service.approvals.applicants import Applicant
    from signing_service.approvals.intake import CaseRequest, open_case

    with _work(ctx) as work:
        request = CaseRequest(
            matter, Applicant(applicant, code), _pairs(field or []), given=_read(given), commitment=_read(commitment),
            simulated=simulated, basis_case=_case_id(work, basis_case) if basis_case else "",
        )  # fmt: skip
        opened = open_case(work, request, _actor(work, by))
    typer.echo(
        json.dumps({"case": opened.number, "id": opened.case_id, "query_code": opened.query_code}, ensure_ascii=False)
    )


@app.command("accept")
def accept(ctx: typer.Context, case: Case, by: As) -> None:
    """Accept a case (受理) and put it into review: the clock starts, the first step opens."""
    from signing_service.approvals.course import begin_review
    from signing_service.approvals.intake import accept as accept_case

    with _work(ctx) as work:
        found, actor = _case_id(work, case), _actor(work, by)
        accept_case(work, found, actor)
        begin_review(work, found, actor)


@app.command("review")
def review(ctx: typer.Context, case: Case, by: As) -> None:
    """Put an accepted case into review, where `accept` was cut short before that."""
    from signing_service.approvals.course import begin_review

    with _work(ctx) as work:
        begin_review(work, _case_id(work, case), _actor(work, by))


@app.command("refuse")
def refuse(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """Refuse to accept a case (不予受理)."""
    from signing_service.approvals.intake import refuse as refuse_case

    with _work(ctx) as work:
        refuse_case(work, _case_id(work, case), _actor(work, by), reason)


@app.command("ask")
def ask(
    ctx: typer.Context,
    case: Case,
    by: As,
    item: Annotated[list[str], typer.Option("--item", help="What is missing; may be repeated: say all of it at once.")],
) -> None:
    """Tell the applicant everything that is missing (一次性告知)."""
    from signing_service.approvals.material_notices import ask_material

    with _work(ctx) as work:
        repeated = ask_material(work, _case_id(work, case), _actor(work, by), item)
    if repeated:
        message = Text(
            "这是第二次告知,已标记并可被监察查看。", "This is a second notice: it is marked for supervision."
        )
        typer.echo(message.in_(ctx.obj.language), err=True)


@app.command("withdraw")
def withdraw(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """The applicant takes the case back."""
    from signing_service.approvals.intake import withdraw as withdraw_case

    with _work(ctx) as work:
        withdraw_case(work, _case_id(work, case), _actor(work, by), reason)


@app.command("query-code")
def query_code(
    ctx: typer.Context,
    case: Case,
    by: As,
    identity: Annotated[str, typer.Option("--identity", help="How the applicant's identity was checked.")],
) -> None:
    """Replace a lost query code (查询码). All old ones end."""
    from signing_service.approvals.access import replace_code

    with _work(ctx) as work:
        typer.echo(replace_code(work, _case_id(work, case), _actor(work, by), identity_check=identity))


# --- the clock -------------------------------------------------------------------------------------------------


@app.command("pause")
def pause(ctx: typer.Context, case: Case, by: As, reason: Reason, basis: Basis) -> None:
    """Stop the clock for a special procedure (特别程序)."""
    from signing_service.approvals.clock_changes import pause as pause_clock

    with _work(ctx) as work:
        pause_clock(work, _case_id(work, case), _actor(work, by), reason=reason, legal_basis=basis)


@app.command("resume")
def resume(ctx: typer.Context, case: Case, by: As) -> None:
    """The special procedure is over."""
    from signing_service.approvals.clock_changes import resume as resume_clock

    with _work(ctx) as work:
        resume_clock(work, _case_id(work, case), _actor(work, by))


@app.command("extend")
def extend(
    ctx: typer.Context,
    case: Case,
    by: As,
    days: Annotated[int, typer.Option("--days", help="Working days.")],
    reason: Reason,
    basis: Basis,
) -> None:
    """Extend the deadline (延期)."""
    from signing_service.approvals.clock_changes import extend as extend_clock

    with _work(ctx) as work:
        extend_clock(work, _case_id(work, case), _actor(work, by), days=days, reason=reason, legal_basis=basis)


# --- after the release -----------------------------------------------------------------------------------------


@app.command("complete")
def complete(ctx: typer.Context, case: Case, by: As) -> None:
    """A simulated approval's conditions are complete: it has to be formal within five working days."""
    from signing_service.approvals.simulated import conditions_complete

    with _work(ctx) as work:
        typer.echo(conditions_complete(work, _case_id(work, case), _actor(work, by)).day.isoformat())


@app.command("convert")
def convert(
    ctx: typer.Context, case: Case, formal: Annotated[str, typer.Argument(help="The formal case.")], by: As
) -> None:
    """Recall a simulated approval because the formal case replaces it."""
    from signing_service.approvals.simulated import convert as convert_case

    with _work(ctx) as work:
        convert_case(work, _case_id(work, case), _case_id(work, formal), _actor(work, by))


@app.command("formal")
def formal(ctx: typer.Context, case: Case, by: As) -> None:
    """Open the formal case of a simulated approval whose conditions are complete; its release recalls the simulated."""
    from signing_service.approvals.conversion import open_formal

    with _work(ctx) as work:
        opened = open_formal(work, _case_id(work, case), _actor(work, by))
    typer.echo(
        json.dumps({"case": opened.number, "id": opened.case_id, "query_code": opened.query_code}, ensure_ascii=False)
    )


@app.command("recall")
def recall(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """Recall a sealed document; every verification says so from now on."""
    from signing_service.approvals.simulated import recall as recall_case

    with _work(ctx) as work:
        recall_case(work, _case_id(work, case), _actor(work, by), reason)


# --- online platforms and notices ------------------------------------------------------------------------------


@app.command("platform")
def platform(
    ctx: typer.Context,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="Id of a registered API client.")],
    by: As,
    matter: Annotated[list[str] | None, typer.Option("--matter", help="Code of a matter; may be repeated.")] = None,
    own_route: Annotated[bool, typer.Option("--own-route", help="It may give a case its own route.")] = False,
    end: Annotated[str, typer.Option("--end", help="End it, with this reason; earlier cases go on.")] = "",
) -> None:
    """Let an online platform hand in cases of these matters through the cases API, or end that."""
    from signing_service.approvals.platforms import allow_platform, end_platform

    if bool(end) == bool(matter):
        raise typer.BadParameter("name matters with --matter, or a reason with --end")
    with _work(ctx) as work:
        if end:
            end_platform(work, client, _actor(work, by), end)
        else:
            allow_platform(work, client, matter or [], _actor(work, by), may_route=own_route)


@app.command("notices")
def notices(
    ctx: typer.Context,
    replay: Annotated[int, typer.Option("--replay", help="Send this one again.")] = 0,
    as_json: Json = False,
) -> None:
    """Notices that were given up, with the cause; addresses are never shown."""
    from signing_service.people.notice_outbox import not_delivered, replay_notice

    with _work(ctx) as work:
        if replay:
            with work.database.write() as session:
                replay_notice(session, replay, work.clock.now())
        with work.database.read() as session:
            rows = [
                {"id": one.id, "kind": one.kind, "channel": one.channel, "tries": one.attempts, "cause": one.last_error}
                for one in not_delivered(session)
            ]
    print_rows(rows, as_json)


# --- what they share -------------------------------------------------------------------------------------------


@contextmanager
def _work(ctx: typer.Context) -> Iterator[Casework]:
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


def _actor(work: Casework, officer: str) -> Actor:
    """The officer with department and roles as the people register has them now."""
    from signing_service.approvals.rules import Actor
    from signing_service.people.register import PeopleRegister

    people = PeopleRegister(work.database, work.clock, work.audit)
    with work.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, known.department_id, roles)


def _case_id(work: Casework, case: str) -> str:
    from signing_service.approvals.casework import case_id_of

    with work.database.read() as session:
        return case_id_of(session, case)


def _pairs(entries: Sequence[str]) -> dict[str, str]:
    pairs = dict(entry.partition("=")[::2] for entry in entries)
    if not all("=" in entry for entry in entries):
        raise typer.BadParameter("fields are written NAME=VALUE")
    return pairs


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as failure:
        raise ApprovalsUsage(
            Text(f"无法读取 {path}。", f"{path} cannot be read."),
            why=Text(f"原因:{failure.strerror}。", f"Cause: {failure.strerror}."),
        ) from failure


def _plain(value: Any) -> Any:
    """A view as JSON: dates in ISO 8601, words in both languages."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
