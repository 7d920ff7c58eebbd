"""Messages that leave with the transaction that caused them, and are handed on until their consumer has them.

The row is the truth; a queue may only wake the consumer up. Handlers must be idempotent: a crash between the
handler's own commit and ours hands the same message on again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, Database, UtcDateTime

Handler = Callable[[str, Mapping[str, Any]], None]


class OutboxMessage(Base):
    __tablename__ = "outbox_message"
    __table_args__ = (UniqueConstraint("topic", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(128))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(String(500), default="")


def publish(session: Session, topic: str, key: str, payload: Mapping[str, Any], at: datetime) -> None:
    """Put a message into the caller's transaction. One message for each (topic, key), for ever."""
    session.add(OutboxMessage(topic=topic, key=key, payload=dict(payload), created_at=at))


def deliver(database: Database, topic: str, handler: Handler, now: Callable[[], datetime]) -> int:
    """Hand every pending message of the topic to the handler, oldest first; returns how many were taken.

    A handler's error is kept on the row and the message stays pending; the others go on.
    """
    with database.read() as session:
        query = select(OutboxMessage).where(OutboxMessage.topic == topic, OutboxMessage.done_at.is_(None))
        pending = list(session.scalars(query.order_by(OutboxMessage.id)))
    return sum(_hand_over(database, message, handler, now) for message in pending)


def _hand_over(database: Database, message: OutboxMessage, handler: Handler, now: Callable[[], datetime]) -> bool:
    error = ""
    try:
        handler(message.key, message.payload)
    except Exception as failure:  # kept as evidence on the row, and tried again at the next delivery
        error = f"{type(failure).__name__}: {failure}"[:500]
    with database.write() as session:
        row = session.get_one(OutboxMessage, message.id)
        row.attempts += 1
        row.last_error = error
        row.done_at = None if error else now()
    return not error
