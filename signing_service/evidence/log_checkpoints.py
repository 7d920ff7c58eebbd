"""The log's own checkpoints: made from the tree, signed by the log key, timestamped, brought to the witnesses.

No transaction is open while a key, a TSA or a witness is waited for. A checkpoint that does not extend the last one
is never signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import LargeBinary, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service import errors
from signing_service.errors import SigningServiceError
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import Checkpoint, LogKey, opened, parsed, signed
from signing_service.evidence.log_tree import LogTree, TreeHead
from signing_service.evidence.witness import Witness
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime


class LogCheckpoint(Base):
    """One signed checkpoint. `timestamp`: RFC 3161 token (DER) over SHA-256 of the note; empty until it was had."""

    __tablename__ = "log_checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    timestamp: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class LogWitnessed(Base):
    """What a witness said when it took a checkpoint."""

    __tablename__ = "log_witnessed"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    witness: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    receipt: Mapped[str] = mapped_column(Text)


class LogRewritten(SigningServiceError):
    """The tree no longer begins with what was signed before."""

    code = "log_rewritten"

    def __init__(self, size: int) -> None:
        super().__init__(
            errors.Text(
                f"审计日志与已签发的检查点({size} 条)不一致。",
                f"The audit log does not extend the checkpoint of {size} entries that was signed.",
            ),
            why=errors.Text("日志被改写或删减。", "The log was rewritten or cut."),
            advice=errors.Text(
                "不再签发检查点。请保全数据库并通知监察人员。",
                "No checkpoint is signed any more. Preserve the database and tell the auditors.",
            ),
        )


@dataclass(frozen=True, slots=True)
class LogSigner:
    """The log's name and key. `sign`: a checkpoint's body to a signature; `timestamp`: SHA-256 to a token."""

    origin: str
    key: LogKey
    sign: Callable[[bytes], bytes]
    timestamp: Callable[[bytes], bytes]


class LogCheckpoints:
    def __init__(self, database: Database, clock: Clock, signer: LogSigner, witnesses: Sequence[Witness] = ()) -> None:
        self._database, self._clock, self._signer, self._witnesses = database, clock, signer, witnesses

    def issue(self) -> str | None:
        """Sign a checkpoint over all that has a position; None where nothing was added. Raises LogRewritten."""
        with self._database.read() as session:
            head, last = LogTree(session).head(), newest(session)
            _check_extends(session, head, last)
        if last is not None and parsed(last.note)[0].size == head.size:
            return None
        note = signed(Checkpoint(self._signer.origin, head.size, head.root), self._signer.key, self._signer.sign)
        opened(note, self._signer.key)
        with self._database.write() as session:
            if session.get(LogCheckpoint, head.size) is None:
                session.add(LogCheckpoint(size=head.size, note=note, at=self._clock.now()))
        return note

    def stamp(self) -> None:
        """Get the newest checkpoint its timestamp, if it has none. Raises what the TSA's client raises."""
        with self._database.read() as session:
            last = newest(session)
        if last is None or last.timestamp:
            return
        token = self._signer.timestamp(hashlib.sha256(last.note.encode()).digest())
        with self._database.write() as session:
            row = session.get_one(LogCheckpoint, last.size)
            row.timestamp = row.timestamp or token

    def bring_to_witnesses(self) -> list[SigningServiceError]:
        """Bring the newest checkpoint to every witness that has not taken it; returns what went wrong with each."""
        failures = []
        for witness in self._witnesses:
            try:
                self._bring(witness)
            except SigningServiceError as failure:
                failures.append(failure)
        return failures

    def _bring(self, witness: Witness) -> None:
        with self._database.read() as session:
            last = newest(session)
            if last is None or session.get(LogWitnessed, (last.size, witness.name)) is not None:
                return
            taken = session.scalar(select(func.max(LogWitnessed.at)).where(LogWitnessed.witness == witness.name))
        if taken is not None and self._clock.now() - taken < witness.every:
            return
        receipt = witness.keep(last.note, self._proof_to(last.size))
        with self._database.write() as session:
            session.merge(LogWitnessed(size=last.size, witness=witness.name, at=self._clock.now(), receipt=receipt))

    def _proof_to(self, size: int) -> Callable[[int], Sequence[bytes]]:
        def proof_from(old: int) -> Sequence[bytes]:
            with self._database.read() as session:
                return merkle.consistency_proof(old, size, LogTree(session).nodes)

        return proof_from


def newest(session: Session) -> LogCheckpoint | None:
    return session.scalar(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1))


def last_witnessed(session: Session) -> LogWitnessed | None:
    """The newest checkpoint that a witness outside holds."""
    return session.scalar(select(LogWitnessed).order_by(LogWitnessed.size.desc(), LogWitnessed.at).limit(1))


def _check_extends(session: Session, head: TreeHead, last: LogCheckpoint | None) -> None:
    if last is None:
        return
    before = parsed(last.note)[0]
    if before.size > head.size:
        raise LogRewritten(before.size)
    proof = merkle.consistency_proof(before.size, head.size, LogTree(session).nodes)
    if not merkle.is_consistent(before.size, head.size, before.root, head.root, proof):
        raise LogRewritten(before.size)
