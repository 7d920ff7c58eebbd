"""`zhengyin seals`: applying for, making, filing, using, stopping electronic seals. Data on stdout, messages on stderr.

`--as` names the officer in whose name a change is recorded; the roles are those of the people register. `make` and
`thaw` work on custody's own machine alone: they write its policy and its ledger.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings, moment, print_rows
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.pki.rules import Actor
    from signing_service.seals.register import SealRegister
    from signing_service.seals.rules import Status
    from signing_service.seals.seal_tables import SealRow

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Seal = Annotated[str, typer.Argument(metavar="SEAL", help="The seal's id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done; needs the role.")]
Reason = Annotated[str, typer.Option("--reason", help="A sentence for the record.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis or filing number.")]
From = Annotated[str, typer.Option("--from", help="When it takes effect (ISO 8601); default: now.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class SealUsage(SigningServiceError):
    """An option that cannot be followed."""

    code = "seal_usage"


# --- seeing ----------------------------------------------------------------------------------------------------


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """All seals and their state now."""
    with _register(ctx) as register, register.database.read() as session:
        now = register.clock.now()
        rows = [_row(row, register.status(session, row.id, now)) for row in register.all(session)]
    print_rows(rows, as_json)


@app.command()
def show(
    ctx: typer.Context, seal: Seal, at: Annotated[str, typer.Option(help="State at this time (ISO 8601).")] = ""
) -> None:
    """One seal, its state at a time and its history, as JSON."""
    with _register(ctx) as register, register.database.read() as session:
        row = register.find(session, seal)
        when = moment(at) or register.clock.now()
        history = [
            {"move": c.move, "state": c.after, "by": c.actor, "reason": c.reason, "basis": c.legal_basis,
             "effective_from": c.effective_from.isoformat(), "recorded_at": c.recorded_at.isoformat()}
            for c in register.history(session, seal)
        ]  # fmt: skip
        document = _row(row, register.status(session, seal, when)) | {
            "at": when.isoformat(), "holders": row.holders, "conditions": row.conditions, "design": row.design,
            "certificate": hashlib.sha256(row.certificate).hexdigest() if row.certificate else None,
            "history": history,
        }  # fmt: skip
    _print(document)


@app.command()
def uses(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """Every use of a seal, oldest first."""
    from signing_service.seals.use_book import UseBook

    with _register(ctx) as register:
        rows = [
            {"use": use.id, "reserved_at": use.reserved_at.isoformat(), "state": use.state, "type": use.document_type,
             "reference": use.reference, "actor": use.actor, "digest": use.digest, "approver": use.approver,
             "authorisation": use.authorisation, "reason": use.reason}
            for use in UseBook(register).uses(seal)
        ]  # fmt: skip
    print_rows(rows, as_json)


@app.command()
def ledger(ctx: typer.Context, seal: Seal) -> None:
    """What custody's own ledger says of a seal: every use, by whose authorisation, emergency use included."""
    from cli.opened_home import open_custody

    found = open_custody(home_settings(ctx)).uses(seal)
    _print([{"at": each.at.isoformat(), "completed": each.completed, **asdict(each.use)} for each in found])


@app.command()
def read(file: Annotated[Path, typer.Argument(help="A seal as data (.esl): GM/T 0031 or GB/T 38540.")]) -> None:
    """What a seal file says, as JSON: version, name, validity, picture, maker's algorithm and signature."""
    from signing_service.seals.structures import read_seal

    seal = read_seal(_bytes(file))
    try:
        seal.check_maker_signature()
        maker = "intact"
    except SigningServiceError as refusal:
        maker = refusal.code
    _print(
        {
            "version": seal.version, "vendor": seal.vendor, "id": seal.es_id, "name": seal.name, "kind": seal.kind,
            "valid_from": seal.valid_from.isoformat(), "valid_until": seal.valid_until.isoformat(),
            "picture": {"type": seal.picture_type, "width_mm": seal.width_mm, "height_mm": seal.height_mm},
            "certificates": [hashlib.sha256(each).hexdigest() for each in seal.certificates],
            "maker_algorithm": seal.algorithm, "maker_signature": maker,
        }
    )  # fmt: skip


