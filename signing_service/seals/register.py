"""The seal register, application to cancellation: changes decided by `rules`, kept and logged in one transaction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import SigningServiceError
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people.social_credit_code import require_valid
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import Conditions
from signing_service.seals.errors import SealError, Text
from signing_service.seals.picture import SealDesign
from signing_service.seals.rules import (
    MOVES,
    SIMULATION_MARK,
    Change,
    Kind,
    State,
    Status,
    Why,
    decide,
    status_at,
)
from signing_service.seals.seal_tables import SealChange, SealRow
from signing_service.seals.structures import SealUnreadable, read_seal


class SealUnknown(SealError):
    code = "seal_unknown"

    def __init__(self, seal_id: str) -> None:
        super().__init__(
            Text(f"没有印章“{seal_id}”。", f"There is no seal “{seal_id}”."),
            advice=Text("请用 zhengyin seals list 查看。", "See which there are: zhengyin seals list."),
        )


class SealApplicationRefused(SealError):
    code = "seal_application_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("印章申请不完整或不符合规定。", "The application for a seal is incomplete or not allowed."),
            why=Text(zh, en),
            advice=Text("请修改后重新申请。", "Correct it and apply again."),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """What is applied for. `owner_code` is the owner's unified social credit code; `holders` are officers' ids."""

    id: str
    kind: Kind
    owner_name: str
    owner_code: str
    department: str
    holders: tuple[str, ...]
    design: SealDesign
    valid_from: datetime
    valid_until: datetime
    conditions: Conditions = field(default_factory=Conditions)
    replaces: str | None = None


class SealRegister:
    """Reads and changes the register. Methods that take a session join the caller's transaction."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self.database, self.clock, self.audit = database, clock, audit

    def apply(self, application: Application, actor: Actor, why: Why | None = None) -> SealRow:
        """A new seal in state `requested`. Raises SealApplicationRefused, SealDesignUnusable."""
        with self.logged("apply", application.id, actor) as session:
            self._check(session, application)
            row = SealRow(
                id=application.id, kind=application.kind, name=application.design.name,
                owner_name=application.owner_name, owner_code=application.owner_code,
                department=application.department, state=State.REQUESTED, applicant=actor.id,
                holders=list(application.holders), design=asdict(application.design),
                conditions=application.conditions.as_json(), valid_from=application.valid_from,
                valid_until=application.valid_until, replaces=application.replaces,
            )  # fmt: skip
            session.add(row)
            session.flush()
            self._log(session, row, "apply", "", actor, why or Why(), self.clock.now())
            return row

    def move(self, session: Session, row: SealRow, name: str, actor: Actor, why: Why | None = None) -> None:
        """Change the state within the caller's transaction. Raises SealMoveNotAllowed."""
        why, before = why or Why(), row.state
        after, effective = decide(
            MOVES[name], self.changes(session, row.id), actor, applicant=row.applicant, holders=row.holders, why=why,
            now=self.clock.now(),
        )  # fmt: skip
        row.state = after
        self._log(session, row, name, before, actor, why, effective)

    def change(self, seal_id: str, name: str, actor: Actor, why: Why | None = None) -> SealRow:
        """`move` in a transaction of its own; a refusal is logged after the rollback."""
        with self.logged(name, seal_id, actor) as session:
            row = self.find(session, seal_id, lock=True)
            self.move(session, row, name, actor, why)
            return row

    def make(self, seal_id: str, structure: bytes, actor: Actor, why: Why | None = None) -> SealRow:
        """Enter the finished seal (GB/T 38540) with its certificate. Raises SealUnreadable, SealMoveNotAllowed."""
        seal = read_seal(structure)
        with self.logged("make", seal_id, actor) as session:
            row = self.find(session, seal_id, lock=True)
            if (seal.es_id, seal.name) != (row.id, row.name) or len(seal.certificates) != 1:
                raise SealUnreadable("it is another seal's, or binds not exactly one certificate")
            row.structure, row.certificate = structure, seal.certificates[0]
            self.move(session, row, "make", actor, why)
            return row

    def require_move(self, row: SealRow, name: str, actor: Actor, why: Why | None = None) -> None:
        """Raises SealMoveNotAllowed now, before work is done that the move would only then refuse."""
        with self.logged(name, row.id, actor) as session:
            decide(
                MOVES[name], self.changes(session, row.id), actor, applicant=row.applicant, holders=row.holders,
                why=why or Why(), now=self.clock.now(),
            )  # fmt: skip

    def find(self, session: Session, seal_id: str, *, lock: bool = False) -> SealRow:
        """The row, locked until the transaction ends where asked (on SQLite every write session is). SealUnknown."""
        query = select(SealRow).where(SealRow.id == seal_id)
        row = session.scalar(query.with_for_update() if lock else query)
        if row is None:
            raise SealUnknown(seal_id)
        return row

    def all(self, session: Session) -> list[SealRow]:
        return list(session.scalars(select(SealRow).order_by(SealRow.id)))

    def history(self, session: Session, seal_id: str) -> list[SealChange]:
        """Every change, in the order of recording."""
        query = select(SealChange).where(SealChange.seal_id == seal_id).order_by(SealChange.id)
        return list(session.scalars(query))

    def changes(self, session: Session, seal_id: str) -> list[Change]:
        return [Change(State(c.after), c.effective_from, c.reason) for c in self.history(session, seal_id)]

    def status(self, session: Session, seal_id: str, at: datetime) -> Status:
        """The seal's state at an instant; anyone may ask. An unknown seal has the state `unknown`."""
        row = session.get(SealRow, seal_id)
        if row is None:
            return Status(State.UNKNOWN)
        return status_at(self.changes(session, seal_id), row.valid_from, row.valid_until, at)

    @contextmanager
    def logged(self, name: str, seal_id: str, actor: Actor) -> Iterator[Session]:
        """A write session whose refusal by a rule of this room is logged after the rollback."""
        try:
            with self.database.write() as session:
                yield session
        except SigningServiceError as refusal:
            act = Act(f"seal.{name}", actor.id, f"seal:{seal_id}", actor.department, actor.certificate)
            self.audit.refuse(self.database, act, self.clock.now(), refusal.code)
            raise

    def _check(self, session: Session, application: Application) -> None:
        application.design.check()
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", application.id):
            raise SealApplicationRefused(
                "编号只能用小写字母、数字和短横。", "An id has small letters, digits and hyphens."
            )
        if session.get(SealRow, application.id) is not None:
            raise SealApplicationRefused(f"编号 {application.id} 已被占用。", f"The id {application.id} is taken.")
        if not application.holders:
            raise SealApplicationRefused("没有写明持有人。", "No holder is named.")
        if application.valid_from >= application.valid_until:
            raise SealApplicationRefused("有效期的终点早于起点。", "It would end before it begins.")
        require_valid(application.owner_code)
        shown = application.design.name + application.design.bottom_line
        if (application.kind is Kind.SIMULATION) != (SIMULATION_MARK in shown):
            raise SealApplicationRefused(
                "模拟审批章须写明“模拟”,其他印章不得出现。", "A simulation seal shows 模拟, and no other seal does."
            )
        if application.replaces is not None:
            self.find(session, application.replaces)

    def _log(
        self, session: Session, row: SealRow, name: str, before: str, actor: Actor, why: Why, effective: datetime
    ) -> None:
        now = self.clock.now()
        session.add(
            SealChange(
                seal_id=row.id, move=name, before=before, after=row.state, actor=actor.id,
                actor_certificate=actor.certificate, reason=why.reason, legal_basis=why.legal_basis[:200],
                effective_from=effective, recorded_at=now,
            )
        )  # fmt: skip
        details = {
            "state": row.state, "reason": why.reason[:500], "legal_basis": why.legal_basis[:200],
            "effective_from": effective.isoformat(), "owner_code": row.owner_code,
        }  # fmt: skip
        act = Act(f"seal.{name}", actor.id, f"seal:{row.id}", row.department, actor.certificate, details=details)
        self.audit.record(session, act, now)
        session.flush()
