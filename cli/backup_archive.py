"""A backup as one file: a tar of the home's parts, closed by a manifest with the digest of each. Owner-only.

manifest.json        format, time, kind of database, its revisions, the log's checkpoint, every part's SHA-256
database/…           zhengyin.db (SQLite), or postgresql.dump (pg_dump's custom format)
blobs/DIGEST         documents, named by their SHA-256
home/…               settings, policy and ledger of custody, wrapped data keys, trust, seals' pictures, SoftHSM's store
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from signing_service.errors import SigningServiceError, Text

FORMAT = "zhengyin-backup/1"
MANIFEST, DATABASE, BLOBS, HOME = "manifest.json", "database/", "blobs/", "home/"
_CHUNK = 1 << 20


class BackupDamaged(SigningServiceError):
    """The file is no whole backup."""

    code = "backup_damaged"

    def __init__(self, path: Path, zh: str, en: str) -> None:
        super().__init__(
            Text(f"备份 {path} 不完整或被改动。", f"The backup {path} is not whole or was changed."),
            why=Text(zh, en),
            advice=Text("请换用另一份备份。", "Use another backup."),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """`checkpoint`: the newest note of the log in it, empty where there was none. `left_out`: folders and files of the
    home that are not inside. `damaged`: digests of documents that the store could not give."""

    made_at: str
    profile: str
    database: str
    revisions: list[str]
    checkpoint: str
    left_out: list[str]
    damaged: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT


class ArchiveWriter:
    """Adds parts and keeps their digests; `close_with` writes the manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.parts: dict[str, str] = {}

    def add(self, name: str, content: IO[bytes], size: int, mode: int = 0o600) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, mode
        hashed = _Hashed(content)
        self._tar.addfile(entry, hashed)
        self.parts[name] = hashed.digest.hexdigest()

    def add_file(self, name: str, path: Path) -> None:
        with path.open("rb") as content:
            facts = os.fstat(content.fileno())
            self.add(name, content, facts.st_size, facts.st_mode & 0o700)

    def add_bytes(self, name: str, content: bytes) -> None:
        self.add(name, io.BytesIO(content), len(content))

    def close_with(self, manifest: Manifest) -> None:
        self.add_bytes(MANIFEST, json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode())


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content, self.digest = content, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        read = self._content.read(size)
        self.digest.update(read)
        return read


@contextmanager
def writing(target: Path) -> Iterator[ArchiveWriter]:
    """Write the whole file or none: beside the target, owner-only, synced, then renamed."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


class ArchiveReader:
    """A backup that is read: its manifest first, then its parts in the order of the file."""

    def __init__(self, path: Path) -> None:
        """Raises BackupDamaged."""
        self._path = path
        self.manifest = self._manifest()

    def unpack(self) -> Iterator[tuple[str, IO[bytes], int]]:
        """Each part: name, content, mode bits. What was read in full is compared with the manifest, and so is the list.

        Raises BackupDamaged, at the latest when everything was given out.
        """
        wanted = dict(self.manifest.parts)
        try:
            with tarfile.open(self._path) as tar:
                for entry in tar:
                    if entry.name == MANIFEST:
                        continue
                    content = tar.extractfile(entry) if entry.isfile() else None
                    if content is None or not is_plain_name(entry.name) or entry.name not in wanted:
                        raise self._damaged(f"多出 {entry.name}。", f"{entry.name} does not belong to it.")
                    hashed = _Hashed(content)
                    yield entry.name, hashed, entry.mode & 0o700  # type: ignore[misc]  # as above
                    while hashed.read(_CHUNK):
                        pass
                    if hashed.digest.hexdigest() != wanted.pop(entry.name):
                        raise self._damaged(
                            f"{entry.name} 与清单不符。", f"{entry.name} is not what the manifest says."
                        )
        except (tarfile.TarError, EOFError) as failure:
            raise self._damaged(f"{failure}。", f"{failure}.") from failure
        if wanted:
            name = min(wanted)
            raise self._damaged(f"缺少 {name}。", f"{name} is missing.")

    def _manifest(self) -> Manifest:
        try:
            with tarfile.open(self._path) as tar:
                found = tar.extractfile(MANIFEST)
                entries: Mapping[str, Any] = json.load(found) if found else {}
            manifest = Manifest(**entries)
        except (tarfile.TarError, KeyError, TypeError, ValueError, EOFError, OSError) as failure:
            raise self._damaged(f"读不出清单:{failure}。", f"Its manifest cannot be read: {failure}.") from failure
        if manifest.format != FORMAT:
            raise self._damaged(f"格式是 {manifest.format}。", f"Its format is {manifest.format}.")
        return manifest

    def _damaged(self, zh: str, en: str) -> BackupDamaged:
        return BackupDamaged(self._path, zh, en)


def is_plain_name(name: str) -> bool:
    """Whether a part's name stays below the folder it is unpacked into."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name
