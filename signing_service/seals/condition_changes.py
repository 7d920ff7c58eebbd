"""Other conditions for a seal that exists: one administrator proposes, another decides.

Approved conditions hold for every use that is reserved afterwards; uses already reserved are not touched.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.audit_log import Act
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import Conditions
from signing_service.seals.errors import SealError, Text
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import ADMINISTRATOR, ENDED, STATE_NAMES, State, Why
from signing_service.seals.seal_tables import SealConditionChange, SealRow


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


CHANGE_NAMES = {
    ChangeState.PROPOSED: Text("待批准", "to be decided"),
    ChangeState.APPROVED: Text("已批准", "approved"),
    ChangeState.REFUSED: Text("不予批准", "refused"),
}


class ConditionChangeRefused(SealError):
    code = "seal_condition_change_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("使用条件没有变更。", "The conditions of use were not changed."),
            why=Text(zh, en),
            advice=Text("由一名印章管理员提出,另一名批准。", "One seal administrator proposes, another decides."),
        )


class ConditionChanges:
    """Works on the register's database; every step is logged."""

    def __init__(self, register: SealRegister) -> None:
        self._register = register

    def propose(self, seal_id: str, conditions: Conditions, actor: Actor, why: Why) -> int:
        """Returns the proposal's number. Raises SealUnknown, ConditionChangeRefused."""
        with self._register.logged("conditions.propose", seal_id, actor) as session:
            row = self._register.find(session, seal_id, lock=True)
            _check_proposal(session, row, conditions, actor, why)
            change = SealConditionChange(
                seal_id=seal_id, conditions=conditions.as_json(), reason=why.reason.strip(),
                legal_basis=why.legal_basis.strip()[:200], state=ChangeState.PROPOSED, proposed_by=actor.id,
                proposed_at=self._register.clock.now(),
            )  # fmt: skip
            session.add(change)
            session.flush()
            self._log(session, "propose", row, change, actor, row.conditions)
            return change.id

    def decide(self, number: int, actor: Actor, *, approve: bool) -> SealConditionChange:
        """The second person's word; approved conditions hold from this instant. Raises ConditionChangeRefused."""
        name = "approve" if approve else "refuse"
        with self._register.logged(f"conditions.{name}", f"change-{number}", actor) as session:
            change = session.get(SealConditionChange, number)
            if change is None:
                raise ConditionChangeRefused(f"没有第 {number} 号变更。", f"There is no change {number}.")
            row = self._register.find(session, change.seal_id, lock=True)
            session.refresh(change)
            _check_decision(change, row, actor)
            before = row.conditions
            if approve:
                row.conditions = change.conditions
            change.state = ChangeState.APPROVED if approve else ChangeState.REFUSED
            change.decided_by, change.decided_at = actor.id, self._register.clock.now()
            self._log(session, name, row, change, actor, before)
        return change

    def of_seal(self, seal_id: str) -> list[SealConditionChange]:
        """Every change of one seal's conditions, the newest first."""
        query = select(SealConditionChange).where(SealConditionChange.seal_id == seal_id)
        with self._register.database.read() as session:
            return list(session.scalars(query.order_by(SealConditionChange.id.desc())))

    def _log(
        self, session: Session, name: str, row: SealRow, change: SealConditionChange, actor: Actor, before: object
    ) -> None:
        details = {
            "change": change.id, "before": before, "after": change.conditions, "reason": change.reason[:500],
            "legal_basis": change.legal_basis, "proposed_by": change.proposed_by,
        }  # fmt: skip
        act = Act(
            f"seal.conditions.{name}", actor.id, f"seal:{row.id}", row.department, actor.certificate, details=details
        )
        self._register.audit.record(session, act, self._register.clock.now())


def _check_proposal(session: Session, row: SealRow, conditions: Conditions, actor: Actor, why: Why) -> None:
    _require_administrator(actor)
    _require_standing(row)
    if not why.reason.strip():
        raise ConditionChangeRefused("必须写明理由。", "A reason must be given.")
    if conditions.as_json() == Conditions.from_json(row.conditions).as_json():
        raise ConditionChangeRefused("与现行条件相同。", "They are the conditions in force.")
    open_ = select(SealConditionChange.id).where(
        SealConditionChange.seal_id == row.id, SealConditionChange.state == ChangeState.PROPOSED
    )
    if session.scalar(open_) is not None:
        raise ConditionChangeRefused("已有一项变更待批准。", "Another change waits to be decided.")


def _check_decision(change: SealConditionChange, row: SealRow, actor: Actor) -> None:
    _require_administrator(actor)
    _require_standing(row)
    if change.state != ChangeState.PROPOSED:
        raise ConditionChangeRefused("该变更已经办结。", "It was decided before.")
    if change.proposed_by == actor.id:
        raise ConditionChangeRefused("提出人不能自行批准。", "Whoever proposed it may not decide on it.")


def _require_administrator(actor: Actor) -> None:
    if ADMINISTRATOR not in actor.roles:
        raise ConditionChangeRefused("办理人不是印章管理员。", "The person is no seal administrator.")


def _require_standing(row: SealRow) -> None:
    if State(row.state) in ENDED:
        name = STATE_NAMES[State(row.state)]
        raise ConditionChangeRefused(f"印章状态为“{name.zh}”。", f"The seal's state is “{name.en}”.")
