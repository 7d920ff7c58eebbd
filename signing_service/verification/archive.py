"""Our own archive: which kept file an uploaded one is, or begins.

A kept file is known by the digest of each of its revisions, so that an older copy of it finds the newer, whose later
timestamps then prove the older one's time too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, UtcDateTime

_END = re.compile(rb"%%EOF[ ]?(?:\r\n|\r|\n)?")


class KeptRevision(Base):
    """The file `kept` (SHA-256, hex) has a revision of `length` bytes whose SHA-256 is `digest`."""

    __tablename__ = "kept_revision"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kept: Mapped[str] = mapped_column(String(64), primary_key=True)
    length: Mapped[int]
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)


def index_kept(session: Session, content: bytes, at: datetime) -> str:
    """Put the file into the index by each of its revisions; the blob itself is the caller's to keep. Idempotent."""
    kept = hashlib.sha256(content).hexdigest()
    for length, digest in _revisions(content):
        if session.get(KeptRevision, (digest, kept)) is None:
            session.add(KeptRevision(digest=digest, kept=kept, length=length, kept_at=at))
    return kept


def kept_digest(session: Session, digest: str) -> str | None:
    """The kept file that a file with this digest equals or begins, the newest of several; None: none."""
    query = select(KeptRevision.kept).where(KeptRevision.digest == digest)
    return session.scalar(query.order_by(KeptRevision.kept_at.desc()).limit(1))


def _revisions(content: bytes) -> Iterator[tuple[int, str]]:
    """(length, digest) at every end mark, with and without the line end behind it, and of the whole."""
    ends = {place for match in _END.finditer(content) for place in (match.start() + 5, match.end())}
    running, done = hashlib.sha256(), 0
    for end in sorted({*ends, len(content)}):
        running.update(memoryview(content)[done:end])
        done = end
        yield end, running.copy().hexdigest()
