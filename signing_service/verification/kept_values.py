"""Whether a later value still holds all of an earlier one: dictionaries may gain entries, levels may rise."""

from __future__ import annotations

from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.syntax import Dictionary, Name


def raised(old: Document, was: Any, new: Document, now: Any, depth: int = 0) -> bool:
    """Everything is still there; versions and levels are no lower."""
    was, now = old.resolve(was), new.resolve(now)
    if isinstance(was, Dictionary) and depth < 5:
        return isinstance(now, Dictionary) and all(
            raised(old, item, new, now.get(key), depth + 1) for key, item in was.items()
        )
    if isinstance(was, list) and depth < 5:
        return isinstance(now, list) and all(
            any(raised(old, item, new, other, depth + 1) for other in now) for item in was
        )
    if isinstance(was, int | float) and isinstance(now, int | float):
        return now >= was
    if isinstance(was, Name) and isinstance(now, Name) and _version(was) and _version(now):
        return _version(now) >= _version(was)
    return was is None or (type(was) is type(now) and bool(was == now))


def _version(name: Name) -> tuple[int, ...]:
    """`1.7` as numbers; empty for any other name."""
    parts = name.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() and len(part) < 5 for part in parts) else ()


def contains(now: Any, was: Any) -> bool:
    """Everything that was there is still there, unchanged."""
    if isinstance(was, Dictionary):
        return isinstance(now, Dictionary) and all(key in now and contains(now[key], item) for key, item in was.items())
    return was is None or bool(now == was)
