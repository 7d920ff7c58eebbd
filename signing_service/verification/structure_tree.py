"""The logical structure (ISO 32000-2, 14.7): signing a tagged document adds nodes, it never takes any away."""

from __future__ import annotations

from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.syntax import Dictionary, Ref


class StructureGrowth:
    """Compares structure nodes of two revisions."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new

    def grown(self, was: Any, now: Any, depth: int = 0) -> bool:
        """A structure node whose kids and trees only gained entries."""
        was, now = self.old.resolve(was), self.new.resolve(now)
        if isinstance(was, list):
            return isinstance(now, list) and self._subsequence(was, now, depth)
        if not isinstance(was, Dictionary) or not isinstance(now, Dictionary) or depth > 20:
            return type(was) is type(now) and bool(was == now)
        for key in changed_keys(was, now) - {"ParentTreeNextKey"}:
            old, new = was.get(key), now.get(key)
            if key in ("K", "Nums", "Kids", "Limits") and old is not None:
                old, new = self._as_list(self.old, old), self._as_list(self.new, new)
                if key != "Limits" and not self._subsequence(old, new, depth):
                    return False
            elif old is not None and not (key == "ParentTree" and self.grown(old, new, depth + 1)):
                return False
        return True

    def _as_list(self, document: Document, value: Any) -> list[Any]:
        found = document.resolve(value)
        return found if isinstance(found, list) else [value]

    def _subsequence(self, was: list[Any], now: list[Any], depth: int) -> bool:
        """Every old item is still there, in order; a reference may have moved to an equal object."""
        rest = iter(now)
        return all(any(self._equal(item, other, depth) for other in rest) for item in was)

    def _equal(self, item: Any, other: Any, depth: int) -> bool:
        if item == other and type(item) is type(other):
            return True
        return isinstance(item, Ref) and isinstance(other, Ref) and depth < 20 and self.grown(item, other, depth + 1)


def changed_keys(was: Dictionary, now: Dictionary) -> set[str]:
    """Keys whose values differ between two dictionaries, references compared as references."""
    return {key for key in set(was) | set(now) if was.get(key) != now.get(key)}
