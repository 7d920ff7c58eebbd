"""`zhengyin seals`: applying for, making, filing, using, stopping electronic seals. Data on stdout, messages on stderr.

`--as` names the officer in whose name a change is recorded; the roles are those of the people register. `make` and
`thaw` work on custody's own machine alone: they write its policy and its ledger.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import home_settings, moment, print_rows
from cli.seals_apply import apply
from cli.seals_changes import add_changes
from cli.seals_orders import add_orders
from cli.seals_parts import (
    As,
    Basis,
    From,
    Json,
    Reason,
    Seal,
    SealUsage,
    actor_named,
    conditions_from,
    open_register,
    print_document,
    read_bytes,
    state_json,
)
from cli.seals_view import add_views
from signing_service.errors import Text

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
add_views(app)
app.command()(apply)


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
    replaces: Annotated[str, typer.Option(help="The seal whose place it is to take.")] = "",
    reason: Reason = "",
    basis: Basis = "",
    as_json: Json = False,
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
    with open_register(ctx) as register:
        people = PeopleRegister(register.database, register.clock, AuditLog())
        with register.database.read() as session:
            department = people.department(session, owner)
            owner_name, owner_code = department.name, department.code
        now = register.clock.now()
        design = SealDesign(name, shape, "star", bottom_line, code, diameter)  # type: ignore[arg-type]  # checked by apply
        if picture_file is not None:
            design = design_from_upload(read_bytes(picture_file), name, diameter)
        application = Application(
            seal, Kind(kind), owner_name, owner_code, owner, tuple(holder), design,
            now, now + timedelta(days=365 * years), conditions_from(conditions), replaces or None,
        )  # fmt: skip
        row = register.apply(application, actor_named(register, by), Why(reason, basis))
        print_document(state_json(row), as_json)


@app.command()
def make(ctx: typer.Context, seal: Seal, by: As, as_json: Json = False) -> None:
    """Generate the key in the token, certify it, draw and sign the seal (GB/T 38540), enter it in custody's policy."""
    from cli.seal_making import make_structure

    settings = home_settings(ctx)
    with open_register(ctx) as register:
        actor = actor_named(register, by)
        with register.database.read() as session:
            row = register.find(session, seal)
            session.expunge(row)
        register.require_move(row, "make", actor)
        structure = make_structure(settings, register, row)
        print_document(state_json(register.make(seal, structure, actor)), as_json)


def _move(name: str, summary: str) -> None:
    def command(
        ctx: typer.Context,
        seal: Seal,
        by: As,
        reason: Reason = "",
        basis: Basis = "",
        effective: From = "",
        as_json: Json = False,
    ) -> None:
        from cli.opened_home import open_custody
        from cli.seal_stops import SealStops
        from signing_service.seals.rules import Why

        settings = home_settings(ctx)
        with open_register(ctx) as register:
            why, actor = Why(reason, basis, moment(effective)), actor_named(register, by)
            row = SealStops(settings, register, open_custody(settings)).change(seal, name, actor, why)
            print_document(state_json(row), as_json)

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
    as_json: Json = False,
) -> None:
    """Stop all sealing, or one bureau's or one seal's, at once."""
    from cli.opened_home import open_custody

    if (scope != "all" and not scope.startswith(("bureau:", "seal:"))) or not reason:
        raise SealUsage(Text("范围为 all、bureau:编号 或 seal:编号,并写明 --reason。",
                             "The scope is all, bureau:ID or seal:ID, and --reason is needed."))  # fmt: skip
    open_custody(home_settings(ctx)).freeze(scope, actor=by, reason=reason)
    frozen(ctx, as_json)


@app.command()
def thaw(
    ctx: typer.Context,
    scope: Annotated[str, typer.Argument(help="all, bureau:ID, seal:ID, or register:ID of a resumed seal.")],
    by: As,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Lift a stop; only on custody's own machine and account."""
    from signing_service.custody.core import Custody

    custody = Custody(home_settings(ctx).custody)
    custody.thaw(scope, actor=by, reason=reason)
    custody.close()
    frozen(ctx, as_json)


@app.command()
def frozen(ctx: typer.Context, as_json: Json = False) -> None:
    """The stops that stand."""
    from cli.opened_home import open_custody

    stops = open_custody(home_settings(ctx)).frozen()
    print_rows([asdict(stop) | {"since": stop.since.isoformat()} for stop in stops], as_json)


add_changes(app)
add_orders(app)
