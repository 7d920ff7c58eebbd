"""A worker that is killed (SIGKILL) at a point of its work: run as a program with a home, a batch and the point."""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from cli.opened_home import open_home
from cli.seal_batches import documents_of
from cli.seal_processes import batch_book, home_seals, this_worker
from signing_service.kernel.database import Database
from signing_service.pades.batch_sealing import BatchSealer, Seals


def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)


class DyingKey:
    """The real key; the process ends before it is asked, or after custody has signed and before the value is used."""

    def __init__(self, key, point):
        self._key, self._point = key, point
        self.certificate, self.chain = key.certificate, key.chain

    def sign_all(self, data, mechanism):
        if self._point == "reserved":
            die()
        values = self._key.sign_all(data, mechanism)
        if self._point == "signed":
            die()
        return values


class DyingDocuments:
    """The real documents, and the end before or after one of their steps."""

    def __init__(self, documents, point):
        self._documents, self._point = documents, point

    def open(self, item):
        if self._point == "leased":
            die()
        return self._documents.open(item)

    def keep(self, made):
        kept = self._documents.keep(made)
        if self._point == "kept":
            die()
        return kept

    def publish(self, items):
        items = list(items)
        if self._point == "released":
            die()
        self._documents.publish(items[:2])
        if self._point == "half-published":
            die()
        self._documents.publish(items[2:])

    def drop(self, items):
        self._documents.drop(items)


if __name__ == "__main__":
    home, batch_id, point = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    settings = open_home(home)
    book = batch_book(Database(settings.database_url), timedelta(minutes=2))
    batch = book.find(batch_id)
    book.start(batch_id)
    real = home_seals(settings, book, batch)
    seals = Seals(lambda batch, list_id: DyingKey(real.key(batch, list_id), point))
    documents = DyingDocuments(documents_of(settings, batch), point)
    BatchSealer(book, batch, documents, seals, this_worker(home)).run(lambda: False)
