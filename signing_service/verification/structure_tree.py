"""The logical structure (ISO 32000-2, 14.7): signing a tagged document adds nodes; what may go is the node of a note
that may go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.syntax import Dictionary, Ref


class StructureGrowth:
    """Compares structure nodes of two revisions. `gone` tells of an annotation's object number that no page shows any
    more; `shrunk` afterwards, that nodes of such annotations went with them."""

    def __init__(self, old: Document, new: Document, gone: Callable[[int], bool]) -> None:
        self.old, self.new, self._gone = old, new, gone
        self.shrunk = False
        self._equals: dict[tuple[int, int], bool] = {}
        self._additions: dict[int, bool] = {}

    def grown(self, was: Any, now: Any, depth: int = 0) -> bool:
        """A structure node whose kids and trees only gained entries, or lost those of gone annotations."""
        was, now = self.old.resolve(was), self.new.resolve(now)
        if isinstance(was, list):
            kept = self._numbers_kept if _is_leaf(was) else self._subsequence
            return isinstance(now, list) and kept(was, now, depth)
        if not isinstance(was, Dictionary) or not isinstance(now, Dictionary) or depth > 20:
            return type(was) is type(now) and bool(was == now)
        return all(
            self._entry_grown(key, was.get(key), now.get(key), depth)
            for key in changed_keys(was, now) - {"ParentTreeNextKey"}
        )

    def _entry_grown(self, key: str, old: Any, new: Any, depth: int) -> bool:
        if old is None or key == "Limits":
            return key in _MAY_APPEAR
        if key == "Nums":
            return self._numbers_kept(self._as_list(self.old, old), self._as_list(self.new, new), depth)
        if key in ("K", "Kids"):
            return self._subsequence(self._as_list(self.old, old), self._as_list(self.new, new), depth)
        return key == "ParentTree" and self.grown(old, new, depth + 1)

    def _as_list(self, document: Document, value: Any) -> list[Any]:
        found = document.resolve(value)
        return found if isinstance(found, list) else [value]

    def _subsequence(self, was: list[Any], now: list[Any], depth: int) -> bool:
        """Every old item is still there, in order; a reference may have moved to an equal object. What is new among
        them stands for something drawn anew, never for content that was there."""
        place, added = 0, list(range(len(now)))
        for item in was:
            found = next((at for at in range(place, len(now)) if self._equal(item, now[at], depth)), None)
            if found is None and not self._dropped(item, depth):
                return False
            if found is not None:
                place = found + 1
                added.remove(found)
        return all(self._may_be_added(now[at], depth) for at in added)

    def _may_be_added(self, item: Any, depth: int) -> bool:
        """A node of annotations or of their drawings; not one that puts other words to the page's own content."""
        if isinstance(item, Ref):
            if item.number not in self._additions:
                self._additions[item.number] = False
                self._additions[item.number] = self._may_be_added(self.new.resolve(item), depth)
            return self._additions[item.number]
        node = item
        if not isinstance(node, Dictionary) or depth > 20:
            return False
        if "S" not in node:
            return node.get("Type") == "OBJR" or "Stm" in node or "Nums" in node or "Kids" in node
        kids = self._as_list(self.new, node["K"]) if "K" in node else []
        return "ActualText" not in node and all(self._may_be_added(kid, depth + 1) for kid in kids)

    def _numbers_kept(self, was: list[Any], now: list[Any], depth: int) -> bool:
        """Every key of a number tree's leaf (7.9.7) still leads to the same, unless to the node of what is gone."""
        later = {key: value for key, value in zip(now[::2], now[1::2], strict=False) if isinstance(key, int)}
        return all(
            (isinstance(key, int) and key in later and self._equal(value, later[key], depth))
            or self._dropped(value, depth, any)
            for key, value in zip(was[::2], was[1::2], strict=False)
        )

    def _equal(self, item: Any, other: Any, depth: int) -> bool:
        if item == other and type(item) is type(other):
            return True
        if not (isinstance(item, Ref) and isinstance(other, Ref)) or depth >= 20:
            return False
        pair = (item.number, other.number)  # each asked once: nodes that share their kids would multiply the questions
        if pair not in self._equals:
            self._equals[pair] = False
            self._equals[pair] = self.grown(item, other, depth + 1)
        return self._equals[pair]

    def _dropped(self, item: Any, depth: int, how: Callable[[Iterable[bool]], bool] = all) -> bool:
        """Did this node stand for nothing but annotations that are gone (`how` any: for one of them)?"""
        node = self.old.resolve(item)
        if not isinstance(node, Dictionary) or depth > 20:
            return False
        if node.get("Type") == "OBJR":
            shown = node.get("Obj")
            dropped = isinstance(shown, Ref) and self._gone(shown.number)
        else:
            kids = self._as_list(self.old, node["K"]) if "K" in node else []
            dropped = bool(kids) and how([self._dropped(kid, depth + 1) for kid in kids])
        self.shrunk = self.shrunk or dropped
        return dropped


_MAY_APPEAR = {"K", "Kids", "Nums", "Limits", "ParentTree"}


def _is_leaf(items: list[Any]) -> bool:
    """Does it look like keys and values of a number tree (7.9.7)?"""
    keys, values = items[::2], items[1::2]
    whole = len(keys) == len(values) and all(isinstance(key, int) for key in keys)
    return bool(items) and whole and not any(isinstance(value, int) for value in values)


def changed_keys(was: Dictionary, now: Dictionary) -> set[str]:
    """Keys whose values differ between two dictionaries, references compared as references."""
    return {key for key in set(was) | set(now) if was.get(key) != now.get(key)}
