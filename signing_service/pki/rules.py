"""The certificate's states and moves, as data, and who may make which move. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from signing_service.errors import Text
from signing_service.pki.errors import PkiError


class State(StrEnum):
    """Where a certificate stands; `expired` is no state, time tells it."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    ISSUED = "issued"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


HELD = frozenset({State.ISSUED, State.SUSPENDED})
"""Answered as certificateHold: on the token but not yet taken over by its officer, or suspended."""
ENDED = frozenset({State.REVOKED, State.SUPERSEDED})

OPERATOR, APPROVER, SYSTEM = "pki_operator", "seal_administrator", "system"
"""Roles, as the people room grants them; `system` is a ceremony or a scheduled job. A second operator may approve."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: an officer or process id, the roles held now, the fingerprint of the certificate used to log in."""

    id: str
    roles: frozenset[str] = field(default_factory=frozenset)
    certificate: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of state. `owner_may`: the certificate's own officer needs no role; `second_person`: not the one
    who requested it; `needs_reason`: a sentence for the record."""

    name: str
    before: frozenset[State]
    after: State
    roles: frozenset[str]
    owner_may: bool = False
    second_person: bool = False
    needs_reason: bool = False


def _move(name: str, before: set[State], after: State, *roles: str, **more: bool) -> Move:
    return Move(name, frozenset(before), after, frozenset(roles), **more)


_LIVE = {State.ISSUED, State.ACTIVE, State.SUSPENDED}
MOVES: Mapping[str, Move] = {
    move.name: move
    for move in (
        _move("approve", {State.REQUESTED}, State.APPROVED, APPROVER, OPERATOR, second_person=True),
        _move("refuse", {State.REQUESTED, State.APPROVED}, State.REFUSED, APPROVER, OPERATOR, needs_reason=True),
        _move("issue", {State.APPROVED}, State.ISSUED, OPERATOR, SYSTEM),
        _move("activate", {State.ISSUED}, State.ACTIVE, SYSTEM, owner_may=True),
        _move("suspend", {State.ACTIVE}, State.SUSPENDED, OPERATOR, owner_may=True, needs_reason=True),
        _move("release", {State.SUSPENDED}, State.ACTIVE, APPROVER, OPERATOR, needs_reason=True),
        _move("revoke", _LIVE, State.REVOKED, OPERATOR, APPROVER, SYSTEM, owner_may=True, needs_reason=True),
        _move("supersede", {State.ACTIVE, State.SUSPENDED}, State.SUPERSEDED, OPERATOR, SYSTEM, needs_reason=True),
    )
}


class MoveNotAllowed(PkiError):
    """The certificate's state, or the person, does not allow this."""

    code = "move_not_allowed"

    def __init__(self, move: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"不能对该证书执行“{move}”。", f'"{move}" is not allowed on this certificate.'),
            why=Text(zh, en),
            advice=Text("请核对证书状态和办理人的角色。", "Check the certificate's state and the person's roles."),
        )


def decide(move: Move, state: State, actor: Actor, *, owner: str, requested_by: str, reason: str) -> State:
    """The state after the move. Raises MoveNotAllowed."""
    if state not in move.before:
        raise MoveNotAllowed(move.name, f"证书状态为 {state}。", f"Its state is {state}.")
    if not (actor.roles & move.roles or (move.owner_may and actor.id == owner)):
        wanted = ", ".join(sorted(move.roles))
        raise MoveNotAllowed(move.name, f"需要角色:{wanted}。", f"It needs one of the roles: {wanted}.")
    if move.second_person and actor.id in (requested_by, owner):
        raise MoveNotAllowed(
            move.name, "申请人和持有人不能自行批准。", "Neither the one who asked nor the holder may approve it."
        )
    if move.needs_reason and not reason.strip():
        raise MoveNotAllowed(move.name, "必须写明理由。", "A reason must be given.")
    return move.after
