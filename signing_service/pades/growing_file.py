"""A file that grows by revisions, in memory or on disk, and the digest of all of it without reading it twice."""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from signing_service.pdf.plain_file import Buffer, KnownSections
from signing_service.pdf.update import Update

_CHUNK = 1 << 18  # one buffer for all chunks, small enough for the processor's cache
SHA256 = "sha256"


class GrowingFile(Protocol):
    @property
    def buffer(self) -> Buffer:
        """All bytes so far, for random access."""
        ...

    @property
    def sections(self) -> KnownSections:
        """The cross-references that were read in it so far."""
        ...

    def digest_with(self, update: Update, algorithm: str = SHA256) -> bytes:
        """Digest over the file followed by the update, but for its container."""
        ...

    def append(self, content: bytes | bytearray) -> None: ...


class _RunningDigest:
    """The digest of what stands already, kept so that only additions are hashed."""

    def __init__(self, algorithm: str = SHA256) -> None:
        self.state = hashlib.new(algorithm)
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


class _RunningDigests:
    """SHA-256, which timestamps and most signatures want, and any other from when it is first asked for (Ed25519)."""

    def __init__(self) -> None:
        self.usual = _RunningDigest()
        self._all = {SHA256: self.usual}

    def with_update(self, update: Update, algorithm: str, whole: Callable[[], Buffer]) -> bytes:
        """`whole` gives all bytes so far, for a digest that begins only now."""
        running = self._all.get(algorithm)
        if running is None:
            running = self._all[algorithm] = _RunningDigest(algorithm)
            with memoryview(whole()) as view:
                running.state.update(view)
        return running.with_update(update)

    def add(self, content: bytes | bytearray) -> None:
        for running in self._all.values():
            running.waiting.append(content)


class MemoryFile:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.sections: KnownSections = {}
        self._digests = _RunningDigests()
        self._digests.add(content)

    @property
    def buffer(self) -> bytes:
        return self._content

    def digest_with(self, update: Update, algorithm: str = SHA256) -> bytes:
        return self._digests.with_update(update, algorithm, lambda: self._content)

    def append(self, content: bytes | bytearray) -> None:
        self._content = b"".join((self._content, content))
        self._digests.add(content)


class DiskFile:
    """A new file at `path` that starts as a copy of `source`. Hashed while it is copied, in chunks: memory stays flat.

    Use as a context manager; what was appended is on disk (synced) after `finish`.
    """

    def __init__(self, source: Path, path: Path) -> None:
        self.sections: KnownSections = {}
        self._digests = _RunningDigests()
        self._file = path.open("w+b", buffering=0)
        self._map: mmap.mmap | None = None
        with source.open("rb", buffering=0) as reader:
            copying = threading.Thread(target=self._copy, args=(reader.fileno(),))
            copying.start()
            position, chunk = 0, memoryview(bytearray(_CHUNK))
            while size := os.preadv(reader.fileno(), [chunk], position):
                self._digests.usual.state.update(chunk[:size])
                position += size
            copying.join()
        if os.fstat(self._file.fileno()).st_size != position:
            raise OSError(f"{path}: the copy is incomplete")
        self.source_digest = self._digests.usual.state.hexdigest()
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

    def digest_with(self, update: Update, algorithm: str = SHA256) -> bytes:
        return self._digests.with_update(update, algorithm, lambda: self.buffer)

    def append(self, content: bytes | bytearray) -> None:
        self._unmap()
        if self._file.write(content) != len(content):
            raise OSError("the file could not be written in full")
        self._digests.add(content)

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
