"""`zhengyin licences`: the catalogue, one licence and its history, operations, who may issue, who may see.

`--as` names the officer in whose name a change is recorded. Whoever may run this on the server's own machine is trusted
to name himself; what he does stands in the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.licences_bulk import app as bulk
from hardware.errors import Language

if TYPE_CHECKING:
    from signing_service.kernel.database import Database

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

app.add_typer(bulk, name="bulk", help="A file of licences: validated as a whole, issued by the worker, resumable.")

Identifier = Annotated[str, typer.Argument(help="The licence's identifier (GB/T 36904).")]
Kind = Annotated[str, typer.Argument(help="Licence type: key or code, see `licences types`.")]
Department = Annotated[str, typer.Argument(help="The department's id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is recorded.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis, for the record.")]
Until = Annotated[str, typer.Option("--until", help="Last moment, ISO 8601 with offset. Empty: without end.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("types")
def types(ctx: typer.Context, json_output: Json = False) -> None:
    """The catalogue of licence types."""
    from cert_registry.licences.catalogue import Catalogue

    rows = [
        {"key": kind.key, "code": kind.code, "name": kind.name.in_(_language(ctx)), "definer": kind.definer.name}
        for kind in Catalogue.load()
    ]
    _print_rows(rows, json_output)


@app.command("check")
def check(identifier: Identifier) -> None:
    """Is this a well-formed identifier with the right check character? Needs no home."""
    from cert_registry.licences.identifiers import LicenceIdentifier

    read = LicenceIdentifier.parse(identifier)
    typer.echo(json.dumps({"identifier": str(read), "type": read.type_code, "issuer": read.issuer}))


@app.command("show")
def show(ctx: typer.Context, identifier: Identifier, json_output: Json = False) -> None:
    """One licence: metadata (GB/T 36903), how it stands now, its recorded operations. Persons' numbers stay masked."""
    from cert_registry.licences.catalogue import Catalogue
    from cert_registry.licences.identifiers import LicenceIdentifier
    from cert_registry.licences.metadata import elements
    from cert_registry.licences.register import by_identifier
    from cert_registry.licences.status_facts import standing_of
    from cert_registry.web.views import history_view

    language = _language(ctx)
    with _database(ctx) as database, database.read() as session:
        licence = by_identifier(session, LicenceIdentifier.parse(identifier))
        now = datetime.now(UTC)
        stands = standing_of(licence, now, now)
        found: dict[str, Any] = {
            "summary": stands.sentence.in_(language),
            "status": stands.status,
            "usable_now": stands.usable_now,
            "sha256": licence.digest,
            "metadata": elements(licence, Catalogue.load().get(licence.type_code)),
            "history": history_view(licence, language),
        }
    if json_output:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    typer.echo(found["summary"])
    _print_rows([{"name": name, "value": value} for name, value in found["metadata"].items() if value], False)
    keys = ("entry", "operation", "effective_from", "recorded_at", "reason", "legal_basis")
    _print_rows([{key: row[key] for key in keys} for row in found["history"]], False)


@app.command("validate")
def validate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, .xlsx or JSON lines.", exists=True, dir_okay=False, readable=True)],
    kind: Kind,
    json_output: Json = False,
) -> None:
    """Could every row of a bulk file be issued? Exit code 1 when not; nothing is kept."""
    from cert_registry.licences.bulk import validate as wrong_rows
    from cert_registry.licences.bulk_files import rows_of
    from cert_registry.licences.catalogue import Catalogue

    found, language = Catalogue.load().get(kind), _language(ctx)
    rows = [
        {"row": problem.row, "code": problem.error.code, "why": problem.error.explain(language)}
        for problem in wrong_rows(rows_of(file, found), found)
    ]
    _print_rows(rows, json_output)
    raise typer.Exit(1 if rows else 0)


