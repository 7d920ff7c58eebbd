"""`zhengyin seals`: one seal in another's place, other conditions of use, succession of bodies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings, moment, print_rows
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
    state_json,
)
from signing_service.errors import Text

if TYPE_CHECKING:
    from signing_service.seals.seal_tables import SealConditionChange
    from signing_service.seals.succession import Step, SuccessionPlan

Number = Annotated[int, typer.Argument(help="The number that the draft was given.")]
Old = Annotated[list[str], typer.Option("--old", help="A body that ends (department id); may be repeated.")]
New = Annotated[str, typer.Option("--new", help="The body that takes over (department id).")]
Pairs = Annotated[str, typer.Option("--pairs", help='JSON: each old seal and the new one in its place, or "".')]
Day = Annotated[str, typer.Option("--on", help="The day (ISO 8601, with zone).")]


def add_changes(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command("replace")(replace)
    conditions = typer.Typer(
        help="Other conditions of use: one administrator proposes, another decides.", no_args_is_help=True,
        rich_markup_mode=None,
    )  # fmt: skip
    conditions.command("propose")(propose)
    conditions.command("approve")(approve)
    conditions.command("refuse")(refuse)
    conditions.command("list")(changes)
    app.add_typer(conditions, name="conditions")
    succession = typer.Typer(
        help="Bodies renamed, merged or abolished: one dated event, reviewed by a second person.",
        no_args_is_help=True, rich_markup_mode=None,
    )  # fmt: skip
    succession.command("dry-run")(dry_run)
    succession.command("draft")(draft)
    succession.command("review")(review)
    succession.command("list")(successions)
    app.add_typer(succession, name="succession")


def replace(
    ctx: typer.Context,
    seal: Seal,
    new: Annotated[str, typer.Option("--with", help="The new seal, made and filed.")],
    by: As,
    reason: Reason = "",
    basis: Basis = "",
    effective: From = "",
    as_json: Json = False,
) -> None:
    """Put a new seal in an old one's place: the old one stops and the new one begins at the same instant."""
    from cli.opened_home import open_custody
    from cli.seal_stops import SealStops
    from signing_service.seals.replacement import replace_seal
    from signing_service.seals.rules import Why

    settings = home_settings(ctx)
    with open_register(ctx) as register:
        actor, why = actor_named(register, by), Why(reason, basis, moment(effective))
        both = replace_seal(register, seal, new, actor, why)
        stops = SealStops(settings, register, open_custody(settings))
        stops.follow(seal, actor, reason)
        stops.follow(new, actor, reason)
    print_rows([state_json(row) for row in both], as_json)


# --- conditions ------------------------------------------------------------------------------------------------


def propose(
    ctx: typer.Context,
    seal: Seal,
    conditions: Annotated[str, typer.Option(help='All of them, as JSON: {"per_day": 100}.')],
    by: As,
    reason: Reason = "",
    basis: Basis = "",
    as_json: Json = False,
) -> None:
    """Propose other conditions of use; they replace all that are in force."""
    from signing_service.seals.condition_changes import ConditionChanges
    from signing_service.seals.rules import Why

    with open_register(ctx) as register:
        number = ConditionChanges(register).propose(
            seal, conditions_from(conditions), actor_named(register, by), Why(reason, basis)
        )
    print_document({"change": number, "state": "proposed"}, as_json)


def approve(ctx: typer.Context, number: Number, by: As, as_json: Json = False) -> None:
    """Approve a change, as a second administrator: it holds from now on."""
    _decide(ctx, number, by, as_json, approved=True)


def refuse(ctx: typer.Context, number: Number, by: As, as_json: Json = False) -> None:
    """Refuse a change, as a second administrator."""
    _decide(ctx, number, by, as_json, approved=False)