@app.command()
def picture(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", help="Ends in .png or .svg.")],
    seal: Annotated[str, typer.Option(help="A seal of this home; or give --name.")] = "",
    name: Annotated[str, typer.Option(help="Draw a design that is not registered.")] = "",
    bottom_line: Annotated[str, typer.Option(help="Line below the star, such as 审批专用章.")] = "",
    code: Annotated[str, typer.Option(help="Code along the lower arc.")] = "",
    shape: Annotated[str, typer.Option(help="round, oval or square.")] = "round",
    diameter: Annotated[float, typer.Option(help="Millimetres.")] = 42.0,
    dpi: Annotated[int, typer.Option(help="Of a PNG.")] = 600,
) -> None:
    """Draw a seal's picture at true size, transparent."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.seals.picture import SealDesign, seal_png, seal_svg

    design = SealDesign(name, shape, "star", bottom_line, code, diameter)  # type: ignore[arg-type]  # checked when drawn
    if seal:
        with _register(ctx) as register, register.database.read() as session:
            design = SealDesign(**register.find(session, seal).design)
    if output.suffix not in (".png", ".svg"):
        raise SealUsage(Text("图样只能存为 .png 或 .svg。", "A picture is saved as .png or .svg."))
    content = seal_png(design, dpi=dpi) if output.suffix == ".png" else seal_svg(design).encode()
    write_atomically(output, content, mode=0o644)
    typer.echo(str(output))


# --- the life of a seal ----------------------------------------------------------------------------------------


@app.command()
def request(
    ctx: typer.Context,
    seal: Seal,
    name: Annotated[str, typer.Option(help="The name on the seal.")],
    owner: Annotated[str, typer.Option(help="Department that owns it (id).")],
    holder: Annotated[list[str], typer.Option(help="Officer whose USB key authorises; may be repeated.")],
    by: As,
    kind: Annotated[str, typer.Option(help="statutory, special, personal, simulation, straddle.")] = "statutory",
    shape: Annotated[str, typer.Option(help="round, oval or square.")] = "round",
    bottom_line: Annotated[str, typer.Option(help="Line below the star.")] = "",
    code: Annotated[str, typer.Option(help="Code along the lower arc.")] = "",
    diameter: Annotated[float, typer.Option(help="Millimetres.")] = 42.0,
    picture_file: Annotated[Path | None, typer.Option("--picture", help="A scan or SVG instead of a drawing.")] = None,
    years: Annotated[int, typer.Option(help="Validity.")] = 3,
    conditions: Annotated[str, typer.Option(help='JSON, such as {"per_day": 100, "document_types": ["批复"]}.')] = "{}",
    reason: Reason = "",
    basis: Basis = "",
) -> None:
    """Apply for a seal; a second administrator approves."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister
    from signing_service.seals.picture import SealDesign
    from signing_service.seals.register import Application
    from signing_service.seals.rules import Kind, Why
    from signing_service.seals.uploaded import design_from_upload

    if kind not in list(Kind):
        raise SealUsage(Text(f"没有印章类型“{kind}”。", f"There is no kind “{kind}”."))
    with _register(ctx) as register:
        people = PeopleRegister(register.database, register.clock, AuditLog())
        with register.database.read() as session:
            department = people.department(session, owner)
            owner_name, owner_code = department.name, department.code
        now = register.clock.now()
        design = SealDesign(name, shape, "star", bottom_line, code, diameter)  # type: ignore[arg-type]  # checked by apply
        if picture_file is not None:
            design = design_from_upload(_bytes(picture_file), name, diameter)
        application = Application(
            seal, Kind(kind), owner_name, owner_code, owner, tuple(holder), design,
            now, now + timedelta(days=365 * years), _conditions(conditions),
        )  # fmt: skip
        row = register.apply(application, _actor(register, by), Why(reason, basis))
        _print(_state(row))


@app.command()
def make(ctx: typer.Context, seal: Seal, by: As) -> None:
    """Generate the key in the token, certify it, draw and sign the seal (GB/T 38540), enter it in custody's policy."""
    from cli.seal_making import make_structure

    settings = home_settings(ctx)
    with _register(ctx) as register:
        actor = _actor(register, by)
        with register.database.read() as session:
            row = register.find(session, seal)
            session.expunge(row)
        register.require_move(row, "make", actor)
        structure = make_structure(settings, register, row)
        _print(_state(register.make(seal, structure, actor)))


