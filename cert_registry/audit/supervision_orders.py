"""督办单: what the auditor asks of a department, and cards that were wrong. He changes no other record.

opened (auditor) -> explained (the department) -> corrected (the department) -> closed 销号 (auditor); the auditor may
send an explanation or a correction back. Every move is a row that stays, and an entry of the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from cert_registry.errors import RegistryError, Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime

MOST_TEXT = 1000


class OrderState(StrEnum):
    OPENED = "opened"
    EXPLAINED = "explained"
    CORRECTED = "corrected"
    CLOSED = "closed"


STATE_NAMES: Mapping[OrderState, Text] = {
    OrderState.OPENED: Text("待说明", "to be explained"),
    OrderState.EXPLAINED: Text("已说明,待整改", "explained, to be corrected"),
    OrderState.CORRECTED: Text("已整改,待销号", "corrected, to be closed"),
    OrderState.CLOSED: Text("已销号", "closed"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """`by_auditor`: his move; else the department's that the order is addressed to."""

    words: Text
    before: frozenset[OrderState]
    after: OrderState
    by_auditor: bool


MOVES: Mapping[str, Move] = {
    "explain": Move(Text("说明情况", "explain"), frozenset({OrderState.OPENED}), OrderState.EXPLAINED, False),
    "correct": Move(Text("报告整改", "report the correction"), frozenset({OrderState.EXPLAINED}), OrderState.CORRECTED,
                    False),
    "return": Move(Text("退回重办", "send back"), frozenset({OrderState.EXPLAINED, OrderState.CORRECTED}),
                   OrderState.OPENED, True),
    "close": Move(Text("销号", "close"), frozenset({OrderState.CORRECTED}), OrderState.CLOSED, True),
}  # fmt: skip


class OrderRefused(RegistryError):
    code = "supervision_order_refused"

    def __init__(self, why: Text) -> None:
        advice = Text("请刷新页面查看最新状态。", "Load the page again to see how it stands.")
        super().__init__(Text("没有办理。", "Nothing was done."), why=why, advice=advice)


class OrderUnknown(RegistryError):
    code = "supervision_order_unknown"

    def __init__(self) -> None:
        super().__init__(Text("没有这份督办单。", "There is no such supervision order."))


class SupervisionOrder(Base):
    """`subject` as in the log (case:…, seal:…), `finding` the rule's or card's code."""

    __tablename__ = "supervision_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(192), index=True)
    shown: Mapped[str] = mapped_column(String(200))
    finding: Mapped[str] = mapped_column(String(64))
    department: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[OrderState] = mapped_column(String(16), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_by: Mapped[str] = mapped_column(String(128))

    remarks: Mapped[list[OrderRemark]] = relationship(order_by="OrderRemark.id", lazy="selectin")


class OrderRemark(Base):
    """One move with what was written; never changed."""

    __tablename__ = "supervision_remark"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("supervision_order.id"), index=True)
    move: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(String(MOST_TEXT))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(128))


class CancelledCard(Base):
    """A card that was wrong: shown no more, kept with its reason. `card` is yellow or red."""

    __tablename__ = "supervision_cancelled_card"

    case_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    card: Mapped[str] = mapped_column(String(16), primary_key=True)
    reason: Mapped[str] = mapped_column(String(MOST_TEXT))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(128))


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts, for which department."""

    id: str
    department: str
    is_auditor: bool


def next_state(state: OrderState, move: str, who: Person, department: str) -> OrderState:
    """Pure. Raises OrderRefused."""
    if move not in MOVES:
        raise OrderRefused(Text("没有这种办理。", "There is no such move."))
    wanted = MOVES[move]
    if wanted.by_auditor != who.is_auditor:
        raise OrderRefused(Text("这一步由另一方办理。", "This move is the other side's."))
    if not who.is_auditor and who.department != department:
        raise OrderRefused(Text("督办单发给另一个部门。", "The order is addressed to another department."))
    if state not in wanted.before:
        raise OrderRefused(Text(f"当前是“{STATE_NAMES[state].zh}”。", f"It is now: {STATE_NAMES[state].en}."))
    return wanted.after


class SupervisionBook:
    """The acts, each with its log entry in the same transaction."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self._database, self._clock, self._audit = database, clock, audit

    def open(self, who: Person, order: SupervisionOrder, text: str) -> int:
        """`order`: subject, shown, finding, department. Raises OrderRefused."""
        if not who.is_auditor:
            raise OrderRefused(Text("只有监察员可以发督办单。", "Only an auditor opens one."))
        written, now = _written(text), self._clock.now()
        with self._database.write() as session:
            order.state, order.opened_at, order.opened_by = OrderState.OPENED, now, who.id
            order.remarks = [OrderRemark(move="open", text=written, at=now, actor=who.id)]
            session.add(order)
            session.flush()
            self._log(session, "supervision.open", who, f"supervision:{order.id}", about=order.subject)
            return order.id

    def move(self, who: Person, order_id: int, move: str, text: str) -> OrderState:
        """Raises OrderUnknown, OrderRefused; a refusal is logged."""
        try:
            written = _written(text)
            with self._database.write() as session:
                order = session.scalar(
                    select(SupervisionOrder).where(SupervisionOrder.id == order_id).with_for_update()
                )
                if order is None:
                    raise OrderUnknown
                order.state = next_state(OrderState(order.state), move, who, order.department)
                remark = OrderRemark(order_id=order_id, move=move, text=written, at=self._clock.now(), actor=who.id)
                session.add(remark)
                self._log(session, f"supervision.{move}", who, f"supervision:{order_id}", state=order.state.value)
                return order.state
        except RegistryError as refusal:
            act = Act("supervision.move", who.id, f"supervision:{order_id}", who.department)
            self._audit.refuse(self._database, act, self._clock.now(), refusal.code)
            raise

    def cancel_card(self, who: Person, case_id: str, card: str, reason: str) -> None:
        """Raises OrderRefused."""
        if not who.is_auditor:
            raise OrderRefused(Text("只有监察员可以撤销亮牌。", "Only an auditor cancels a card."))
        written = _written(reason)
        with self._database.write() as session:
            if session.get(CancelledCard, (case_id, card)) is not None:
                raise OrderRefused(Text("这张牌已撤销。", "This card is cancelled already."))
            row = CancelledCard(case_id=case_id, card=card, reason=written, at=self._clock.now(), actor=who.id)
            session.add(row)
            self._log(session, "supervision.cancel_card", who, f"case:{case_id}", card=card, reason=written)

    def _log(self, session: Session, kind: str, who: Person, subject: str, **details: str) -> None:
        self._audit.record(session, Act(kind, who.id, subject, who.department, details=details), self._clock.now())


def orders(session: Session, *, department: str | None = None, state: str = "") -> Sequence[SupervisionOrder]:
    """The newest first; of one department, where it is given."""
    query = select(SupervisionOrder).order_by(SupervisionOrder.id.desc())
    if department is not None:
        query = query.where(SupervisionOrder.department == department)
    if state:
        query = query.where(SupervisionOrder.state == state)
    return session.scalars(query.limit(500)).all()


def cancelled_cards(session: Session) -> dict[tuple[str, str], CancelledCard]:
    return {(row.case_id, row.card): row for row in session.scalars(select(CancelledCard))}


def _written(text: str) -> str:
    written = text.strip()
    if not written or len(written) > MOST_TEXT:
        raise OrderRefused(Text(f"请写明内容(不超过 {MOST_TEXT} 字)。", f"Write why, in up to {MOST_TEXT} characters."))
    return written
