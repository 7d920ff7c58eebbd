"""Signing from file to file: the result appears whole or not at all (B27), and memory does not grow with the file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from signing_service.pades.growing_file import DiskFile
from signing_service.pades.ports import RevocationSource, SigningKey, Timestamper
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign_growing


def sign_file(
    source: Path,
    target: Path,
    request: SignatureRequest,
    key: SigningKey,
    *,
    timestamper: Timestamper | None = None,
    revocation: RevocationSource | None = None,
) -> None:
    """`target` is the signed `source` when this returns; when it raises, `target` is as it was before."""
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with DiskFile(source, unfinished) as file:
            sign_growing(file, request, key, timestamper=timestamper, revocation=revocation)
            file.finish()
        unfinished.replace(target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