def _move(name: str, summary: str) -> None:
    def command(
        ctx: typer.Context, seal: Seal, by: As, reason: Reason = "", basis: Basis = "", effective: From = ""
    ) -> None:
        from signing_service.seals.rules import Why

        with _register(ctx) as register:
            why = Why(reason, basis, moment(effective))
            _print(_state(register.change(seal, name, _actor(register, by), why)))

    command.__doc__ = summary
    app.command(name)(command)


for _name, _summary in (
    ("approve", "Approve an application, as a second administrator."),
    ("refuse", "Refuse an application, with the reason."),
    ("file", "Record the filing (备案); --basis is its number."),
    ("activate", "Put a filed seal into use."),
    ("suspend", "Stop a seal for a time; its holder may do it too."),
    ("resume", "Put a suspended seal into use again."),
    ("cancel", "Cancel a seal: rename, dissolution, merger, key compromise, other."),
    ("void", "Mark a seal as wrongly made: void from the start."),
):
    _move(_name, _summary)


# --- the stop switch -------------------------------------------------------------------------------------------


@app.command()
def freeze(
    ctx: typer.Context,
    scope: Annotated[str, typer.Argument(help="all, bureau:ID or seal:ID.")],
    by: As,
    reason: Reason = "",
) -> None:
    """Stop all sealing, or one bureau's or one seal's, at once."""
    from cli.opened_home import open_custody

    if (scope != "all" and not scope.startswith(("bureau:", "seal:"))) or not reason:
        raise SealUsage(Text("范围为 all、bureau:编号 或 seal:编号,并写明 --reason。",
                             "The scope is all, bureau:ID or seal:ID, and --reason is needed."))  # fmt: skip
    open_custody(home_settings(ctx)).freeze(scope, actor=by, reason=reason)
    frozen(ctx)


@app.command()
def thaw(ctx: typer.Context, scope: str, by: As, reason: Reason = "") -> None:
    """Lift a stop; only on custody's own machine and account."""
    from signing_service.custody.core import Custody

    custody = Custody(home_settings(ctx).custody)
    custody.thaw(scope, actor=by, reason=reason)
    custody.close()
    frozen(ctx)


@app.command()
def frozen(ctx: typer.Context) -> None:
    """The stops that stand, as JSON."""
    from cli.opened_home import open_custody

    stops = open_custody(home_settings(ctx)).frozen()
    _print([asdict(stop) | {"since": stop.since.isoformat()} for stop in stops])


# --- parts -----------------------------------------------------------------------------------------------------


@contextmanager
def _register(ctx: typer.Context) -> Iterator[SealRegister]:
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database
    from signing_service.seals.register import SealRegister

    database = Database(home_settings(ctx).database_url)
    try:
        yield SealRegister(database, SystemClock(), AuditLog())
    finally:
        database.close()


def _actor(register: SealRegister, officer: str) -> Actor:
    """The officer with the roles held now."""
    from signing_service.people.register import PeopleRegister
    from signing_service.pki.rules import Actor

    people = PeopleRegister(register.database, register.clock, register.audit)
    with register.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, roles, department=known.department_id)


def _conditions(text: str) -> Any:
    from signing_service.seals.conditions import Conditions

    try:
        return Conditions.from_json(json.loads(text))
    except (ValueError, TypeError, AttributeError) as failure:
        raise SealUsage(
            Text("--conditions 不是可用的使用条件。", "--conditions are no conditions of use."),
            why=Text(f"原因:{failure}。", f"Cause: {failure}."),
        ) from failure


def _row(row: SealRow, status: Status) -> dict[str, Any]:
    return {
        "id": row.id, "state": status.state, "name": row.name, "kind": row.kind, "owner": row.owner_name,
        "valid_until": row.valid_until.isoformat(), "owner_code": row.owner_code, "department": row.department,
        "since": status.since.isoformat() if status.since else None, "reason": status.reason,
    }  # fmt: skip


def _state(row: SealRow) -> dict[str, str]:
    return {"id": row.id, "state": row.state}


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as failure:
        raise SealUsage(
            Text(f"无法读取 {file}:{failure.strerror}。", f"{file} cannot be read: {failure.strerror}.")
        ) from failure


def _print(document: Any) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
