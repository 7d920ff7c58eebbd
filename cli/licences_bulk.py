"""`zhengyin licences bulk`: a file of licences, validated as a whole, then issued by the worker; resumable."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hardware.errors import Language, Text

if TYPE_CHECKING:
    from cli.registry_parts import RegistryDesk

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Job = Annotated[str, typer.Argument(help="The job's id, as `bulk start` printed it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SHOWN = 20


@app.command("start")
def start(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, .xlsx or JSON lines.", exists=True, dir_okay=False)],
    kind: Annotated[str, typer.Argument(help="Licence type: key or code, see `licences types`.")],
    issuer: Annotated[str, typer.Option(help="The issuing body's code.")],
    issuer_name: Annotated[str, typer.Option(help="The issuing body's name, as it stands on the licence.")],
    officer: Annotated[str, typer.Option("--as", help="Officer in whose name it is recorded.")],
    department: Annotated[str, typer.Option(help="The department that issues.")],
    issued_on: Annotated[str, typer.Option(help="Date on the licences, ISO 8601. Empty: today.")] = "",
    json_output: Json = False,
) -> None:
    """Validate the whole file: exit code 1 with a report by row, or the job's id. The worker issues."""
    from cert_registry.licences import bulk
    from cert_registry.licences.bulk_files import rows_of
    from cert_registry.licences.catalogue import Body
    from cert_registry.licences.drafts import Actor
    from cert_registry.licences.issuers import require_right
    from cli.slow_workers import wake_bulk

    desk = _desk(ctx)
    found, now = desk.catalogue.get(kind), desk.issuing.clock.now()
    with desk.issuing.database.read() as session:
        require_right(session, found, issuer, now)
    wrong = [
        {"row": problem.row, "code": problem.error.code, "why": problem.error.explain(_language(ctx))}
        for problem in bulk.validate(rows_of(file, found), found)
    ]
    if wrong:
        _print({"job": None, "problems": wrong}, json_output, [f"{row['row']}\t{row['why']}" for row in wrong])
        raise typer.Exit(1)
    body, actor = Body(issuer, issuer_name), Actor(f"officer:{officer}", department)
    day = date.fromisoformat(issued_on) if issued_on else now.date()
    with desk.issuing.database.write() as session:
        job = bulk.start(session, desk.vault, found, rows_of(file, found), body, day, actor, now)
    wake_bulk(ctx_settings(ctx))
    _print({"job": job, "problems": []}, json_output, [job])


@app.command("show")
def show(ctx: typer.Context, job: Job, json_output: Json = False) -> None:
    """How far a job is, why it paused, and which rows failed."""
    from cert_registry.licences import bulk

    desk = _desk(ctx)
    counted, failed = bulk.progress(desk.issuing, job), bulk.failures(desk.issuing, job)
    paused = bulk.paused_because(desk.issuing, job)
    found = {
        "job": job,
        **_counts(counted),
        "paused": paused,
        "failures": [{"row": n, "why": why} for n, why in failed],
    }
    lines = [_in_words(counted).in_(_language(ctx)), *([paused] if paused else [])]
    _print(found, json_output, [*lines, *(f"{number}\t{why}" for number, why in failed[:SHOWN])])


@app.command("run")
def run(
    ctx: typer.Context,
    job: Job,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try rows again that failed.")] = False,
    json_output: Json = False,
) -> None:
    """Issue here what still waits; Ctrl-C leaves the rest waiting. Exit code 1 if any row failed."""
    from cert_registry.licences import bulk

    desk, done = _desk(ctx), Counter[str]()

    def each() -> None:
        done["rows"] += 1
        if done["rows"] % 100 == 0:
            typer.echo(f"{done['rows']} …", err=True)

    counted = desk.bulk().run(job, retry_failed=retry_failed, each=each)
    paused = bulk.paused_because(desk.issuing, job)
    lines = [_in_words(counted).in_(_language(ctx)), *([paused] if paused else [])]
    _print({"job": job, **_counts(counted), "paused": paused}, json_output, lines)
    raise typer.Exit(1 if paused or counted[bulk.FAILED] else 0)


def ctx_settings(ctx: typer.Context) -> Any:
    from signing_service.settings import load_settings

    return load_settings(ctx.obj.home)


def _desk(ctx: typer.Context) -> RegistryDesk:
    """The registry of this home; custody must be running, since rows are sealed and licences signed."""
    from cli.registry_parts import RegistryDesk
    from cli.stage import http_timestamper, open_stage

    settings = ctx_settings(ctx)
    return RegistryDesk(open_stage(settings), http_timestamper(settings, settings.base_url))


def _counts(counted: Counter[str]) -> dict[str, int]:
    return {"waiting": counted["waiting"], "issued": counted["issued"], "failed": counted["failed"]}


def _in_words(counted: Counter[str]) -> Text:
    waiting, issued, failed = _counts(counted).values()
    return Text(
        f"待颁发 {waiting},已颁发 {issued},未成功 {failed}", f"{waiting} waiting, {issued} issued, {failed} failed"
    )


def _language(ctx: typer.Context) -> Language:
    language: Language = ctx.obj.language
    return language


def _print(found: dict[str, Any], json_output: bool, lines: list[str]) -> None:
    if json_output:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for line in lines:
        typer.echo(line)
