"""Does content that somebody states agree with the register? Rules only: an answer for each entry, never the value."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from cert_registry.licences.catalogue import LicenceType

Agreement = Literal["match", "mismatch", "not_granted", "no_such_field"]


def compare_fields(
    kind: LicenceType, stored: Mapping[str, Any], stated: Mapping[str, Any], may_see: Callable[[str], bool]
) -> dict[str, Agreement]:
    """Entry by entry; spaces and the width of signs do not count, numbers compare by value."""
    return {name: _one(kind, stored, name, value, may_see) for name, value in stated.items()}


def _one(
    kind: LicenceType, stored: Mapping[str, Any], name: str, value: Any, may_see: Callable[[str], bool]
) -> Agreement:
    field = kind.field(name)
    if field is None:
        return "no_such_field"
    if not may_see(name):
        return "not_granted"
    if field.kind == "number":
        same = _number(stored.get(name)) == _number(value)
    elif field.kind == "list":
        same = _items(stored.get(name)) == _items(value)
    else:
        same = plain(stored.get(name)) == plain(value)
    return "match" if same else "mismatch"


def plain(value: Any) -> str:
    """Text without spaces, full-width signs made narrow."""
    return "".join(unicodedata.normalize("NFKC", "" if value is None else str(value)).split())


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _items(value: Any) -> list[str]:
    return sorted(map(plain, value)) if isinstance(value, list) else [plain(value)]
