"""The book of uses: conditions checked and a use reserved in one step; the seal's state asked again at each later one.

reserved -> signed -> released, or voided (returns the count), or quarantined: the seal was stopped on the way, and
nothing leaves. What a crash left behind is found by `open_uses` and ended by `recovery`: voided where nothing was
signed, withheld (counted, but nothing left) where the key had signed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from signing_service.kernel.audit_log import Act
from signing_service.kernel.clock import in_words, local
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import Conditions, Counts, UseRequest, check_conditions
from signing_service.seals.errors import SealError, Text
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import STATE_NAMES, State, Status
from signing_service.seals.seal_tables import SealRow, SealUse


class UseState(StrEnum):
    RESERVED = "reserved"
    SIGNED = "signed"
    RELEASED = "released"
    QUARANTINED = "quarantined"
    VOIDED = "voided"
    WITHHELD = "withheld"


USE_NAMES = {
    UseState.RESERVED: Text("办理中", "in hand"),
    UseState.SIGNED: Text("已签名,待放行", "signed, not yet released"),
    UseState.RELEASED: Text("已盖章", "sealed"),
    UseState.QUARANTINED: Text("已扣下", "quarantined"),
    UseState.VOIDED: Text("未成,次数退回", "came to nothing; its count was given back"),
    UseState.WITHHELD: Text("已扣下作废,计入次数", "withheld; it counts"),
}
GIVEN_UP = (UseState.VOIDED, UseState.WITHHELD)
OPEN = (UseState.RESERVED, UseState.SIGNED, UseState.QUARANTINED)


class SealNotUsable(SealError):
    code = "seal_not_usable"

    def __init__(self, seal_id: str, status: Status) -> None:
        name = STATE_NAMES[status.state]
        since_zh = f",自 {in_words(status.since)}" if status.since else ""
        super().__init__(
            Text(f"印章 {seal_id} 现在不能使用。", f"The seal {seal_id} cannot be used now."),
            why=Text(f"状态为“{name.zh}”{since_zh}。", f"Its state is “{name.en}”."),
            advice=Text("请联系印章管理员。", "Ask the seal administrator."),
        )


class UseAlreadyRequested(SealError):
    code = "seal_use_already_requested"

    def __init__(self, reference: str, state: str) -> None:
        super().__init__(
            Text(f"用印事项 {reference} 已经办理过。", f"The use {reference} was requested before."),
            why=Text(f"其状态为 {state}。", f"Its state is {state}."),
            advice=Text("请查看该次用印的结果,勿重复盖章。", "See what became of it; do not seal twice."),
        )


class UseStepNotAllowed(SealError):
    code = "seal_use_step_not_allowed"

    def __init__(self, state: str) -> None:
        super().__init__(
            Text("用印记录的状态不允许这一步。", "The use is in a state that does not allow this step."),
            why=Text(f"状态为 {state}。", f"Its state is {state}."),
            advice=Text("请重新申请用印。", "Ask for the seal again."),
        )


class UseBook:
    """Works on the register's database; each step locks the seal's row, so counts hold under any parallel use."""

    def __init__(self, register: SealRegister) -> None:
        self._register = register

    def reserve(self, seal_id: str, request: UseRequest, actor: Actor) -> int:
        """T1: state, conditions and count checked, the use written and logged; returns its number.

        Raises SealUnknown, SealNotUsable, ConditionNotMet, UseAlreadyRequested; a refusal is logged.
        """
        with self._register.logged("use", seal_id, actor) as session:
            row, now = self._register.find(session, seal_id, lock=True), self._register.clock.now()
            self._check_usable(session, row, now)
            self._check_new(session, seal_id, request.reference)
            check_conditions(Conditions.from_json(row.conditions), request, counts_of(session, seal_id, now), now)
            use = SealUse(
                seal_id=seal_id, reference=request.reference, document_type=request.document_type,
                digest=request.digest, state=UseState.RESERVED, actor=request.actor, approver=request.approver,
                authorisation=request.authorisation, day=local(now).date(), reserved_at=now,
            )  # fmt: skip
            session.add(use)
            session.flush()
            self._log(session, use, actor)
            return use.id

    def signed(self, number: int, actor: Actor) -> None:
        """The key has signed. Raises SealNotUsable where the seal was stopped meanwhile: the use is quarantined."""
        self._step(number, UseState.RESERVED, UseState.SIGNED, actor)

    def release(self, number: int, actor: Actor, result: str = "") -> None:
        """T2: the file may leave. `result`: its digest, where it is stored already, so that a crash after this loses
        nothing. Raises SealNotUsable where the seal was stopped meanwhile: the use is quarantined."""
        self._step(number, UseState.SIGNED, UseState.RELEASED, actor, result)

    def result_of(self, seal_id: str, reference: str) -> str:
        """The digest of the file that a released use of this reference gave; empty: none, or it was not stored."""
        query = select(SealUse.result).where(
            SealUse.seal_id == seal_id, SealUse.reference == reference, SealUse.state == UseState.RELEASED
        )
        with self._register.database.read() as session:
            return session.scalar(query) or ""

    def void(self, number: int, reason: str, actor: Actor) -> None:
        """The use came to nothing and its count is given back; only while nothing was signed, or from quarantine."""
        with self._register.database.write() as session:
            use = session.get_one(SealUse, number, with_for_update=True)
            if use.state not in (UseState.RESERVED, UseState.QUARANTINED):
                raise UseStepNotAllowed(use.state)
            self._end(session, use, UseState.VOIDED, reason, actor)

    def open_uses(self, before: datetime) -> list[SealUse]:
        """Uses reserved before an instant that neither ended nor left: what recovery has to resolve."""
        query = select(SealUse).where(SealUse.state.in_(OPEN), SealUse.reserved_at < before)
        return self._found(query)

    def resolve(self, number: int, *, signed: bool, actor: Actor) -> UseState:
        """End a use that was left open: withheld where the key signed, else voided. Nothing leaves either way.

        Raises UseStepNotAllowed for one that ended meanwhile.
        """
        with self._register.database.write() as session:
            use = session.get_one(SealUse, number)
            self._register.find(session, use.seal_id, lock=True)
            session.refresh(use)
            if use.state not in OPEN:
                raise UseStepNotAllowed(use.state)
            after = UseState.WITHHELD if signed or use.state == UseState.SIGNED else UseState.VOIDED
            self._end(session, use, after, f"left {use.state}; {use.reason}".rstrip("; "), actor)
        return after

    def uses(self, seal_id: str) -> list[SealUse]:
        """Every use of a seal, oldest first."""
        return self._found(select(SealUse).where(SealUse.seal_id == seal_id))

    def latest(self, seal_id: str, *, before: int = 0, most: int = 50) -> list[SealUse]:
        """A page of a seal's uses, newest first; `before` is the last number of the page before."""
        query = select(SealUse).where(SealUse.seal_id == seal_id).order_by(SealUse.id.desc()).limit(most)
        with self._register.database.read() as session:
            uses = list(session.scalars(query.where(SealUse.id < before) if before else query))
            session.expunge_all()
        return uses

    def used_under(self, authorisation: str) -> int:
        """How often an authorisation was used, by this book; custody's ledger is what counts."""
        query = select(func.count()).where(SealUse.authorisation == authorisation, SealUse.state != UseState.VOIDED)
        with self._register.database.read() as session:
            return session.scalar(query) or 0

    def _found(self, query: Select[SealUse]) -> list[SealUse]:
        """The rows as they are now, cut loose from the session."""
        with self._register.database.read() as session:
            uses = list(session.scalars(query.order_by(SealUse.id)))
            session.expunge_all()
        return uses

    def _step(self, number: int, before: UseState, after: UseState, actor: Actor, result: str = "") -> None:
        stopped: SealNotUsable | None = None
        with self._register.database.write() as session:
            use = session.get_one(SealUse, number)
            row = self._register.find(session, use.seal_id, lock=True)
            session.refresh(use)
            if use.state != before:
                raise UseStepNotAllowed(use.state)
            try:
                self._check_usable(session, row, self._register.clock.now())
            except SealNotUsable as refusal:
                stopped = refusal
                self._end(session, use, UseState.QUARANTINED, refusal.code, actor)
            else:
                use.result = result
                self._end(session, use, after, "", actor)
        if stopped is not None:
            raise stopped

    def _end(self, session: Session, use: SealUse, state: UseState, reason: str, actor: Actor) -> None:
        use.state, use.reason, use.ended_at = state, reason[:200], self._register.clock.now()
        self._log(session, use, actor)

    def _check_usable(self, session: Session, row: SealRow, now: datetime) -> None:
        status = self._register.status(session, row.id, now)
        if status.state is not State.ACTIVE:
            raise SealNotUsable(row.id, status)

    def _check_new(self, session: Session, seal_id: str, reference: str) -> None:
        """One use of a reference stands; one that came to nothing may be asked for again."""
        query = select(SealUse.state).where(
            SealUse.seal_id == seal_id, SealUse.reference == reference, SealUse.state.not_in(GIVEN_UP)
        )
        state = session.scalar(query)
        if state is not None:
            raise UseAlreadyRequested(reference, state)

    def _log(self, session: Session, use: SealUse, actor: Actor) -> None:
        self._register.audit.record(session, act_of(use, actor), self._register.clock.now())


def act_of(use: SealUse, actor: Actor) -> Act:
    """What is logged of a use in its present state."""
    details = {
        "use": use.id, "reference": use.reference, "document_type": use.document_type, "actor": use.actor,
        "approver": use.approver, "authorisation": use.authorisation, "reason": use.reason,
    }  # fmt: skip
    return Act(
        f"seal.use.{use.state}", actor.id, f"seal:{use.seal_id}", actor.department, actor.certificate, use.digest,
        details,
    )  # fmt: skip


def counts_of(session: Session, seal_id: str, now: datetime) -> Counts:
    """Uses so far that were not voided."""
    total = select(func.count()).where(SealUse.seal_id == seal_id, SealUse.state != UseState.VOIDED)
    today = total.where(SealUse.day == local(now).date())
    return Counts(session.scalar(today) or 0, session.scalar(total) or 0)
