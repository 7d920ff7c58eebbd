"""Backups are consistent while rows and documents are added, on both databases; what was changed in one is named."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli import schema
from cli.backup_archive import ArchiveReader, BackupDamaged, writing
from cli.backup_parts import Wanted, write_parts
from cli.database_copy import DatabaseNotEmpty, kind_of, restore_database
from cli.home import write_settings
from cli.home_blobs import home_blobs
from cli.init import STEPS, make_home
from cli.named_documents import named_documents
from cli.progress import Progress
from cli.restoring import Wanted as Restoring
from cli.restoring import restore_home
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.settings import Settings
from signing_service.verification.archive import index_kept
from tests.conftest import PostgresServer
from tests.main_job.conftest import zhengyin


def quiet(_done: int, _total: int) -> None:
    """No progress."""


@pytest.fixture
def bare(tmp_path: Path, database_url: str) -> Settings:
    """Settings, tables and an empty store: what a backup copies, without keys."""
    folder = tmp_path / "bare"
    folder.mkdir()
    settings = write_settings(folder, profile="demo", token_module="none", city="示例市", database_url=database_url)
    database = Database(settings.database_url)
    schema.upgrade(database)
    database.close()
    return settings


class Writer(threading.Thread):
    """Documents stored and then named by a row, one after another, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.stopped, self.enough = settings, threading.Event(), threading.Event()

    def run(self) -> None:
        database, blobs, number = Database(self.settings.database_url), home_blobs(self.settings), 0
        while not self.stopped.is_set():
            number += 1
            content = f"%PDF-1.7 document {number} %%EOF\n".encode()
            blobs.put(content)
            with database.write() as session:
                index_kept(session, content, SystemClock().now())
            if number == 20:
                self.enough.set()
        database.close()


def back_up(settings: Settings, target: Path, told: Callable[[int, int], None] = quiet) -> Path:
    with writing(target) as archive:
        write_parts(archive, Wanted(settings, datetime(2026, 1, 1, tzinfo=UTC)), told)
    return target


def new_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/again.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def test_a_copy_names_no_document_that_it_lacks(bare: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    writer = Writer(bare)
    writer.start()
    try:
        assert writer.enough.wait(60)
        target = back_up(bare, tmp_path / "b.tar")
    finally:
        writer.stopped.set()
        writer.join()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    reader, copy = ArchiveReader(target), tmp_path / "copy"
    for name, content, _mode in reader.unpack():
        if name.startswith("database/"):
            copy.write_bytes(content.read())
    url = new_database(kind_of(bare.database_url), request, tmp_path)
    restore_database(reader.manifest.database, copy, url)
    again = Database(url)
    with again.read() as session:
        named = set(named_documents(session))
    again.close()
    assert len(named) >= 20
    assert named <= {name.removeprefix("blobs/") for name in reader.manifest.parts}
    with pytest.raises(DatabaseNotEmpty):
        restore_database(reader.manifest.database, copy, url)


def test_a_damaged_document_is_named_and_the_rest_is_kept(bare: Settings, tmp_path: Path) -> None:
    blobs = home_blobs(bare)
    good, bad = blobs.put(b"good"), blobs.put(b"bad")
    (bare.blobs / bad[:2] / bad).write_bytes(b"changed")
    manifest = ArchiveReader(back_up(bare, tmp_path / "b.tar")).manifest
    assert manifest.damaged == [bad]
    assert f"blobs/{good}" in manifest.parts


def test_pins_logs_and_sockets_stay_outside(bare: Settings, tmp_path: Path) -> None:
    for name in ("pins/seals.pin", "logs/web.log", "custody/policy.json"):
        (bare.home / name).parent.mkdir(exist_ok=True)
        (bare.home / name).write_text("12345678")
    manifest = ArchiveReader(back_up(bare, tmp_path / "b.tar")).manifest
    inside = {name for name in manifest.parts if name.startswith("home/")}
    assert inside == {"home/settings.toml", "home/custody/policy.json"}
    assert {"pins", "logs"} <= set(manifest.left_out)


def changed(target: Path, name: str, content: bytes | None) -> None:
    """The archive with one member in another form, or without it; its manifest as it was."""
    made = io.BytesIO()
    with tarfile.open(target) as old, tarfile.open(fileobj=made, mode="w") as new:
        for entry in old:
            body = old.extractfile(entry)
            assert body is not None
            kept = body.read()
            if entry.name == name:
                if content is None:
                    continue
                kept, entry.size = content, len(content)
            new.addfile(entry, io.BytesIO(kept))
    target.write_bytes(made.getvalue())


@pytest.mark.parametrize("content", [b"other", None])
def test_a_changed_or_missing_part_leaves_no_home(bare: Settings, tmp_path: Path, content: bytes | None) -> None:
    digest = home_blobs(bare).put(b"a document")
    target = back_up(bare, tmp_path / "b.tar")
    changed(target, f"blobs/{digest}", content)
    home = tmp_path / "again"
    with pytest.raises(BackupDamaged, match=digest):
        restore_home(home, target, Restoring(), quiet)
    assert not (home / "zhengyin.db").exists()
    assert (home / "init.unfinished").exists()


def test_a_part_cannot_leave_its_folder(bare: Settings, tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    with writing(target) as archive:
        archive.add_bytes("home/../../evil", b"evil")
        write_parts(archive, Wanted(bare, datetime(2026, 1, 1, tzinfo=UTC)), quiet)
    with pytest.raises(BackupDamaged, match="evil"):
        restore_home(tmp_path / "again", target, Restoring(), quiet)
    assert not (tmp_path / "evil").exists()


def test_nothing_is_written_when_the_copy_fails(bare: Settings, tmp_path: Path) -> None:
    def half() -> None:
        with writing(tmp_path / "b.tar") as archive:
            archive.add_bytes("home/x", b"x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert [path.name for path in tmp_path.iterdir() if "b.tar" in path.name] == []


def test_a_home_on_postgresql_comes_back_on_another_database(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", postgres.new_database(), Progress(STEPS, "en"))
    document = b"%PDF-1.7 kept %%EOF\n"
    digest = home_blobs(settings).put(document)
    done = zhengyin(settings.home, "backup", "-o", str(tmp_path / "b.tar"), "--with-pins", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["database"] == "postgresql"
    again = tmp_path / "again"
    other = postgres.new_database()
    back = zhengyin(again, "restore", str(tmp_path / "b.tar"), "--database", other, "--json")
    assert back.returncode == 0, back.stderr
    report = json.loads(back.stdout)
    assert (report["log"]["holds"], report["documents"]["checked"]) == (True, 1)
    assert hashlib.sha256((again / "blobs" / digest[:2] / digest).read_bytes()).hexdigest() == digest
    assert zhengyin(again, "audit", "checkpoint").returncode == 0
