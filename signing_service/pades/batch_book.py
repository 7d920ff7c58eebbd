"""The book of batches: what is made, leased, settled. Every step is one short transaction, seal row first.

pending -> leased (worker, until) -> sealed | refused. An item's use in the book of uses is reserved before its key is
asked and released in the very transaction that marks it sealed, so that neither is there without the other. A lease
that ended by itself is taken up by the next worker, which finds the use under the item's own name (ADR 0024).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act
from signing_service.pades.batch_rules import GAVE_UP, MOST_AT_ONCE, MOST_ATTEMPTS, Reason, how_many
from signing_service.pades.batch_tables import BatchState, ItemState, SealBatch, SealBatchItem, SealBatchList
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import ConditionNotMet, UseRequest
from signing_service.seals.holder_signature import SignedAuthorisation
from signing_service.seals.register import SealRegister
from signing_service.seals.use_book import SealNotUsable
from signing_service.seals.use_chunk import UseChunk

LEASE = timedelta(minutes=2)


class BatchUnknown(SigningServiceError):
    code = "batch_unknown"

    def __init__(self, batch_id: str) -> None:
        super().__init__(
            Text(f"没有批量盖章任务 {batch_id}。", f"There is no sealing batch {batch_id}."),
            advice=Text("请核对编号。", "Check its id."),
        )


@dataclass
class Settlement:
    """What became of a chunk. `sealed` are results (SHA-256) by item. `asked` are items whose key may have signed:
    their uses are not given back. What is in neither `sealed` nor `refused` is pending again."""

    sealed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Reason] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    reserved: set[str] = field(default_factory=set)
    pause: Reason | None = None


class BatchBook:
    """Works on the seal register's database. `lease` is how long a worker may be silent."""

    def __init__(self, register: SealRegister, lease: timedelta = LEASE) -> None:
        self.register, self._lease = register, lease

    # --- making ------------------------------------------------------------------------------------------------

    def open(self, batch: SealBatch) -> SealBatch:
        """The batch of this key: the one that is there, or this one, logged. Raises SealUnknown."""
        with self.register.database.write() as session:
            self.register.find(session, batch.seal_id, lock=True)
            known = session.scalar(select(SealBatch).where(SealBatch.key == batch.key))
            if known is not None:
                known.authorisation = batch.authorisation or known.authorisation
                return known
            session.add(batch)
            session.flush()
            self._log(session, batch, "opened", {"type": batch.document_type, "level": batch.level})
            return batch

    def add(self, items: Sequence[SealBatchItem]) -> int:
        """Enter documents; those that are there already stay as they are. Returns how many are new."""
        with self.register.database.write() as session:
            ids = [item.id for item in items]
            known = set(session.scalars(select(SealBatchItem.id).where(SealBatchItem.id.in_(ids))))
            new = [item for item in items if item.id not in known]
            session.add_all(new)
        return len(new)

    def find(self, batch_id: str) -> SealBatch:
        """Raises BatchUnknown."""
        with self.register.database.read() as session:
            batch = session.get(SealBatch, batch_id)
        if batch is None:
            raise BatchUnknown(batch_id)
        return batch

    def of_key(self, key: str) -> SealBatch | None:
        with self.register.database.read() as session:
            return session.scalar(select(SealBatch).where(SealBatch.key == key))

    def with_work(self) -> list[str]:
        """Batches in the blob store that are not through, oldest first; paused ones are tried again."""
        query = select(SealBatch.id).where(
            SealBatch.folder == "", SealBatch.state != BatchState.OPEN,
            select(SealBatchItem.id).where(SealBatchItem.batch_id == SealBatch.id, _UNFINISHED).exists(),
        ).order_by(SealBatch.created_at)  # fmt: skip
        with self.register.database.read() as session:
            return list(session.scalars(query))

    def start(self, batch_id: str) -> None:
        """No more documents come, or it is time to try again: workers may take from it."""
        with self.register.database.write() as session:
            session.get_one(SealBatch, batch_id, with_for_update=True).state = BatchState.RUNNING

    def cover(self, batch: SealBatch, encoded: bytes, prepared: Mapping[str, tuple[str, datetime]]) -> None:
        """Enter a holder's signed list for items, by id the digest and claimed time of what was prepared."""
        list_id = SignedAuthorisation.decode(encoded).authorisation_id
        with self.register.database.write() as session:
            session.add(SealBatchList(id=list_id, batch_id=batch.id, encoded=encoded))
            for id, (digest, signed_at) in prepared.items():
                row = session.get_one(SealBatchItem, id)
                row.digest, row.signed_at, row.list_id = digest, signed_at, list_id

    def authorisation(self, batch: SealBatch, list_id: str) -> bytes:
        """What covers an item: the list of that id, or the batch's own."""
        if not list_id:
            return batch.authorisation
        with self.register.database.read() as session:
            return session.get_one(SealBatchList, list_id).encoded

    def retry_refused(self, batch_id: str) -> int:
        """Everything that was refused is pending again."""
        change = update(SealBatchItem).where(
            SealBatchItem.batch_id == batch_id, SealBatchItem.state == ItemState.REFUSED, SealBatchItem.source != ""
        )
        with self.register.database.write() as session:
            done = session.execute(change.values(state=ItemState.PENDING, attempts=0, reason="", reason_text=[]))
            return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE has one

    # --- seeing ------------------------------------------------------------------------------------------------

    def counts(self, batch_id: str) -> dict[str, int]:
        """How many items are in each state; all states are named."""
        query = select(SealBatchItem.state, func.count()).where(SealBatchItem.batch_id == batch_id)
        with self.register.database.read() as session:
            found = {str(row[0]): int(row[1]) for row in session.execute(query.group_by(SealBatchItem.state))}
        return {state.value: found.get(state.value, 0) for state in ItemState}

    def items(
        self, batch_id: str, *, states: Collection[ItemState] = (), after: int = -1, most: int = 0
    ) -> list[SealBatchItem]:
        """In order of position, those of some states, or a page after a position."""
        query = select(SealBatchItem).where(SealBatchItem.batch_id == batch_id, SealBatchItem.position > after)
        query = query.where(SealBatchItem.state.in_(states)) if states else query
        query = query.order_by(SealBatchItem.position, SealBatchItem.id)
        with self.register.database.read() as session:
            return list(session.scalars(query.limit(most) if most else query))

    def is_running(self, batch_id: str) -> bool:
        return self.find(batch_id).state == BatchState.RUNNING

    # --- working -----------------------------------------------------------------------------------------------

    def lease(self, batch: SealBatch, worker: str) -> list[SealBatchItem]:
        """Some pending items, or some whose lease ran out, for this worker; none while the batch is not running."""
        now = self.register.clock.now()
        with self.register.database.write() as session:
            self.register.find(session, batch.seal_id, lock=True)
            if session.get_one(SealBatch, batch.id, populate_existing=True).state != BatchState.RUNNING:
                return []
            free = or_(SealBatchItem.state == ItemState.PENDING, _LEASED & (SealBatchItem.lease_until < now))
            query = select(SealBatchItem).where(SealBatchItem.batch_id == batch.id, free)
            found = list(session.scalars(query.order_by(SealBatchItem.position).limit(MOST_AT_ONCE)))
            worn_out = [item for item in found if item.attempts >= MOST_ATTEMPTS]
            self._refuse(session, batch, {item.id: GAVE_UP for item in worn_out}, worn_out, now)
            candidates = [item for item in found if item.attempts < MOST_ATTEMPTS]
            taken = candidates[: how_many(candidates)]
            for item in taken:
                item.state, item.worker, item.lease_until = ItemState.LEASED, worker, now + self._lease
                item.attempts += 1
                item.signed_at = item.signed_at if item.digest and item.signed_at else now
            return taken

    def prolong(self, items: Sequence[SealBatchItem], worker: str) -> None:
        """The worker is at it still."""
        until = self.register.clock.now() + self._lease
        with self.register.database.write() as session:
            session.execute(update(SealBatchItem).where(_held(items, worker)).values(lease_until=until))

    def reserve(
        self, batch: SealBatch, items: Sequence[SealBatchItem], digests: Mapping[str, str], worker: str
    ) -> tuple[int, SealNotUsable | ConditionNotMet | None]:
        """T1: uses for the first so many items, and the digests that they are for; why not for the next one."""
        with self.register.database.write() as session:
            uses = self._uses(batch)
            uses.lock(session)
            held = self._held_rows(session, items, worker)
            taken = uses.reserve(
                session,
                [
                    UseRequest(
                        row.reference,
                        batch.document_type,
                        digests[row.id],
                        batch.actor,
                        batch.approver,
                        row.list_id or batch.order_id,
                    )
                    for row in held
                ],
            )
            for row in held[: taken.count]:
                row.digest = digests[row.id]
            return taken.count, taken.refusal

    def settle(self, batch: SealBatch, items: Sequence[SealBatchItem], worker: str, outcome: Settlement) -> set[str]:
        """T2: uses released and items sealed together, or neither. Returns what was sealed: not what lost its lease
        meanwhile, and nothing where the seal was stopped: then the files may not leave."""
        now = self.register.clock.now()
        with self.register.database.write() as session:
            uses = self._uses(batch)
            uses.lock(session)
            held = {row.id: row for row in self._held_rows(session, items, worker)}
            sealed = [row for row in held.values() if row.id in outcome.sealed]
            stopped = uses.release(session, [row.reference for row in sealed]) if sealed else None
            if stopped is not None:
                outcome.pause, sealed = Reason.of(stopped), []
            back = {id: outcome.refused[id].code if id in outcome.refused else "batch_paused" for id in held
                    if id in outcome.reserved - outcome.asked}  # fmt: skip
            uses.void(session, {held[id].reference: code for id, code in back.items()})
            for row in sealed:
                row.state, row.result, row.ended_at, row.reason = ItemState.SEALED, outcome.sealed[row.id], now, ""
            refused = [row for row in held.values() if row.id in outcome.refused]
            self._refuse(session, batch, outcome.refused, refused, now)
            ended = {row.id for row in (*sealed, *refused)}
            for row in (row for row in held.values() if row.id not in ended):
                row.state, row.attempts = ItemState.PENDING, row.attempts - 1
            for row in held.values():
                row.worker, row.lease_until = row.worker if row in sealed else "", None
                if row.id in back and not row.list_id:
                    row.digest = ""
            if outcome.pause is not None:
                self._pause(session, batch, outcome.pause, now)
            elif sealed:
                session.execute(update(SealBatch).where(SealBatch.id == batch.id).values(pause_code="", pause_text=[]))
            return {row.id for row in sealed}

    def free(self, batch_id: str, alive: Callable[[str], bool]) -> int:
        """Take back the leases of workers that are known to be dead."""
        with self.register.database.write() as session:
            query = select(SealBatchItem.worker).where(SealBatchItem.batch_id == batch_id, _LEASED).distinct()
            dead = [worker for worker in session.scalars(query) if not alive(worker)]
            change = update(SealBatchItem).where(
                SealBatchItem.batch_id == batch_id, _LEASED, SealBatchItem.worker.in_(dead)
            )
            done = session.execute(change.values(state=ItemState.PENDING, worker="", lease_until=None))
            return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE has one

    # --- parts -------------------------------------------------------------------------------------------------

    def _uses(self, batch: SealBatch) -> UseChunk:
        return UseChunk(self.register, batch.seal_id, _actor(batch))

    def _held_rows(self, session: Session, items: Sequence[SealBatchItem], worker: str) -> list[SealBatchItem]:
        query = select(SealBatchItem).where(_held(items, worker)).order_by(SealBatchItem.position)
        return list(session.scalars(query))

    def _refuse(
        self,
        session: Session,
        batch: SealBatch,
        reasons: Mapping[str, Reason],
        rows: Sequence[SealBatchItem],
        now: datetime,
    ) -> None:
        """The refusal is evidence: it is logged with the row, by digest, without the file's name."""
        for row in rows:
            reason = reasons[row.id]
            row.state, row.reason, row.ended_at = ItemState.REFUSED, reason.code, now
            row.reason_text = [reason.text.zh, reason.text.en]
            row.worker, row.lease_until = "", None
        acts = [
            (self._act(batch, "item", {"item": row.id}, row.source), row.reason[:64]) for row in rows
        ]  # fmt: skip
        self.register.audit.refuse_all(session, acts, now)

    def _pause(self, session: Session, batch: SealBatch, reason: Reason, now: datetime) -> None:
        row = session.get_one(SealBatch, batch.id, populate_existing=True)
        known, row.state, row.pause_code = row.pause_code, BatchState.PAUSED, reason.code
        row.pause_text = [reason.text.zh, reason.text.en]
        if known != reason.code:  # logged once, however often it is tried again
            self.register.audit.refuse_all(session, [(self._act(batch, "paused", {}), reason.code)], now)

    def _log(self, session: Session, batch: SealBatch, name: str, details: Mapping[str, str]) -> None:
        self.register.audit.record(session, self._act(batch, name, details), self.register.clock.now())

    def _act(self, batch: SealBatch, name: str, details: Mapping[str, str], digest: str = "") -> Act:
        given = {"batch": batch.id, "purpose": batch.purpose, **details}
        return Act(
            f"seal.batch.{name}", batch.actor, f"seal:{batch.seal_id}", batch.department, digest=digest, details=given
        )


_LEASED = SealBatchItem.state == ItemState.LEASED
_UNFINISHED = SealBatchItem.state.in_((ItemState.PENDING, ItemState.LEASED))


def _held(items: Sequence[SealBatchItem], worker: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a SQL condition
    return SealBatchItem.id.in_([item.id for item in items]) & _LEASED & (SealBatchItem.worker == worker)


def _actor(batch: SealBatch) -> Actor:
    return Actor(batch.actor, department=batch.department)
