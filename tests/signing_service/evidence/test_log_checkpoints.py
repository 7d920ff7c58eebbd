"""Checkpoints extend one another or are not signed; witnesses refuse what does not extend what they hold."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, select, update

from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import Checkpoint, opened, parsed
from signing_service.evidence.log_checkpoints import (
    LogCheckpoint,
    LogCheckpoints,
    LogRewritten,
    LogSigner,
    LogWitnessed,
    last_witnessed,
    newest,
)
from signing_service.evidence.log_tree import LogTile, sequence_entries
from signing_service.evidence.witness import FolderWitness, ServerWitness, Witness, WitnessRefused, WitnessUnavailable
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
TOKEN = b"token"


def checkpoints(database: Database, *witnesses: Witness) -> LogCheckpoints:
    signer = LogSigner("log.example.test", KEY.public_key(), KEY.sign, lambda digest: TOKEN + digest)
    return LogCheckpoints(database, SystemClock(), signer, witnesses)


def log(database: Database, count: int) -> None:
    with database.write() as session:
        for number in range(count):
            AuditLog().record(session, Act("test", "someone", f"thing:{number}"), AT)
    sequence_entries(database)


@pytest.fixture
def folder(tmp_path: Path) -> FolderWitness:
    (tmp_path / "outside").mkdir()
    return FolderWitness(tmp_path / "outside", KEY.public_key())


def test_a_checkpoint_a_growth_and_its_timestamp(database: Database) -> None:
    log(database, 3)
    book = checkpoints(database)
    note = book.issue()
    assert note is not None
    assert opened(note, KEY.public_key()).size == 3
    assert book.issue() is None
    book.stamp()
    log(database, 1)
    book.issue()
    book.stamp()
    with database.read() as session:
        rows = session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size)).all()
    assert [row.size for row in rows] == [3, 4]
    assert all(row.timestamp.startswith(TOKEN) for row in rows)


def test_a_rewritten_or_cut_tree_gets_no_checkpoint(database: Database) -> None:
    log(database, 5)
    book = checkpoints(database)
    book.issue()
    with database.write() as session:
        tile = session.get_one(LogTile, (0, 0))
        whole, tile.hashes = tile.hashes, merkle.leaf_hash(b"another") + tile.hashes[32:]
    log(database, 1)
    with pytest.raises(LogRewritten):
        book.issue()
    with database.write() as session:
        session.execute(update(LogTile).values(hashes=whole[:64]))
    with pytest.raises(LogRewritten, match="5"):
        book.issue()


def test_a_folder_keeps_every_checkpoint(database: Database, folder: FolderWitness) -> None:
    book = checkpoints(database, folder)
    assert book.bring_to_witnesses() == []
    for count in (2, 300):
        log(database, count)
        book.issue()
        assert book.bring_to_witnesses() == []
    held = folder.newest()
    assert held is not None
    assert held.size == 302
    with database.read() as session:
        seen = last_witnessed(session)
        assert seen is not None
        assert (seen.size, seen.witness) == (302, folder.name)
    assert len(list(Path(folder.name).iterdir())) == 2


def older_database_in_its_place(database: Database) -> None:
    """All rows of the log as an older backup had them."""
    with database.write() as session:
        session.execute(update(LogTile).values(hashes=session.get_one(LogTile, (0, 0)).hashes[:32]))
        session.execute(delete(AuditEntry).where(AuditEntry.position > 0))
        for kind in (LogCheckpoint, LogWitnessed):
            for row in session.scalars(select(kind)).all():
                session.delete(row)


@pytest.mark.parametrize("grown", [0, 9])
def test_a_witness_notices_an_older_database(database: Database, folder: FolderWitness, grown: int) -> None:
    """Also when the restored log has meanwhile grown beyond what the witness holds."""
    book = checkpoints(database, folder)
    log(database, 4)
    book.issue()
    book.bring_to_witnesses()
    older_database_in_its_place(database)
    log(database, grown)
    book.issue()
    (failure,) = book.bring_to_witnesses()
    assert isinstance(failure, WitnessRefused)
    assert "4" in str(failure)
    held = folder.newest()
    assert held is not None
    assert held.size == 4


def test_a_missing_folder_is_told_and_made_up_for(database: Database, folder: FolderWitness) -> None:
    log(database, 2)
    book = checkpoints(database, folder)
    book.issue()
    Path(folder.name).rename(f"{folder.name}-unmounted")
    (failure,) = book.bring_to_witnesses()
    assert isinstance(failure, WitnessUnavailable)
    Path(f"{folder.name}-unmounted").rename(folder.name)
    assert book.bring_to_witnesses() == []
    with database.read() as session:
        assert last_witnessed(session) is not None


@dataclass
class WitnessServer:
    """A witness by C2SP tlog-witness over real HTTP: what the specification asks of it, and nothing of ours."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    held: Checkpoint | None = None
    url: str = ""

    def answer(self, body: str) -> tuple[int, bytes]:
        head, note = body.split("\n\n", 1)
        old, *proof = head.split("\n")
        new, size = opened(note, KEY.public_key()), self.held.size if self.held else 0
        if int(old.removeprefix("old ")) != size:
            return 409, f"{size}\n".encode()
        root = self.held.root if self.held else merkle.EMPTY_ROOT
        if not merkle.is_consistent(size, new.size, root, new.root, [base64.b64decode(part) for part in proof]):
            return 422, b""
        self.held = new
        stamped = b"cosignature/v1\ntime 1767225600\n" + new.body
        content = bytes(4) + (1767225600).to_bytes(8, "big") + self.key.sign(stamped)
        return 200, f"— witness.test {base64.b64encode(content).decode()}\n".encode()


@pytest.fixture
def server() -> Iterator[WitnessServer]:
    witness = WitnessServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = witness.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    witness.url = f"http://127.0.0.1:{http.server_port}/add-checkpoint"
    yield witness
    http.shutdown()
    http.server_close()


def test_another_server_as_witness(database: Database, server: WitnessServer) -> None:
    outbound = Outbound(OutboundPolicy(frozenset({"127.0.0.1"})))
    book = checkpoints(database, ServerWitness(server.url, server.key.public_key(), outbound))
    for count in (2, 5):
        log(database, count)
        book.issue()
        assert book.bring_to_witnesses() == []
    assert server.held is not None
    assert server.held.size == 7
    with database.read() as session:
        note, seen = newest(session), last_witnessed(session)
        assert note is not None
        assert seen is not None
        assert parsed(note.note + seen.receipt)[1][1][0] == "witness.test"
    older_database_in_its_place(database)
    book.issue()
    assert isinstance(book.bring_to_witnesses()[0], WitnessRefused)


def test_a_server_that_cosigns_with_another_key_is_no_witness(database: Database, server: WitnessServer) -> None:
    outbound = Outbound(OutboundPolicy(frozenset({"127.0.0.1"})))
    book = checkpoints(database, ServerWitness(server.url, KEY.public_key(), outbound))
    log(database, 1)
    book.issue()
    assert isinstance(book.bring_to_witnesses()[0], WitnessUnavailable)
    with database.read() as session:
        assert last_witnessed(session) is None
