"""Cursors of paged answers: opaque to callers, and refused when altered into something else."""

from __future__ import annotations

import base64
import binascii

from cert_registry.errors import RegistryError, Text


class CursorInvalid(RegistryError):
    code = "request_invalid"

    def __init__(self) -> None:
        super().__init__(
            Text("翻页标记不对。", "The paging cursor is not valid."),
            advice=Text("请使用上一页返回的 next。", "Use `next` as the page before gave it."),
        )


def to_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"c{number}".encode()).decode().rstrip("=")


def from_cursor(text: str) -> int:
    """0 for an empty text. Raises CursorInvalid."""
    if not text:
        return 0
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
    if not plain.startswith("c") or not plain[1:].isdigit() or len(plain) > 18:
        raise CursorInvalid
    return int(plain[1:])
