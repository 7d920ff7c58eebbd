"""Uploaded files kept for a quarter of an hour, so that a reader without scripts need not choose the file twice.

Files of their own under unguessable names, so that every worker process of the machine finds them; gone when their
time is up or the shelf is full.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cert_registry.errors import RegistryError, Text
from signing_service.kernel.blobs import write_atomically

LASTS = timedelta(minutes=15)
MOST_BYTES = 512 * 1024 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


class NoLongerKept(RegistryError):
    code = "upload_no_longer_kept"

    def __init__(self) -> None:
        super().__init__(
            Text("上传的文件已从服务器删除。", "The uploaded file is no longer kept here."),
            why=Text("文件只保留十五分钟。", "Files are kept for fifteen minutes."),
            advice=Text("请重新上传文件核验。", "Upload the file and verify it again."),
        )


class Shelf:
    """`folder` is this server's own; it is made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes, now: datetime) -> str:
        """Keep the file; returns the name to ask for it with. Old files go first."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep(now, MOST_BYTES - len(content))
        token = secrets.token_urlsafe(24)
        write_atomically(self._folder / f"{int(now.timestamp())}.{token}", content)
        return token

    def get(self, token: str, now: datetime) -> bytes:
        """Raises NoLongerKept."""
        if _TOKEN.fullmatch(token):
            for path in self._folder.glob(f"*.{token}"):
                if _kept_at(path) > (now - LASTS).timestamp():
                    return path.read_bytes()
        raise NoLongerKept

    def _sweep(self, now: datetime, room: int) -> None:
        for path in sorted(self._folder.iterdir(), key=_kept_at, reverse=True):
            size = path.stat().st_size
            room -= size
            if room < 0 or _kept_at(path) <= (now - LASTS).timestamp():
                path.unlink(missing_ok=True)


def _kept_at(path: Path) -> float:
    stamp = path.name.partition(".")[0]
    return float(stamp) if stamp.isdigit() else 0.0
