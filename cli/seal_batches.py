"""Batches of a home: made from what a command or the API asks, authorised, and worked on by worker machines."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cli.home_blobs import home_blobs
from cli.opened_home import load_picture
from cli.seal_processes import Work, batch_book, home_seals, is_alive, run_processes, this_worker
from cli.sealing import NoStandingOrder
from hardware.ports import Mechanism
from signing_service.app import Task, Worker, create_worker
from signing_service.kernel.database import Database
from signing_service.kernel.jobs import Jobs
from signing_service.pades.batch_book import LEASE, BatchBook
from signing_service.pades.batch_documents import BlobDocuments, FolderDocuments
from signing_service.pades.batch_rules import Reason, batch_key, concerns_all, placing_as_json, reason_of
from signing_service.pades.batch_sealing import BatchSealer
from signing_service.pades.batch_tables import BatchState, ItemState, SealBatch, SealBatchItem
from signing_service.pades.placing import AnyPlacing
from signing_service.pades.ports import SigningKey
from signing_service.pades.request import Level
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation import MOST_DIGESTS, authorise_digests
from signing_service.seals.holder_signature import sign_authorisation
from signing_service.seals.order_book import OrderBook
from signing_service.seals.register import SealRegister
from signing_service.seals.use_book import UseBook
from signing_service.settings import Settings

QUEUE, SEAL_JOBS = "zhengyin-sealing", "seals.batch"
MOST_WAKES = 8
LIST_LASTS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What is to be sealed how. `name` is what makes it the same batch again, `folder` and `output` are for documents
    on this machine, empty for the blob store. `by_list`: the holder's key will sign the list of digests."""

    name: dict[str, Any]
    seal_id: str
    document_type: str
    level: Level
    placing: AnyPlacing
    actor: Actor
    approver: str = ""
    purpose: str = ""
    asked: str = ""
    folder: Path | None = None
    output: Path | None = None
    by_list: bool = False


def new_batch(settings: Settings, register: SealRegister, request: BatchRequest) -> SealBatch:
    """The batch of this name, for `BatchBook.open`. Raises SealUnknown, NoStandingOrder."""
    with register.database.read() as session:
        owner = register.find(session, request.seal_id).owner_name
    return SealBatch(
        id=secrets.token_hex(16), key=batch_key(request.name), seal_id=request.seal_id,
        document_type=request.document_type, level=request.level, placing=placing_as_json(request.placing),
        picture=_picture(settings, request.seal_id), owner_name=owner, actor=request.actor.id,
        approver=request.approver, department=request.actor.department, purpose=request.purpose, asked=request.asked,
        folder=str(request.folder or ""), output=str(request.output or ""),
        authorisation=b"" if request.by_list else _order_for(settings, register, request), state=BatchState.OPEN,
        pause_code="", pause_text=[], created_at=register.clock.now(),
    )  # fmt: skip


def documents_of(settings: Settings, batch: SealBatch) -> FolderDocuments | BlobDocuments:
    if batch.folder:
        return FolderDocuments(Path(batch.folder), Path(batch.output))
    return BlobDocuments(home_blobs(settings))


def authorise_list(settings: Settings, book: BatchBook, batch: SealBatch, holder: SigningKey, mechanism: Mechanism,
                   seen: Callable[[int], None]) -> int:  # fmt: skip
    """Prepare what no list covers yet and have the holder's key sign the digests; how many it covers.

    What cannot be prepared is left to the workers, who will refuse it by name.
    """
    sealer = BatchSealer(
        book, batch, documents_of(settings, batch), home_seals(settings, book, batch), this_worker(settings.home)
    )
    waiting = [item for item in book.items(batch.id, states=[ItemState.PENDING]) if not item.list_id]
    now = book.register.clock.now().replace(microsecond=0)
    prepared = {}
    for number, item in enumerate(waiting):
        item.signed_at = now
        seen(number + 1)
        try:
            prepared[item.id] = sealer.prepare(item), now
        except Exception as error:
            if concerns_all(error):
                raise
    names = list(prepared)
    for start in range(0, len(names), MOST_DIGESTS):
        part = {name: prepared[name] for name in names[start : start + MOST_DIGESTS]}
        allowed = authorise_digests(
            batch.seal_id, {digest for digest, _ in part.values()}, not_before=now, until=now + LIST_LASTS
        )
        book.cover(batch, sign_authorisation(allowed, (holder, holder.certificate, mechanism)), part)
    return len(prepared)


def would_refuse(settings: Settings, book: BatchBook, batch: SealBatch, items: Sequence[SealBatchItem],
                 seen: Callable[[int], None]) -> dict[str, Reason]:  # fmt: skip
    """A dry run: every document prepared, none sealed, nothing written; by id, why one would be refused."""
    sealer = BatchSealer(
        book, batch, documents_of(settings, batch), home_seals(settings, book, batch), this_worker(settings.home)
    )
    refused = {}
    for number, item in enumerate(items):
        item.signed_at = book.register.clock.now()
        seen(number + 1)
        try:
            sealer.prepare(item)
        except Exception as error:
            refused[item.id] = getattr(error, "reason", None) or reason_of(error)
    return refused


def wake_workers(settings: Settings, batch_id: str, documents: int) -> None:
    """Tell worker machines of a batch in the blob store; those that miss it look each minute."""
    jobs = Jobs(settings.database_url, name=QUEUE)
    jobs.task(SEAL_JOBS, lambda *_rows: None)
    for _ in range(min(MOST_WAKES, 1 + documents // 100)):
        jobs.wake(SEAL_JOBS, batch_id)
    jobs.close()


def make_sealing_worker(settings: Settings, url: str, *, processes: int = 1, lease: timedelta = LEASE) -> Worker:
    """A machine's worker for batches in the blob store: woken with a batch's id, and each minute for what is left.

    It needs the database, the blobs and custody's socket; of PINs and keys it has none.
    """
    database = Database(settings.database_url)
    book = batch_book(database, lease)

    def seal(*batch_ids: object) -> None:
        for batch_id in [str(each) for each in batch_ids] or book.with_work():
            if batch_id not in book.with_work():
                continue
            book.free(batch_id, lambda worker: is_alive(settings.home, worker))
            book.start(batch_id)
            run_processes(Work(settings.home, batch_id, url, lease), processes, lambda: False)

    return create_worker(settings, [Task(SEAL_JOBS, seal, every_minute=True)], queue=QUEUE)


def _picture(settings: Settings, seal_id: str) -> dict[str, Any]:
    content = asdict(load_picture(settings, seal_id))
    return content | {"content": content["content"].decode("ascii")}


def _order_for(settings: Settings, register: SealRegister, request: BatchRequest) -> bytes:
    """The holder's standing order for the type that has uses left; in a demo home none is needed."""
    now = register.clock.now()
    orders = OrderBook(register).standing(request.seal_id, request.document_type, now)
    book = UseBook(register)
    left = [order for order in orders if book.used_under(order.id) < order.count]
    if left:
        return left[0].encoded
    if settings.is_demo and not orders:
        return b""
    raise NoStandingOrder(request.document_type)
