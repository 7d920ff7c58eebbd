"""Does the log's tree hold up who writes? Eight processes on PostgreSQL, with the tree kept and without, in turns.

`python -m bench.log_writers [SECONDS]`. Each writer commits acts as a room does: a row, and its audit entry in the same
transaction. With the tree, a ninth process gives positions and signs checkpoints every second, where a home does it
once a minute. The bound is the issue's: at least 0.8 of the throughput without it.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from bench.rows import Row, at_least, none_of, print_rows, shown
from signing_service.evidence.log_checkpoints import LogCheckpoints, LogSigner
from signing_service.evidence.log_tree import LogTree, sequence_entries
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Base, Database
from signing_service.kernel.outbox import publish
from tests.conftest import PostgresServer

WRITERS, ROUNDS, EVERY_SECONDS = 8, 5, 1.0
BOUND = 0.8


def write_acts(url: str, number: int, begin: Barrier, end: Event, told: multiprocessing.Queue[int]) -> None:
    """Acts until `end`; tells how many."""
    database, log, clock, done = Database(url), AuditLog(), SystemClock(), 0
    details = {"number": f"示办2026{number:08d}", "before": "received", "after": "accepted"}
    with database.read() as session:
        session.scalar(select(AuditEntry.id).limit(1))
    begin.wait()
    while not end.is_set():
        with database.write() as session:
            now = clock.now()
            publish(session, "bench", f"{number}-{time.monotonic_ns()}", {"n": done}, now)
            log.record(session, Act("case.accept", f"officer-{number}", f"case:{done}", details=details), now)
        done += 1
    database.close()
    told.put(done)


def keep_tree(url: str, begin: Barrier, end: Event, told: multiprocessing.Queue[int]) -> None:
    """What the worker does each minute, each second."""
    database, key = Database(url), Ed25519PrivateKey.generate()
    signer = LogSigner("log.example.test", key.public_key(), key.sign, lambda digest: digest)
    book, placed = LogCheckpoints(database, SystemClock(), signer), 0
    begin.wait()
    while not end.wait(EVERY_SECONDS):
        while taken := sequence_entries(database):
            placed += taken
        book.issue()
    database.close()
    told.put(placed)


def throughput(url: str, seconds: float, *, tree: bool) -> tuple[float, int]:
    """Acts a second of all writers together, and how many entries got their place meanwhile."""
    context = multiprocessing.get_context("spawn")
    begin, end, told, placed = context.Barrier(WRITERS + 1 + tree), context.Event(), context.Queue(), context.Queue()
    writers = [context.Process(target=write_acts, args=(url, n, begin, end, told)) for n in range(WRITERS)]
    keeper = [context.Process(target=keep_tree, args=(url, begin, end, placed))] if tree else []
    for process in (*writers, *keeper):
        process.start()
    begin.wait()
    began = time.perf_counter()
    time.sleep(seconds)
    end.set()
    total = sum(told.get() for _ in writers)
    took = time.perf_counter() - began
    found = placed.get() if tree else 0
    for process in (*writers, *keeper):
        process.join()
    return total / took, found


def measure(new_database: Callable[[], str], seconds: float) -> Iterator[Row]:
    ratios, placed, last = [], 0, ""
    for number in range(ROUNDS):
        rates = {}
        for tree in (True, False) if number % 2 else (False, True):
            url = last = new_database()
            made = Database(url)
            Base.metadata.create_all(made.engine)
            made.close()
            rates[tree], found = throughput(url, seconds, tree=tree)
            placed += found
            if tree:
                yield none_of("entries with a place that the tree lacks", _difference(last))
        ratios.append(rates[True] / rates[False])
        yield shown("acts a second with the tree (this machine, this run)", rates[True])
    yield shown("entries that got a place while the writers wrote", placed)
    yield at_least(BOUND, "8 writers with the log's tree / without it", statistics.median(ratios))


def _difference(url: str) -> float:
    database = Database(url)
    with database.read() as session:
        placed = session.query(AuditEntry).where(AuditEntry.position.is_not(None)).count()
        size = LogTree(session).size
    database.close()
    return abs(placed - size)


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="zypg-", dir="/tmp") as folder:  # a short path for a socket
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder))
        server.start(synced=True)
        try:
            return 0 if print_rows(measure(server.new_database, seconds)) else 1
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0))
