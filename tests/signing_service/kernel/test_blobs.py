"""Documents by digest: whole or not at all, and never another one's bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from signing_service.kernel.blobs import BlobDamaged, BlobMissing, LocalBlobs, write_atomically


def test_what_was_put_comes_back_under_its_digest(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest = blobs.put(b"content")
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert blobs.put(b"content") == digest
    assert blobs.get(digest) == b"content"


def test_a_swapped_file_is_noticed(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, other = blobs.put(b"one"), blobs.put(b"two")
    (tmp_path / digest[:2] / digest).write_bytes((tmp_path / other[:2] / other).read_bytes())
    with pytest.raises(BlobDamaged, match=digest):
        blobs.get(digest)


def test_a_lost_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlobMissing, match="a" * 64):
        LocalBlobs(tmp_path).get("a" * 64)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    target = tmp_path / "file"
    target.write_bytes(b"before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"after")
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
