"""A file that grows by revisions, in memory or on disk, and the SHA-256 of all of it without reading it twice."""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from signing_service.pdf.plain_file import Buffer, KnownSections
from signing_service.pdf.update import Update

_CHUNK = 1 << 18  # one buffer for all chunks, small enough for the processor's cache


class GrowingFile(Protocol):
    @property
    def buffer(self) -> Buffer:
        """All bytes so far, for random access."""
        ...

    @property
    def sections(self) -> KnownSections:
        """The cross-references that were read in it so far."""
        ...

    def digest_with(self, update: Update) -> bytes:
        """SHA-256 over the file followed by the update, but for its container."""
        ...

    def append(self, content: bytes | bytearray) -> None: ...


class _RunningDigest:
    """The digest of what stands already, kept so that only additions are hashed."""

    def __init__(self) -> None:
        self.state = hashlib.sha256()
        self.waiting: list[bytes | bytearray] = []

    def with_update(self, update: Update) -> bytes:
        for content in self.waiting:
            self.state.update(content)
        self.waiting.clear()
        state = self.state.copy()
        view = memoryview(update.content)
        state.update(view[: update.container.start])
        state.update(view[update.container.end :])
        view.release()
        return state.digest()


class MemoryFile:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.sections: KnownSections = {}
        self._digest = _RunningDigest()
        self._digest.waiting.append(content)

    @property
    def buffer(self) -> bytes:
        return self._content

    def digest_with(self, update: Update) -> bytes:
        return self._digest.with_update(update)

    def append(self, content: bytes | bytearray) -> None:
        self._content = b"".join((self._content, content))
        self._digest.waiting.append(content)


class DiskFile:
    """A new file at `path` that starts as a copy of `source`. Hashed while it is copied, in chunks: memory stays flat.

    Use as a context manager; what was appended is on disk (synced) after `finish`.
    """

    def __init__(self, source: Path, path: Path) -> None:
        self.sections: KnownSections = {}
        self._digest = _RunningDigest()
        self._file = path.open("w+b", buffering=0)
        self._map: mmap.mmap | None = None
        with source.open("rb", buffering=0) as reader:
            copying = threading.Thread(target=self._copy, args=(reader.fileno(),))
            copying.start()
            position, chunk = 0, memoryview(bytearray(_CHUNK))
            while size := os.preadv(reader.fileno(), [chunk], position):
                self._digest.state.update(chunk[:size])
                position += size
            copying.join()
        if os.fstat(self._file.fileno()).st_size != position:
            raise OSError(f"{path}: the copy is incomplete")
        self.source_digest = self._digest.state.hexdigest()
        self._file.seek(0, os.SEEK_END)

    def _copy(self, source: int) -> None:
        position = 0
        while True:
            try:
                copied = os.sendfile(self._file.fileno(), source, position, 1 << 30)
            except OSError:  # noted by the size check
                return
            if not copied:
                return
            position += copied

    @property
    def buffer(self) -> mmap.mmap:
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ)
        return self._map

    def digest_with(self, update: Update) -> bytes:
        return self._digest.with_update(update)

    def append(self, content: bytes | bytearray) -> None:
        self._unmap()
        if self._file.write(content) != len(content):
            raise OSError("the file could not be written in full")
        self._digest.waiting.append(content)

    def finish(self) -> None:
        os.fsync(self._file.fileno())

    def _unmap(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unmap()
        self._file.close()
