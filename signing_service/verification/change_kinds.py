"""Sorts of change between two revisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What sort of change, in the order of how much it touches."""

    LONG_TERM = 0
    SIGNING = 1
    FORM = 2
    ANNOTATION = 3
    OTHER = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `field` is the full name of the form field concerned, `detail` English."""

    kind: Kind
    detail: str
    field: str = ""