def changes(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """Every change of a seal's conditions, the newest first."""
    from signing_service.seals.condition_changes import ConditionChanges

    with open_register(ctx) as register:
        rows = [_change_json(change) for change in ConditionChanges(register).of_seal(seal)]
    print_rows(rows, as_json)


def _decide(ctx: typer.Context, number: int, by: str, as_json: bool, *, approved: bool) -> None:
    from signing_service.seals.condition_changes import ConditionChanges

    with open_register(ctx) as register:
        change = ConditionChanges(register).decide(number, actor_named(register, by), approve=approved)
    print_document(_change_json(change), as_json)


def _change_json(change: SealConditionChange) -> dict[str, Any]:
    return {
        "change": change.id, "seal": change.seal_id, "state": change.state, "proposed_by": change.proposed_by,
        "decided_by": change.decided_by, "reason": change.reason, "basis": change.legal_basis,
        "conditions": change.conditions, "proposed_at": change.proposed_at.isoformat(),
    }  # fmt: skip


# --- succession ------------------------------------------------------------------------------------------------


def dry_run(
    ctx: typer.Context, old: Old, new: New, pairs: Pairs, day: Day, basis: Basis = "", as_json: Json = False
) -> None:
    """What would move on the day; nothing is changed."""
    from signing_service.seals.succession import SuccessionBook

    with open_register(ctx) as register:
        steps = SuccessionBook(register).dry_run(_plan(old, new, pairs, day, basis))
    print_rows(_steps_json(steps), as_json)


def draft(
    ctx: typer.Context, old: Old, new: New, pairs: Pairs, day: Day, by: As, basis: Basis = "", as_json: Json = False
) -> None:
    """Keep a list that passes its dry run; another administrator reviews it."""
    from signing_service.seals.succession import SuccessionBook

    with open_register(ctx) as register:
        number = SuccessionBook(register).draft(_plan(old, new, pairs, day, basis), actor_named(register, by))
    print_document({"succession": number, "state": "drafted"}, as_json)


def review(ctx: typer.Context, number: Number, by: As, as_json: Json = False) -> None:
    """Agree to exactly this list, as a second administrator; the worker carries it out on the day."""
    from signing_service.seals.succession import SuccessionBook

    with open_register(ctx) as register:
        book = SuccessionBook(register)
        book.review(number, actor_named(register, by))
        steps = _steps_json(book.steps(number))
    print_document({"succession": number, "state": "reviewed", "steps": steps}, as_json)


def successions(ctx: typer.Context, as_json: Json = False) -> None:
    """Every event, the newest first, with its state and why it is blocked."""
    from signing_service.seals.succession import SuccessionBook

    with open_register(ctx) as register:
        rows = [
            {"succession": row.id, "state": row.state, "effective_from": row.effective_from.isoformat(),
             "old": row.old_departments, "new": row.new_department, "basis": row.legal_basis, "problem": row.problem,
             "pairs": row.pairs, "drafted_by": row.drafted_by, "reviewed_by": row.reviewed_by}
            for row in SuccessionBook(register).all()
        ]  # fmt: skip
    print_rows(rows, as_json)


def _plan(old: Sequence[str], new: str, pairs: str, day: str, basis: str) -> SuccessionPlan:
    from signing_service.seals.succession import SuccessionPlan

    when = moment(day)
    try:
        listed = json.loads(pairs)
    except ValueError:
        listed = None
    if not isinstance(listed, dict) or not all(isinstance(value, str) for value in listed.values()) or when is None:
        raise SealUsage(
            Text("--pairs 应为 JSON 对象,--on 应为日期时间。", "--pairs is a JSON object and --on a date and time."),
            advice=Text('例如 --pairs \'{"old-seal": "new-seal", "other": ""}\'。',
                        'For example --pairs \'{"old-seal": "new-seal", "other": ""}\'.'),
        )  # fmt: skip
    return SuccessionPlan(tuple(old), new, basis, when, listed)


def _steps_json(steps: Sequence[Step]) -> list[dict[str, str]]:
    return [{"move": step.move, "seal": step.seal_id, "instead": step.instead, "name": step.name} for step in steps]
