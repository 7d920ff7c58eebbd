"""Log entries of calls that happen at the same time, committed together: one wait for the disk instead of many.

Only for calls that change nothing. Each waits until its entry is committed, so nothing is answered that is not logged.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Database


@dataclass(slots=True)
class Waiting:
    """One call's entry; `id` and `leaf` are those of the committed row."""

    act: Act
    at: datetime
    id: int = 0
    leaf: str = ""
    error: Exception | None = None
    done: bool = False


class LogBatch:
    """Whoever comes first commits for all who wait by then. Owner of the queue and of both locks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[Waiting] = []
        self._queue_lock, self._leader = threading.Lock(), threading.Lock()

    def record(self, act: Act, at: datetime) -> Waiting:
        """Returns when the entry is committed. Raises the database's error when it could not be."""
        mine = Waiting(act, at)
        with self._queue_lock:
            self._queue.append(mine)
        with self._leader:
            if not mine.done:
                self._commit_all()
        if mine.error is not None:
            raise mine.error
        return mine

    def _commit_all(self) -> None:
        with self._queue_lock:
            batch, self._queue = self._queue, []
        try:
            with self._database.write() as session:
                for one in batch:
                    row = AuditLog().record(session, one.act, one.at)
                    one.id, one.leaf = row.id, row.leaf
        except Exception as failure:  # handed to every call that waited for it
            for one in batch:
                one.error = failure
        for one in batch:
            one.done = True
