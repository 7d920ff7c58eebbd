"""The tables of batches: the rows are the truth, a queue only wakes someone up (ADR 0024)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime
from signing_service.seals.holder_signature import SignedAuthorisation


class BatchState(StrEnum):
    """`open` takes more documents; `paused` waits until what `pause_code` names is over."""

    OPEN = "open"
    RUNNING = "running"
    PAUSED = "paused"


class ItemState(StrEnum):
    """`skipped` was never meant to be sealed: a hidden file, a folder, something that is no PDF."""

    PENDING = "pending"
    LEASED = "leased"
    SEALED = "sealed"
    REFUSED = "refused"
    SKIPPED = "skipped"


class SealBatch(Base):
    """One batch. `key` is its maker's name for it: the same key is the same batch. `folder` and `output` are paths on
    `machine`; empty where the documents lie in the blob store. `picture` is the seal's drawing as it was then,
    `asked` the SHA-256 of what an API client sent."""

    __tablename__ = "seal_batch"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    seal_id: Mapped[str] = mapped_column(ForeignKey("seal.id"), index=True)
    document_type: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(8))
    placing: Mapped[dict[str, Any]] = mapped_column(JSON)
    picture: Mapped[dict[str, Any]] = mapped_column(JSON)
    owner_name: Mapped[str] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(128))
    approver: Mapped[str] = mapped_column(String(128), default="")
    department: Mapped[str] = mapped_column(String(64), default="", index=True)
    purpose: Mapped[str] = mapped_column(String(200), default="")
    asked: Mapped[str] = mapped_column(String(64), default="")
    folder: Mapped[str] = mapped_column(String(1000), default="")
    output: Mapped[str] = mapped_column(String(1000), default="")
    authorisation: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    state: Mapped[BatchState] = mapped_column(String(16), index=True)
    pause_code: Mapped[str] = mapped_column(String(64), default="")
    pause_text: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def order_id(self) -> str:
        """The id of the standing order that covers it; empty where there is none."""
        return SignedAuthorisation.decode(self.authorisation).authorisation_id if self.authorisation else ""


class SealBatchList(Base):
    """The holder's authorisation over digests of a batch's prepared files, as its key signed it."""

    __tablename__ = "seal_batch_list"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("seal_batch.id"), index=True)
    encoded: Mapped[bytes] = mapped_column(LargeBinary)


class SealBatchItem(Base):
    """One document. `id` follows from batch, content and position, and is the name of its use in the book of uses.

    `source` is the SHA-256 of the file, `digest` that of the prepared file (empty until prepared), `result` that of the
    sealed one. `signed_at` is the claimed time and stays once the key may have been asked. `list_id` is the list that
    covers it. `attempts` are leases that did not end by themselves; `worker` has it in hand, or sealed it.
    """

    __tablename__ = "seal_batch_item"
    __table_args__ = (
        UniqueConstraint("batch_id", "name", "source"),
        Index("ix_seal_batch_item_work", "batch_id", "state", "position"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("seal_batch.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(1000))
    output: Mapped[str] = mapped_column(String(1000), default="")
    source: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[ItemState] = mapped_column(String(16))
    worker: Mapped[str] = mapped_column(String(96), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64), default="")
    list_id: Mapped[str] = mapped_column(String(32), default="")
    result: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(String(64), default="")
    reason_text: Mapped[list[str]] = mapped_column(JSON, default=list)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def reference(self) -> str:
        """Its name in the book of uses."""
        return f"batch:{self.id}"
