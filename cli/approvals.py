"""`zhengyin approvals`: cases and their course, as the window and the supervision office handle them.

`--as` names the officer in whose name an act is recorded. Steps are signed at the agent, never here. CASE is a case
number (办件编号) or a case id.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.approvals_parts import (
    ORGANISATION,
    RESIDENT,
    actor_named,
    applicant_of,
    case_id_named,
    casework,
    pairs,
    plain,
    read_bytes,
)
from cli.pki_home import print_rows
from signing_service.errors import Text

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Case = Annotated[str, typer.Argument(metavar="CASE", help="Case number or id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done.")]
Reason = Annotated[str, typer.Option("--reason", help="A sentence for the record; the applicant may be told.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


# --- seeing ----------------------------------------------------------------------------------------------------


@app.command("matters")
def matters(ctx: typer.Context, as_json: Json = False) -> None:
    """The matters (事项) that cases can be opened for."""
    with casework(ctx) as work:
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

    with casework(ctx) as work:
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

    with casework(ctx) as work:
        view = view_case(work, case_id_named(work, case))
    typer.echo(json.dumps(plain(view), ensure_ascii=False, indent=2))


@app.command("conversions")
def conversions(ctx: typer.Context, as_json: Json = False) -> None:
    """Simulated approvals whose conditions are complete and that are not yet formal."""
    from signing_service.approvals.simulated import pending_conversions

    with casework(ctx) as work:
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
    by: As,
    code: Annotated[str, typer.Option("--code", help="Unified social credit code; of an organisation only.")] = "",
    person: Annotated[
        bool, typer.Option("--person", help="A natural person: the number is asked for, or read from --number-fd.")
    ] = False,
    number_type: Annotated[
        str, typer.Option(help="Kind of the person's number (GB/T 36903): 111 resident, 414 passport.")
    ] = RESIDENT,
    number_fd: Annotated[int | None, typer.Option("--number-fd", help="Open file descriptor with the number.")] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help="NAME=VALUE; may be repeated.")] = None,
    given: Annotated[Path | None, typer.Option("--file", help="The PDF to sign and seal itself.")] = None,
    commitment: Annotated[Path | None, typer.Option("--commitment", help="Letter of commitment (simulated).")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="A simulated approval (模拟审批).")] = False,
    basis_case: Annotated[str, typer.Option("--basis-case", help="The case that it builds on.")] = "",
) -> None:
    """Take a case in. Prints its number and the query code, which is shown this once. A person's number is never an
    argument: other users of the machine could read it there."""
    from signing_service.approvals.intake import CaseRequest, open_case

    who = applicant_of(ctx, applicant, code, number_type if person else ORGANISATION, number_fd)
    with casework(ctx) as work:
        request = CaseRequest(
            matter, who, pairs(field or []), given=read_bytes(given), commitment=read_bytes(commitment),
            simulated=simulated, basis_case=case_id_named(work, basis_case) if basis_case else "",
        )  # fmt: skip
        opened = open_case(work, request, actor_named(work, by))
    typer.echo(
        json.dumps({"case": opened.number, "id": opened.case_id, "query_code": opened.query_code}, ensure_ascii=False)
    )


@app.command("accept")
def accept(ctx: typer.Context, case: Case, by: As) -> None:
    """Accept a case (受理) and put it into review: the clock starts, the first step opens."""
    from signing_service.approvals.course import begin_review
    from signing_service.approvals.intake import accept as accept_case

    with casework(ctx) as work:
        found, actor = case_id_named(work, case), actor_named(work, by)
        accept_case(work, found, actor)
        begin_review(work, found, actor)


@app.command("review")
def review(ctx: typer.Context, case: Case, by: As) -> None:
    """Put an accepted case into review, where `accept` was cut short before that."""
    from signing_service.approvals.course import begin_review

    with casework(ctx) as work:
        begin_review(work, case_id_named(work, case), actor_named(work, by))


@app.command("refuse")
def refuse(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """Refuse to accept a case (不予受理)."""
    from signing_service.approvals.intake import refuse as refuse_case

    with casework(ctx) as work:
        refuse_case(work, case_id_named(work, case), actor_named(work, by), reason)


@app.command("ask")
def ask(
    ctx: typer.Context,
    case: Case,
    by: As,
    item: Annotated[list[str], typer.Option("--item", help="What is missing; may be repeated: say all of it at once.")],
) -> None:
    """Tell the applicant everything that is missing (一次性告知)."""
    from signing_service.approvals.material_notices import ask_material

    with casework(ctx) as work:
        repeated = ask_material(work, case_id_named(work, case), actor_named(work, by), item)
    if repeated:
        message = Text(
            "这是第二次告知,已标记并可被监察查看。", "This is a second notice: it is marked for supervision."
        )
        typer.echo(message.in_(ctx.obj.language), err=True)


@app.command("withdraw")
def withdraw(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """The applicant takes the case back."""
    from signing_service.approvals.intake import withdraw as withdraw_case

    with casework(ctx) as work:
        withdraw_case(work, case_id_named(work, case), actor_named(work, by), reason)


@app.command("query-code")
def query_code(
    ctx: typer.Context,
    case: Case,
    by: As,
    identity: Annotated[str, typer.Option("--identity", help="How the applicant's identity was checked.")],
) -> None:
    """Replace a lost query code (查询码). All old ones end."""
    from signing_service.approvals.access import replace_code

    with casework(ctx) as work:
        typer.echo(replace_code(work, case_id_named(work, case), actor_named(work, by), identity_check=identity))


# --- the clock -------------------------------------------------------------------------------------------------


@app.command("pause")
def pause(ctx: typer.Context, case: Case, by: As, reason: Reason, basis: Basis) -> None:
    """Stop the clock for a special procedure (特别程序)."""
    from signing_service.approvals.clock_changes import pause as pause_clock

    with casework(ctx) as work:
        pause_clock(work, case_id_named(work, case), actor_named(work, by), reason=reason, legal_basis=basis)


@app.command("resume")
def resume(ctx: typer.Context, case: Case, by: As) -> None:
    """The special procedure is over."""
    from signing_service.approvals.clock_changes import resume as resume_clock

    with casework(ctx) as work:
        resume_clock(work, case_id_named(work, case), actor_named(work, by))


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

    with casework(ctx) as work:
        extend_clock(
            work, case_id_named(work, case), actor_named(work, by), days=days, reason=reason, legal_basis=basis
        )


# --- after the release -----------------------------------------------------------------------------------------


@app.command("complete")
def complete(ctx: typer.Context, case: Case, by: As) -> None:
    """A simulated approval's conditions are complete: it has to be formal within five working days."""
    from signing_service.approvals.simulated import conditions_complete

    with casework(ctx) as work:
        typer.echo(conditions_complete(work, case_id_named(work, case), actor_named(work, by)).day.isoformat())


