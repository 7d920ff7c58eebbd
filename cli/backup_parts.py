"""What goes into a backup, in the order that makes it consistent while the home is in use.

First the database, in one transaction's view; then everything that it names, none of which is ever changed or
removed: documents, data keys, certificates. What was added meanwhile is surplus, never a gap. Custody's ledger comes
after the database, so that no signed use is missing in it that the database knows of.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url

from cli.backup_archive import BLOBS, DATABASE, HOME, ArchiveWriter, Manifest
from cli.database_copy import copy_database, copy_sqlite, kind_of
from cli.home_blobs import home_blobs
from signing_service.errors import SigningServiceError
from signing_service.evidence.log_checkpoints import newest
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.database import Database
from signing_service.settings import Settings

PINS = "pins"
NEVER = ("blobs", "logs", "output", "queue.db", "zhengyin.db", "upload-shelf")
"""Parts of a home that are brought otherwise, or made again: the queue only wakes workers up."""
LEDGERS = (".db", ".sqlite3")
_OF_SQLITE = ("-wal", "-shm", "-journal")
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`pins`: take the PIN files too, which a demo home alone may."""

    settings: Settings
    at: datetime
    pins: bool = False


def write_parts(archive: ArchiveWriter, wanted: Wanted, told: Told) -> Manifest:
    """Everything, and the manifest over it. `told` hears how many of how many documents are in."""
    settings = wanted.settings
    before = _state_of(settings.database_url)  # read first: the copy then has at least that
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".backup-") as scratch:
        copy = copy_database(settings.database_url, Path(scratch))
        archive.add_file(DATABASE + copy.name, copy)
        damaged = _write_documents(archive, home_blobs(settings), told)
        for path in home_files(settings, pins=wanted.pins):
            _write_file(archive, settings.home, path, Path(scratch))
    manifest = Manifest(
        made_at=wanted.at.isoformat(), profile=settings.profile, database=kind_of(settings.database_url),
        revisions=before.revisions, checkpoint=before.checkpoint,
        left_out=_left_out(settings.home, pins=wanted.pins), damaged=damaged, parts=archive.parts,
    )  # fmt: skip
    archive.close_with(manifest)
    return manifest


def home_files(settings: Settings, *, pins: bool) -> Iterator[Path]:
    """The regular files of a home that a backup takes."""
    home, left = settings.home, {*NEVER, *(() if pins else (PINS,))}
    database = Path(make_url(settings.database_url).database or "").resolve()
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home)
        hidden = any(part.startswith(".") for part in inside.parts)
        if inside.parts[0] in left or hidden or path.name.endswith(_OF_SQLITE) or path == database:
            continue
        if stat.S_ISREG(path.lstat().st_mode):
            yield path


def _write_file(archive: ArchiveWriter, home: Path, path: Path, scratch: Path) -> None:
    name = HOME + path.relative_to(home).as_posix()
    if path.suffix not in LEDGERS:
        archive.add_file(name, path)
        return
    copy = scratch / path.name
    copy_sqlite(path, copy)
    archive.add_file(name, copy)
    copy.unlink()


def _write_documents(archive: ArchiveWriter, blobs: BlobStore, told: Told) -> list[str]:
    digests, damaged = list(blobs.digests()), []
    for number, digest in enumerate(digests, 1):
        try:
            archive.add_bytes(BLOBS + digest, blobs.get(digest))
        except SigningServiceError:
            damaged.append(digest)
        told(number, len(digests))
    return damaged


@dataclass(frozen=True, slots=True)
class _State:
    revisions: list[str]
    checkpoint: str


def _state_of(database_url: str) -> _State:
    database = Database(database_url)
    try:
        with database.read() as session:
            found = sorted(session.scalars(text("SELECT version_num FROM alembic_version")))
            last = newest(session)
            return _State(found, "" if last is None else last.note)
    finally:
        database.close()


def _left_out(home: Path, *, pins: bool) -> list[str]:
    names = [name for name in (*NEVER, *(() if pins else (PINS,))) if (home / name).exists()]
    return sorted(set(names) - {"blobs", "zhengyin.db"})
