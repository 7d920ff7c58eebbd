"""Careful access to parsed PDF objects: a wrong type reads as absent instead of raising."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyhanko.pdf_utils import generic


def entry(dictionary: Any, key: str) -> Any:
    """The dereferenced value of a dictionary's key; None when absent, null, or when it is no dictionary."""
    if not isinstance(dictionary, generic.DictionaryObject) or key not in dictionary:
        return None
    value = dictionary.raw_get(key)
    value = resolve(value)
    return None if isinstance(value, generic.NullObject) else value


def raw_entry(dictionary: Any, key: str) -> Any:
    """Like `entry`, but a reference stays a reference."""
    if not isinstance(dictionary, generic.DictionaryObject) or key not in dictionary:
        return None
    return dictionary.raw_get(key)


def raw_items(array: Any) -> Iterator[Any]:
    """The elements of an array without dereferencing; nothing when it is no array."""
    if isinstance(array, generic.ArrayObject):
        for index in range(len(array)):
            yield array.raw_get(index)


def reference_items(array: Any) -> list[generic.Reference]:
    """The references among an array's elements."""
    return [item.reference for item in raw_items(array) if isinstance(item, generic.IndirectObject)]


def resolve(item: Any) -> Any:
    """The object itself where a reference to it is given."""
    reference: Any = item
    return reference.get_object() if isinstance(item, generic.IndirectObject) else item


def make_dictionary(entries: Mapping[str, Any] | None = None) -> Any:
    """A dictionary; its values are PDF objects."""
    untyped: Any = generic.DictionaryObject
    return untyped({generic.NameObject(key): value for key, value in (entries or {}).items()})


def make_number(value: float) -> Any:
    """An integer, or a real with four decimals."""
    untyped: Any = generic.NumberObject if isinstance(value, int) else generic.FloatObject
    return untyped(value if isinstance(value, int) else round(value, 4))


def number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, (generic.NumberObject, generic.FloatObject)) else default


def numbers(array: Any) -> list[float] | None:
    """An array of numbers, or None when it is anything else."""
    values = [resolve(item) for item in raw_items(array)]
    if not values or not all(isinstance(value, (generic.NumberObject, generic.FloatObject)) for value in values):
        return None
    return [float(value) for value in values]


def text(value: Any) -> str:
    """A text string or name; empty when it is anything else."""
    if isinstance(value, (generic.TextStringObject, generic.NameObject)):
        return str(value)
    if isinstance(value, generic.ByteStringObject):
        return bytes(value.original_bytes).decode("latin-1")
    return ""
