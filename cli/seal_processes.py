"""Worker processes on one batch: started, watched, stopped; each opens the home for itself."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from multiprocessing import connection
from pathlib import Path

from cli.home_blobs import home_blobs
from cli.opened_home import open_custody, open_home
from cli.outside_parts import outside_check
from signing_service.custody.keys import SealKey
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.pades.batch_book import LEASE, BatchBook
from signing_service.pades.batch_documents import BlobDocuments, FolderDocuments
from signing_service.pades.batch_sealing import BatchSealer, Seals
from signing_service.pades.batch_tables import SealBatch
from signing_service.pades.ports import ManySigningKey
from signing_service.pades.request import Level
from signing_service.seals.holder_signature import SignedAuthorisation
from signing_service.seals.register import SealRegister
from signing_service.settings import Settings

LOOK_EVERY_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Work:
    """What a process is told. `url` is where the TSA is asked; empty: our own, in the process."""

    home: Path
    batch_id: str
    url: str = ""
    lease: timedelta = LEASE


def batch_book(database: Database, lease: timedelta = LEASE) -> BatchBook:
    return BatchBook(SealRegister(database, SystemClock(), AuditLog()), lease)


def run_processes(work: Work, count: int, looked: Callable[[], bool]) -> None:
    """Run `count` processes until all have ended; `looked` is called now and then and says whether to stop them.

    They finish the documents in hand when told to stop, and end with this process. Leases of those that were killed
    are taken back, and their documents done by new ones.
    """
    database = Database(open_home(work.home).database_url)
    book = batch_book(database, work.lease)
    stopping = False
    while not stopping:
        spawn = multiprocessing.get_context("spawn")
        children = [spawn.Process(target=seal_in_process, args=(work,)) for _ in range(count)]
        for child in children:
            child.start()
        told = False
        while running := [child.sentinel for child in children if child.is_alive()]:
            stopping = looked() or stopping
            if stopping and not told:
                told = True
                for child in children:
                    child.terminate()
            connection.wait(running, LOOK_EVERY_SECONDS)
        for child in children:
            child.join()
        if not book.free(work.batch_id, lambda worker: is_alive(work.home, worker)) or all(
            child.exitcode == 0 for child in children
        ):
            break
    looked()
    database.close()


def seal_in_process(work: Work) -> None:
    """The child's side: until the batch is through or waits, or SIGTERM comes."""
    stop: list[int] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; whoever started us decides
    signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    settings = open_home(work.home)
    database = Database(settings.database_url)
    book = batch_book(database, work.lease)
    batch = book.find(work.batch_id)
    documents = (
        FolderDocuments(Path(batch.folder), Path(batch.output)) if batch.folder else BlobDocuments(home_blobs(settings))
    )
    parent = os.getppid()
    sealer = BatchSealer(book, batch, documents, home_seals(settings, book, batch, work.url), this_worker(work.home))
    sealer.run(lambda: bool(stop) or os.getppid() != parent, lambda worker: is_alive(work.home, worker))
    database.close()


def home_seals(settings: Settings, book: BatchBook, batch: SealBatch, url: str = "") -> Seals:
    """Key, TSA and evidence of the home for a batch; for B-B custody alone is opened. A certificate that may
    no longer be used, the seal's or a holder's, makes the batch wait, at every level."""
    custody = open_custody(settings)
    standing = outside_check(settings, book.register.database, book.register.clock)

    @lru_cache(maxsize=16)
    def key_of(list_id: str) -> tuple[SealKey, list[bytes]]:
        authorisation = book.authorisation(batch, list_id)
        signers = SignedAuthorisation.decode(authorisation).signatures if authorisation else ()
        found = SealKey.of(custody, batch.seal_id, authorisation, document_type=batch.document_type)
        return found, [found.certificate, *(each.certificate for each in signers)]

    def key(_batch: SealBatch, list_id: str) -> ManySigningKey:
        return key_of(list_id)[0]

    def require_usable(list_id: str) -> None:
        for certificate in key_of(list_id)[1]:
            standing.require_usable(certificate)

    level = Level(batch.level)
    if not level.needs_timestamp:
        return Seals(key, require_usable=require_usable)
    from cli.own_services import OwnRevocation, OwnTimestamper, own_pki

    services = own_pki(settings)
    revocation = None
    if level.needs_revocation:
        revocation = OwnRevocation(services.evidence, standing)
    if url:
        from cli.stage import http_timestamper

        return Seals(key, http_timestamper(settings, url), revocation, require_usable)
    return Seals(key, OwnTimestamper(services.tsa), revocation, require_usable)


def this_worker(home: Path) -> str:
    """A name that says on which machine and which process, so that the dead can be told from the silent."""
    return f"{machine_of(home)}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(home: Path, worker: str) -> bool:
    """Whether a worker may still be at work; of another machine's nobody here can say that it is not."""
    machine, _, rest = worker.partition(":")
    number, _, started = rest.partition(":")
    return machine != machine_of(home) or (number.isdigit() and _started(int(number)) == started)


@lru_cache(maxsize=4)
def machine_of(home: Path) -> str:
    """A home on this machine since its last start, in this process namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    parts = (str(home), platform.node(), boot.read_text() if boot.exists() else "", os.readlink("/proc/self/ns/pid"))
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _started(number: int) -> str:
    """When a process began, in the kernel's ticks (proc(5), field 22); empty when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