@app.command("convert")
def convert(
    ctx: typer.Context, case: Case, formal: Annotated[str, typer.Argument(help="The formal case.")], by: As
) -> None:
    """Recall a simulated approval because the formal case replaces it."""
    from signing_service.approvals.simulated import convert as convert_case

    with casework(ctx) as work:
        convert_case(work, case_id_named(work, case), case_id_named(work, formal), actor_named(work, by))


@app.command("formal")
def formal(ctx: typer.Context, case: Case, by: As) -> None:
    """Open the formal case of a simulated approval whose conditions are complete; its release recalls the simulated."""
    from signing_service.approvals.conversion import open_formal

    with casework(ctx) as work:
        opened = open_formal(work, case_id_named(work, case), actor_named(work, by))
    typer.echo(
        json.dumps({"case": opened.number, "id": opened.case_id, "query_code": opened.query_code}, ensure_ascii=False)
    )


@app.command("recall")
def recall(ctx: typer.Context, case: Case, by: As, reason: Reason) -> None:
    """Recall a sealed document; every verification says so from now on."""
    from signing_service.approvals.simulated import recall as recall_case

    with casework(ctx) as work:
        recall_case(work, case_id_named(work, case), actor_named(work, by), reason)


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
    with casework(ctx) as work:
        if end:
            end_platform(work, client, actor_named(work, by), end)
        else:
            allow_platform(work, client, matter or [], actor_named(work, by), may_route=own_route)


@app.command("notices")
def notices(
    ctx: typer.Context,
    replay: Annotated[int, typer.Option("--replay", help="Send this one again.")] = 0,
    as_json: Json = False,
) -> None:
    """Notices that were given up, with the cause; addresses are never shown."""
    from signing_service.people.notice_outbox import not_delivered, replay_notice

    with casework(ctx) as work:
        if replay:
            with work.database.write() as session:
                replay_notice(session, replay, work.clock.now())
        with work.database.read() as session:
            rows = [
                {"id": one.id, "kind": one.kind, "channel": one.channel, "tries": one.attempts, "cause": one.last_error}
                for one in not_delivered(session)
            ]
    print_rows(rows, as_json)