@app.command("operate")
def operate(
    ctx: typer.Context,
    identifier: Identifier,
    operation: Annotated[str, typer.Argument(help="suspend, return, cancel, revoke, withdraw, forfeit, … or void.")],
    officer: As,
    department: Annotated[str, typer.Option(help="The department that decided.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    basis: Basis = "",
    effective_from: Annotated[str, typer.Option(help="ISO 8601 with offset. Empty: now.")] = "",
    voids: Annotated[int, typer.Option(help="With void: the entry to take back.")] = 0,
) -> None:
    """Record an operation on a licence."""
    from cert_registry.licences.drafts import Actor
    from cert_registry.licences.identifiers import LicenceIdentifier
    from cert_registry.licences.operations import Change, record

    now = datetime.now(UTC)
    change = Change(operation, _moment(effective_from) or now, reason, basis, voids or None)
    actor = Actor(f"officer:{officer}", department)
    with _database(ctx) as database, database.write() as session:
        state = record(session, LicenceIdentifier.parse(identifier), change, actor, now)
    typer.echo(state.text.in_(_language(ctx)))


@app.command("permit")
def permit(
    ctx: typer.Context,
    kind: Kind,
    issuer: Annotated[str, typer.Argument(help="The issuing body's code.")],
    officer: As,
    basis: Basis,
    until: Until = "",
) -> None:
    """Record that a body may issue a type."""
    from cert_registry.licences import issuers
    from cert_registry.licences.catalogue import Catalogue

    found = Catalogue.load().get(kind)
    with _database(ctx) as database, database.write() as session:
        issuers.permit(
            session,
            found,
            issuer,
            since=datetime.now(UTC),
            until=_moment(until),
            basis=basis,
            actor=f"officer:{officer}",
        )


@app.command("grant")
def grant(
    ctx: typer.Context,
    department: Department,
    kind: Annotated[str, typer.Argument(help="Licence type: key, code, or * for all.")],
    actions: Annotated[list[str], typer.Option("--action", help="verify, read, file, copy, search, events.")],
    matters: Annotated[list[str], typer.Option("--matter", help="Matter codes, or *.")],
    officer: As,
    basis: Basis,
    fields: Annotated[list[str] | None, typer.Option("--field", help="Fields that may be shown. None: all.")] = None,
    consent: Annotated[bool, typer.Option(help="Ask for the holder's consent code.")] = False,
    until: Until = "",
) -> None:
    """Let a department verify or read a type for a matter; prints the grant's id."""
    from cert_registry.licences.catalogue import Catalogue
    from cert_registry.sharing import grants
    from cert_registry.sharing.access import ANY, GRANTABLE, Action

    unknown = sorted(set(actions) - set(GRANTABLE))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(sorted(GRANTABLE))}")
    code = ANY if kind == ANY else Catalogue.load().get(kind).code
    with _database(ctx) as database, database.write() as session:
        made = grants.grant(
            session, department, code, [Action(action) for action in actions], matters=matters,
            fields=fields or [ANY], consent_needed=consent, since=datetime.now(UTC), until=_moment(until),
            basis=basis, actor=f"officer:{officer}",
        )  # fmt: skip
    typer.echo(made)


@app.command("withdraw")
def withdraw(
    ctx: typer.Context,
    grant_id: Annotated[str, typer.Argument(help="The grant's id.")],
    officer: As,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """End a grant now."""
    from cert_registry.sharing import grants

    with _database(ctx) as database, database.write() as session:
        grants.withdraw(session, grant_id, at=datetime.now(UTC), reason=reason, actor=f"officer:{officer}")


@app.command("grants")
def list_grants(ctx: typer.Context, department: Department, json_output: Json = False) -> None:
    """A department's grants, ended ones too."""
    from cert_registry.sharing.grants import grants_of

    with _database(ctx) as database, database.read() as session:
        now = datetime.now(UTC)
        rows = [
            {
                "id": one.id, "type": one.type_code, "actions": ",".join(sorted(one.actions)),
                "matters": ",".join(sorted(one.matters)), "active": one.holds_at(now),
            }
            for one in grants_of(session, department)
        ]  # fmt: skip
    _print_rows(rows, json_output)


@app.command("accesses")
def accesses(
    ctx: typer.Context,
    identifier: Identifier,
    refusals: Annotated[bool, typer.Option(help="Refused ones too, for the auditor.")] = False,
    json_output: Json = False,
) -> None:
    """Who verified or read a licence, the newest first."""
    from cert_registry.audit import accesses as views
    from cert_registry.licences.identifiers import LicenceIdentifier

    subject = str(LicenceIdentifier.parse(identifier))
    with _database(ctx) as database, database.read() as session:
        found, _more = views.accesses(session, subject, refusals=refusals, limit=200)
    rows = [
        {
            "at": row.at.isoformat(timespec="seconds"), "what": row.what.in_(_language(ctx)),
            "department": row.department, "purpose": row.purpose, "matter": row.matter, "result": row.result,
            "reason": row.reason,
        }
        for row in found
    ]  # fmt: skip
    _print_rows(rows, json_output)


@contextmanager
def _database(ctx: typer.Context) -> Iterator[Database]:
    from signing_service.kernel.database import Database
    from signing_service.settings import load_settings

    opened = Database(load_settings(ctx.obj.home).database_url)
    try:
        yield opened
    finally:
        opened.close()


def _language(ctx: typer.Context) -> Language:
    language: Language = ctx.obj.language
    return language


def _moment(text: str) -> datetime | None:
    """Raises a usage error unless the text is empty or an instant with its offset."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text}: not ISO 8601") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text}: name the offset, as in +08:00")
    return moment


def _print_rows(rows: list[dict[str, Any]], json_output: bool) -> None:
    """JSON, or columns parted by tabs under their names."""
    if json_output:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if rows:
        typer.echo("\t".join(rows[0]))
    for row in rows:
        typer.echo("\t".join(str(value) for value in row.values()))
