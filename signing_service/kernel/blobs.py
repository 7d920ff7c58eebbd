"""Documents, content-addressed by SHA-256.

A blob is on the disk, file and folder synced, before its digest is returned.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from signing_service.errors import SigningServiceError, Text

PROBE = ".ready"


class BlobMissing(SigningServiceError):
    code = "blob_missing"

    def __init__(self, digest: str) -> None:
        super().__init__(
            Text("存储中没有这份文件。", "The store does not hold this document."),
            why=Text(f"摘要 {digest}。", f"Digest {digest}."),
            advice=Text(
                "请从备份恢复文件库,并运行 zhengyin doctor。",
                "Restore the blob store from backup and run zhengyin doctor.",
            ),
        )


class BlobDamaged(SigningServiceError):
    code = "blob_damaged"

    def __init__(self, digest: str) -> None:
        super().__init__(
            Text("存储的文件与其摘要不符。", "A stored document no longer matches its digest."),
            why=Text(f"摘要 {digest}。", f"Digest {digest}."),
            advice=Text("请勿使用该文件,并从备份恢复。", "Do not use the file; restore it from backup."),
        )


class BlobStore(Protocol):
    def put(self, content: bytes) -> str:
        """Keep the bytes; returns their SHA-256 in lower-case hex. Idempotent."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes, checked against the digest. Raises BlobMissing, BlobDamaged."""
        ...

    def digests(self) -> Iterator[str]:
        """Of everything that it holds, in order."""
        ...

    def check(self) -> None:
        """Write and read something small. Raises what the store raises when it cannot."""
        ...


class LocalBlobs:
    """A folder of files named by digest, two levels deep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        target = self._path(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise BlobDamaged(digest)
        return content

    def digests(self) -> Iterator[str]:
        found = self._folder.glob("[0-9a-f][0-9a-f]/*")
        return iter(sorted(path.name for path in found if not path.name.startswith(".")))

    def check(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._folder / PROBE, b"ready")
        if (self._folder / PROBE).read_bytes() != b"ready":
            raise OSError(f"{self._folder} does not give back what was written")

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def write_atomically(target: Path, content: bytes, *, mode: int = 0o600) -> None:
    """The whole file or none of it: written beside the target, synced, renamed, and the folder synced."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(content)
            part.flush()
            os.fchmod(part.fileno(), mode)
            os.fsync(part.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
