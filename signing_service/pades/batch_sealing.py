"""A worker's work on a batch: take a few documents, prepare, reserve, have the key sign all, finish, settle, publish.

No database transaction is open while key, timestamp authority or disk is waited for. Killed at any point, the next
worker finds the same documents, prepares the same bytes, and custody gives the same signatures again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from signing_service.errors import ExplainedError
from signing_service.kernel.clock import local
from signing_service.pades.appearance import SealAppearance
from signing_service.pades.batch_book import BatchBook, Settlement
from signing_service.pades.batch_documents import Documents, NotTaken
from signing_service.pades.batch_rules import NOT_REPRODUCIBLE, Reason, concerns_all, placing_from_json, reason_of
from signing_service.pades.batch_signature import BegunSignature, Sources, begin
from signing_service.pades.batch_tables import ItemState, SealBatch, SealBatchItem
from signing_service.pades.growing_file import DiskFile, GrowingFile
from signing_service.pades.ports import ManySigningKey, RevocationSource, Timestamper
from signing_service.pades.request import Level, SignatureRequest
from signing_service.pades.sign import check_sources, signer_evidence
from signing_service.pdf.picture import VectorPicture

_LOG = logging.getLogger(__name__)
FIELD = "Seal-{}"
PROLONG_EVERY = 8
WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Seals:
    """What sealing takes from outside: a key for a list's id (empty: the batch's own authorisation), TSA, evidence.

    `require_usable` is asked for each chunk anew, as a batch may outlive a certificate: it raises where the seal's, or
    one that signed the list of that id, may no longer be used.
    """

    key: Callable[[SealBatch, str], ManySigningKey]
    timestamper: Timestamper | None = None
    revocation: RevocationSource | None = None
    require_usable: Callable[[str], None] = lambda _list_id: None


@dataclass
class Chunk:
    """The documents in one worker's hands."""

    items: Sequence[SealBatchItem]
    begun: dict[str, BegunSignature] = field(default_factory=dict)
    outcome: Settlement = field(default_factory=Settlement)

    def waiting(self) -> list[SealBatchItem]:
        return [item for item in self.items if item.id in self.begun and item.id not in self.outcome.refused]

    def fail(self, item: SealBatchItem, error: Exception) -> None:
        """Mark down one document, or let the batch wait where the next would meet the same."""
        if isinstance(error, NotTaken):
            self.outcome.refused[item.id] = error.reason
        elif concerns_all(error):
            self.outcome.pause = self.outcome.pause or reason_of(error)
        else:
            if not isinstance(error, ExplainedError | OSError):
                _LOG.error("batch item %s failed", item.id, exc_info=error)
            self.outcome.refused[item.id] = reason_of(error)


