"""The tables of signature jobs and batches. Documents lie in the blob store, by digest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.agent.protocol import ListEntry, Spot
from signing_service.channel.rules import JobState
from signing_service.kernel.database import Base, UtcDateTime


class SignatureBatch(Base):
    """A frozen list of jobs of one officer, signed with one PIN. `code` is what page and agent both show."""

    __tablename__ = "channel_batch"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    officer: Mapped[str] = mapped_column(String(64), index=True)
    code: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class SignatureJob(Base):
    """One signature to be made by one officer's key.

    `reference` is the submitter's name for it. `prepared` is the JSON of the prepared signature, `document` the
    digest of its file, `original` that of the revision before. `chain` are certificates in base64. `failure` is the
    code of what refused it, `failure_text` its sentences in both languages.
    """

    __tablename__ = "channel_job"
    __table_args__ = (
        Index("ix_channel_job_officer_state", "officer", "state"),
        Index("ix_channel_job_reference", "reference"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    officer: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str] = mapped_column(String(128))
    title: Mapped[str] = mapped_column(String(300))
    asked_by: Mapped[str] = mapped_column(String(200))
    opinion: Mapped[str] = mapped_column(String(500), default="")
    state: Mapped[JobState] = mapped_column(String(16))
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("channel_batch.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    prepared: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(String(64))
    original: Mapped[str] = mapped_column(String(64))
    spot: Mapped[list[float] | None] = mapped_column(JSON)
    texts: Mapped[list[str]] = mapped_column(JSON)
    certificate: Mapped[bytes] = mapped_column(LargeBinary)
    chain: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    result: Mapped[str] = mapped_column(String(64), default="")
    failure: Mapped[str] = mapped_column(String(64), default="")
    failure_text: Mapped[list[str]] = mapped_column(JSON, default=list)

    @property
    def entry(self) -> ListEntry:
        return ListEntry(self.id, self.document)


def spot_to_row(spot: Spot | None) -> list[float] | None:
    return None if spot is None else [spot.page, *spot.edges]


def spot_from_row(row: list[float] | None) -> Spot | None:
    return None if row is None else Spot(int(row[0]), *row[1:])
