"""Succession of bodies (更名、合并、撤销): one dated event with its basis; what moves is reviewed before it does.

drafted -> reviewed by a second person -> effective on the day, when a job calls `carry_out_due`: old seals stop and new
ones, made and filed beforehand, become active at that instant, all in one transaction. Where the list no longer fits on
the day, the event is blocked with the reason until a second person has reviewed it again; other events go on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.audit_log import Act
from signing_service.kernel.database import Base, UtcDateTime
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.seals.errors import SealError, Text
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import ADMINISTRATOR, State, Why
from signing_service.seals.seal_tables import SealRow

_LOG = logging.getLogger(__name__)
STANDING = (State.APPROVED, State.MADE, State.FILED, State.ACTIVE, State.SUSPENDED)


JOB = Actor("succession", frozenset({SYSTEM}))


class SuccessionState(StrEnum):
    DRAFTED = "drafted"
    REVIEWED = "reviewed"
    EFFECTIVE = "effective"
    BLOCKED = "blocked"


SUCCESSION_NAMES: Mapping[SuccessionState, Text] = {
    SuccessionState.DRAFTED: Text("待复核", "to be reviewed"),
    SuccessionState.REVIEWED: Text("已复核,待生效", "reviewed, waiting for the day"),
    SuccessionState.EFFECTIVE: Text("已生效", "effective"),
    SuccessionState.BLOCKED: Text("到日未能生效,须重新复核", "could not be carried out; review it again"),
}


class SuccessionRow(Base):
    """One event. `pairs` maps each old seal to the new one in its place, or to an empty text; `problem` says why it
    is blocked."""

    __tablename__ = "seal_succession"

    id: Mapped[int] = mapped_column(primary_key=True)
    old_departments: Mapped[list[str]] = mapped_column(JSON)
    new_department: Mapped[str] = mapped_column(String(64))
    legal_basis: Mapped[str] = mapped_column(String(200))
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)
    pairs: Mapped[dict[str, str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    drafted_by: Mapped[str] = mapped_column(String(128))
    reviewed_by: Mapped[str] = mapped_column(String(128), default="")
    problem: Mapped[str] = mapped_column(String(500), default="", server_default="")


class SuccessionRefused(SealError):
    code = "seal_succession_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("机构承接事项不能这样办理。", "This succession cannot be carried out."),
            why=Text(zh, en),
            advice=Text("请修改承接清单后重新试算。", "Correct the list and make another dry run."),
        )


@dataclass(frozen=True, slots=True)
class SuccessionPlan:
    """Old bodies, the new body, the day, its basis, and for each old seal the new one (empty: none)."""

    old_departments: tuple[str, ...]
    new_department: str
    legal_basis: str
    effective_from: datetime
    pairs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """What will happen to one seal."""

    seal_id: str
    name: str
    move: str
    instead: str = ""


class SuccessionBook:
    def __init__(self, register: SealRegister) -> None:
        self._register = register

    def dry_run(self, plan: SuccessionPlan) -> Sequence[Step]:
        """What would move, nothing changed. Raises SuccessionRefused for a list that is not complete."""
        with self._register.database.read() as session:
            return self._steps(session, plan)

    def draft(self, plan: SuccessionPlan, actor: Actor) -> int:
        """Keep a plan that passes its dry run; returns its number."""
        with self._register.logged("succession.draft", plan.new_department, actor) as session:
            _require_administrator(actor)
            if plan.effective_from < self._register.clock.now():
                raise SuccessionRefused("生效时间已过。", "The day has passed.")
            steps = self._steps(session, plan)
            row = SuccessionRow(
                old_departments=list(plan.old_departments), new_department=plan.new_department,
                legal_basis=plan.legal_basis, effective_from=plan.effective_from, pairs=dict(plan.pairs),
                state=SuccessionState.DRAFTED, drafted_by=actor.id,
            )  # fmt: skip
            session.add(row)
            session.flush()
            self._log(session, "draft", row, actor, steps)
            return row.id

    def review(self, number: int, actor: Actor) -> None:
        """A second administrator agrees to exactly this list, as it is now; a blocked event is tried again."""
        with self._register.logged("succession.review", str(number), actor) as session:
            _require_administrator(actor)
            row = _found(session, number)
            open_ = row.state in (SuccessionState.DRAFTED, SuccessionState.BLOCKED)
            if not open_ or row.drafted_by == actor.id:
                raise SuccessionRefused("须由另一名管理员复核。", "Another administrator must review it, once.")
            steps = self._steps(session, _plan(row))
            row.state, row.reviewed_by, row.problem = SuccessionState.REVIEWED, actor.id, ""
            self._log(session, "review", row, actor, steps)

    def all(self) -> list[SuccessionRow]:
        """Every event, the newest first."""
        with self._register.database.read() as session:
            return list(session.scalars(select(SuccessionRow).order_by(SuccessionRow.id.desc())))

    def steps(self, number: int) -> Sequence[Step]:
        """What an event that was drafted would do, as of now. Raises SuccessionRefused."""
        with self._register.database.read() as session:
            return self._steps(session, _plan(_found(session, number)))

    def carry_out_due(self) -> int:
        """Carry out every reviewed event whose day has come; returns how many. Idempotent."""
        query = select(SuccessionRow.id).where(
            SuccessionRow.state == SuccessionState.REVIEWED,
            SuccessionRow.effective_from <= self._register.clock.now(),
        )
        with self._register.database.read() as session:
            due = list(session.scalars(query))
        return sum(self._carried_out(number) for number in due)

    def _carried_out(self, number: int) -> bool:
        try:
            return self._carry_out(number)
        except SealError as refusal:
            _LOG.error("succession %s cannot be carried out: %s", number, refusal.code)
            self._block(number, refusal)
            return False

    def _block(self, number: int, refusal: SealError) -> None:
        with self._register.database.write() as session:
            row = _found(session, number)
            if row.state == SuccessionState.REVIEWED:
                row.state, row.problem = SuccessionState.BLOCKED, refusal.explain("zh")[:500]
                self._log(session, "blocked", row, JOB, ())

    def _carry_out(self, number: int) -> bool:
        with self._register.logged("succession.carry_out", str(number), JOB) as session:
            row = _found(session, number)
            if row.state != SuccessionState.REVIEWED:
                return False
            steps = self._steps(session, _plan(row))
            why = Why(f"机构承接至 {row.new_department}", row.legal_basis, row.effective_from)
            for step in steps:
                seal = self._register.find(session, step.seal_id, lock=True)
                self._register.move(session, seal, step.move, JOB, why)
            row.state = SuccessionState.EFFECTIVE
            self._log(session, "effective", row, JOB, steps)
        return True

    def _steps(self, session: Session, plan: SuccessionPlan) -> list[Step]:
        if not plan.legal_basis.strip():
            raise SuccessionRefused("没有写明依据。", "The legal basis is missing.")
        standing = select(SealRow).where(SealRow.department.in_(plan.old_departments), SealRow.state.in_(STANDING))
        old = {row.id: row for row in session.scalars(standing)}
        if old.keys() != set(plan.pairs):
            listed = "、".join(sorted(old.keys() ^ set(plan.pairs)))
            raise SuccessionRefused(f"清单与在用印章不一致:{listed}。", f"The list and the seals differ: {listed}.")
        stops = [_stop(old[seal_id], new_id) for seal_id, new_id in sorted(plan.pairs.items())]
        return stops + [self._start(session, plan, new_id) for new_id in sorted(set(plan.pairs.values()) - {""})]

    def _start(self, session: Session, plan: SuccessionPlan, new_id: str) -> Step:
        new = self._register.find(session, new_id)
        if new.state != State.FILED or new.department != plan.new_department:
            raise SuccessionRefused(
                f"新印章 {new_id} 尚未制作备案,或不属于承接机构。",
                f"The new seal {new_id} is not made and filed, or is not the new body's.",
            )
        return Step(new.id, new.name, "activate")

    def _log(self, session: Session, name: str, row: SuccessionRow, actor: Actor, steps: Sequence[Step]) -> None:
        moves = [f"{step.move} {step.seal_id}" for step in steps]
        details = {"basis": row.legal_basis, "effective_from": row.effective_from.isoformat(), "moves": moves}
        subject = f"seal-succession:{row.id}"
        act = Act(f"seal.succession.{name}", actor.id, subject, row.new_department, actor.certificate, details=details)
        self._register.audit.record(session, act, self._register.clock.now())


def _found(session: Session, number: int) -> SuccessionRow:
    """The row, locked until the transaction ends."""
    row = session.get(SuccessionRow, number, with_for_update=True)
    if row is None:
        raise SuccessionRefused(f"没有第 {number} 号承接事项。", f"There is no succession {number}.")
    return row


def _stop(row: SealRow, new_id: str) -> Step:
    """A seal in use is replaced where another takes its place; every other one is cancelled."""
    replaced = new_id and row.state in (State.ACTIVE, State.SUSPENDED)
    return Step(row.id, row.name, "replace" if replaced else "cancel", new_id)


def _plan(row: SuccessionRow) -> SuccessionPlan:
    return SuccessionPlan(
        tuple(row.old_departments), row.new_department, row.legal_basis, row.effective_from, dict(row.pairs)
    )


def _require_administrator(actor: Actor) -> None:
    if ADMINISTRATOR not in actor.roles:
        raise SuccessionRefused("办理人不是印章管理员。", "The person is no seal administrator.")