class BatchSealer:
    """One worker on one batch. `worker` names it for its leases."""

    def __init__(self, book: BatchBook, batch: SealBatch, documents: Documents, seals: Seals, worker: str) -> None:
        self._book, self._batch, self._documents, self._seals = book, batch, documents, seals
        self._worker, self._placing = worker, placing_from_json(batch.placing)
        picture = VectorPicture(batch.picture["content"].encode("ascii"), batch.picture["width_mm"],
                                batch.picture["height_mm"])  # fmt: skip
        self._appearance = SealAppearance(picture)

    def run(self, stopping: Callable[[], bool], alive: Callable[[str], bool] = lambda _worker: True) -> None:
        """Until everything has ended, the batch is paused, or `stopping` says so; documents in hand are finished.

        While others hold what is left this one waits: should they die, it takes over when `alive` denies them or their
        lease runs out.
        """
        while not stopping():
            items = self._book.lease(self._batch, self._worker)
            if items:
                self.seal(items)
            elif self._book.is_running(self._batch.id) and self._book.counts(self._batch.id)[ItemState.LEASED]:
                self._book.free(self._batch.id, alive)
                time.sleep(WAIT_SECONDS)
            else:
                return

    def seal(self, items: Sequence[SealBatchItem]) -> None:
        """One chunk, from lease to publication."""
        chunk = Chunk(items)
        with ExitStack() as files:
            try:
                self._sign(chunk, files)
            except Exception as error:  # whatever it was, nothing stays leased
                chunk.outcome.pause = chunk.outcome.pause or reason_of(error)
                if not isinstance(error, ExplainedError):
                    _LOG.exception("a chunk of batch %s failed", self._batch.id)
        sealed = self._book.settle(self._batch, items, self._worker, chunk.outcome)
        self._documents.publish(item for item in items if item.id in sealed)
        self._documents.drop(item for item in items if item.id not in sealed)

    def prepare(self, item: SealBatchItem) -> str:
        """The digest (hex) that a holder's list has to cover. Raises what `begin` and the documents raise."""
        key = self._seals.key(self._batch, "")
        with ExitStack() as files:
            files.callback(self._documents.drop, [item])
            file = self._documents.open(item)
            if isinstance(file, DiskFile):
                files.enter_context(file)
            return begin(file, self._request(item), key.certificate, key.chain).digest.hex()

    def _sign(self, chunk: Chunk, files: ExitStack) -> None:
        level, key = Level(self._batch.level), self._seals.key(self._batch, "")
        for list_id in {"", *(item.list_id for item in chunk.items)}:
            self._seals.require_usable(list_id)
        check_sources(level, self._seals.timestamper, self._seals.revocation)
        revocation = self._seals.revocation if level.needs_revocation else None
        timestamper = self._seals.timestamper if level.needs_timestamp else None
        sources = Sources(timestamper, revocation, signer_evidence(key, revocation))
        for item in chunk.items:
            try:
                self._begin(chunk, item, key, files)
            except Exception as error:
                chunk.fail(item, error)
        self._reserve(chunk)
        values = self._values(chunk)
        self._keep(chunk, self._finished(chunk, values, sources))

    def _finished(
        self, chunk: Chunk, values: Mapping[str, bytes], sources: Sources
    ) -> list[tuple[SealBatchItem, GrowingFile]]:
        """Those whose values are there, completed. The lease is prolonged now and then: a TSA may take its time."""
        made = []
        for number, item in enumerate(item for item in chunk.waiting() if item.id in values):
            if sources.timestamper is not None and number % PROLONG_EVERY == 0:
                self._book.prolong(chunk.items, self._worker)
            try:
                chunk.begun[item.id].finish(values[item.id], sources)
                made.append((item, chunk.begun[item.id].file))
            except Exception as error:
                chunk.fail(item, error)
        return made

    def _begin(self, chunk: Chunk, item: SealBatchItem, key: ManySigningKey, files: ExitStack) -> None:
        file = self._documents.open(item)
        if isinstance(file, DiskFile):
            files.enter_context(file)
        begun = begin(file, self._request(item), key.certificate, key.chain)
        if item.list_id and begun.digest.hex() != item.digest:
            raise NotTaken(NOT_REPRODUCIBLE)
        chunk.begun[item.id] = begun

    def _reserve(self, chunk: Chunk) -> None:
        waiting = chunk.waiting()
        digests = {item.id: chunk.begun[item.id].digest.hex() for item in waiting}
        count, refusal = self._book.reserve(self._batch, waiting, digests, self._worker) if waiting else (0, None)
        chunk.outcome.reserved = {item.id for item in waiting[:count]}
        if refusal is not None:
            chunk.outcome.pause = Reason.of(refusal)

    def _values(self, chunk: Chunk) -> dict[str, bytes]:
        """The key's values by item: asked for all at once, and one by one where one of them is refused."""
        values: dict[str, bytes] = {}
        reserved = [item for item in chunk.waiting() if item.id in chunk.outcome.reserved]
        for list_id in dict.fromkeys(item.list_id for item in reserved):
            key, group = self._seals.key(self._batch, list_id), [item for item in reserved if item.list_id == list_id]
            try:
                values |= _signed(chunk, key, group)
            except ExplainedError as refusal:
                if concerns_all(refusal) or len(group) == 1:
                    chunk.fail(group[0], refusal)
                    continue
                values |= self._one_by_one(chunk, key, group)
        return values

    def _one_by_one(self, chunk: Chunk, key: ManySigningKey, group: Sequence[SealBatchItem]) -> Mapping[str, bytes]:
        values: dict[str, bytes] = {}
        for item in group:
            try:
                values |= _signed(chunk, key, [item])
            except ExplainedError as refusal:
                chunk.fail(item, refusal)
        return values

    def _keep(self, chunk: Chunk, made: Sequence[tuple[SealBatchItem, GrowingFile]]) -> None:
        """All at once, and one by one where one of them cannot be written."""
        try:
            chunk.outcome.sealed |= self._documents.keep(made)
        except Exception:
            for pair in made:
                try:
                    chunk.outcome.sealed |= self._documents.keep([pair])
                except Exception as error:
                    chunk.fail(pair[0], error)

    def _request(self, item: SealBatchItem) -> SignatureRequest:
        """The same for the same item, so that its prepared bytes are."""
        assert item.signed_at is not None  # noqa: S101 - a leased item has one
        return SignatureRequest(
            field=FIELD.format(item.id[:16]), signed_at=local(item.signed_at.replace(microsecond=0)),
            appearance=self._appearance, placing=self._placing, name=self._batch.owner_name,
            level=Level(self._batch.level),
        )  # fmt: skip


def _signed(chunk: Chunk, key: ManySigningKey, items: Sequence[SealBatchItem]) -> dict[str, bytes]:
    chunk.outcome.asked |= {item.id for item in items}
    begun = [chunk.begun[item.id] for item in items]
    values = key.sign_all([each.attributes for each in begun], begun[0].signer.mechanism)
    return dict(zip([item.id for item in items], values, strict=True))
