"""Where a batch's documents lie: a folder of this machine, or the blob store that many machines share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from signing_service.kernel.blobs import BlobStore
from signing_service.pades.batch_rules import OUTPUT_EXISTS, SOURCE_CHANGED, Reason
from signing_service.pades.batch_tables import ItemState, SealBatchItem
from signing_service.pades.growing_file import DiskFile, GrowingFile, MemoryFile

SMALL = 4 * 2**20
"""Up to so many bytes a file is signed in memory; larger ones grow on the disk."""
_PART = re.compile(r"\.zhengyin-([0-9a-f]{32})-\d+\.part")
_SYNCING = 8


class NotTaken(Exception):
    """A document that is not to be sealed as it is."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


class Documents(Protocol):
    def open(self, item: SealBatchItem) -> GrowingFile:
        """The source, ready to grow. Raises NotTaken, OSError, BlobMissing."""
        ...

    def keep(self, made: Sequence[tuple[SealBatchItem, GrowingFile]]) -> dict[str, str]:
        """The finished files, on the disk and synced, but not yet where others look; SHA-256 by item."""
        ...

    def publish(self, items: Iterable[SealBatchItem]) -> None:
        """They were released: everyone may have them."""
        ...

    def drop(self, items: Iterable[SealBatchItem]) -> None:
        """They were not."""
        ...


class BlobDocuments:
    """Sources and results by digest. A result that was not released is a blob that no row names."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def open(self, item: SealBatchItem) -> GrowingFile:
        return MemoryFile(self._blobs.get(item.source))

    def keep(self, made: Sequence[tuple[SealBatchItem, GrowingFile]]) -> dict[str, str]:
        with ThreadPoolExecutor(_SYNCING) as pool:
            digests = pool.map(lambda pair: self._blobs.put(bytes(pair[1].buffer[:])), made)
        return {item.id: digest for (item, _), digest in zip(made, digests, strict=True)}

    def publish(self, items: Iterable[SealBatchItem]) -> None:
        pass

    def drop(self, items: Iterable[SealBatchItem]) -> None:
        pass


class FolderDocuments:
    """Sources in a folder; results beside them or in another. A result is `.zhengyin-ITEM-PID.part` until released."""

    def __init__(self, folder: Path, output: Path) -> None:
        self._folder, self._output = folder, output

    def open(self, item: SealBatchItem) -> GrowingFile:
        source, target = self._folder / item.name, self._target(item)
        if os.path.lexists(target):
            raise NotTaken(OUTPUT_EXISTS)
        if item.size > SMALL:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = DiskFile(source, self._part(item))
            digest = file.source_digest
        else:
            content = source.read_bytes()
            file, digest = MemoryFile(content), hashlib.sha256(content).hexdigest()  # type: ignore[assignment]
        if digest != item.source:
            raise NotTaken(SOURCE_CHANGED)
        return file

    def keep(self, made: Sequence[tuple[SealBatchItem, GrowingFile]]) -> dict[str, str]:
        with ThreadPoolExecutor(_SYNCING) as pool:  # the file system joins syncs that wait together
            digests = pool.map(lambda pair: self._kept(*pair), made)
        return {item.id: digest for (item, _), digest in zip(made, digests, strict=True)}

    def publish(self, items: Iterable[SealBatchItem]) -> None:
        folders = set()
        for item in items:
            _move(self._part(item), self._target(item))
            folders.add(self._target(item).parent)
        for folder in folders:
            _sync_folder(folder)

    def drop(self, items: Iterable[SealBatchItem]) -> None:
        for item in items:
            self._part(item).unlink(missing_ok=True)

    def tidy(self, items: Sequence[SealBatchItem]) -> None:
        """What killed workers left: released files go where they belong, the others away. Only while nobody works."""
        known = {item.id: item for item in items}
        for part in self._output.rglob(".zhengyin-*.part"):
            found = _PART.fullmatch(part.name)
            item = known.get(found.group(1)) if found else None
            if item is None:
                continue
            if item.state == ItemState.SEALED and _digest(part) == item.result and not self._target(item).exists():
                _move(part, self._target(item))
                _sync_folder(part.parent)
            part.unlink(missing_ok=True)

    def _kept(self, item: SealBatchItem, file: GrowingFile) -> str:
        part = self._part(item)
        if isinstance(file, DiskFile):
            file.finish()
            return _digest(part)
        content = file.buffer
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        return hashlib.sha256(content).hexdigest()

    def _target(self, item: SealBatchItem) -> Path:
        return self._output / item.output

    def _part(self, item: SealBatchItem) -> Path:
        return self._target(item).with_name(f".zhengyin-{item.id}-{os.getpid()}.part")


def place(content: bytes, target: Path, name: str) -> None:
    """A released file from elsewhere, whole or not at all; one of the same content is there already."""
    if os.path.lexists(target) and _digest(target) == hashlib.sha256(content).hexdigest():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".zhengyin-{name}-{os.getpid()}.part")
    with part.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    _move(part, target)
    _sync_folder(target.parent)


def _move(part: Path, target: Path) -> None:
    """Whole or not at all, and never over another file: what appeared there meanwhile keeps its place, and ours gets a
    number. File systems without hard links rename."""
    part.chmod(0o644)
    free = target
    for number in range(1, 1000):
        try:
            os.link(part, free)
        except FileExistsError:
            free = target.with_name(f"{target.stem}-{number}{target.suffix}")
            continue
        except OSError:
            if os.path.lexists(free):
                free = target.with_name(f"{target.stem}-{number}{target.suffix}")
                continue
            part.rename(free)
        break
    with contextlib.suppress(FileNotFoundError):
        part.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
