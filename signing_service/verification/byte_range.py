"""Coverage (ISO 32000-2, 12.8.1): does a signature's byte range say exactly what it must?

From offset 0; one hole; the hole is this signature's own /Contents, no byte more; up to the end of a revision.
Universal
signature forgery and signature wrapping live on readers that accept anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signing_service.verification.fields import hole_of
from signing_service.verification.syntax import Dictionary, HexString


@dataclass(frozen=True, slots=True)
class Coverage:
    """`end` is how many bytes of the file the signature speaks for; `problem` is None when the range is right
    (English)."""

    start: int
    hole: tuple[int, int]
    end: int
    problem: str | None = None

    @property
    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.start, self.hole[0]), (self.hole[1], self.end)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A signature dictionary that was never signed (a placeholder), or cannot be one; `forged` when it pretends to
    be."""

    problem: str
    forged: bool


def read_coverage(dictionary: Dictionary, size: int) -> Coverage | Unsigned:
    """Judge /ByteRange and /Contents of one signature dictionary; `size` is the length of the file."""
    contents, given = dictionary.get("Contents"), dictionary.get("ByteRange")
    numbers = _numbers(given)
    if numbers is None:
        return Unsigned(
            "the byte range is missing or no list of four numbers", forged=not _is_placeholder(given, contents)
        )
    if not isinstance(contents, bytes) or not contents.strip(b"\0"):
        return _empty(dictionary, numbers, size)
    start, first, second, length = numbers
    hole = (start + first, second)
    problem = _problem(dictionary, numbers, size)
    return Coverage(start, hole, second + length, problem)


def _numbers(value: Any) -> tuple[int, int, int, int] | None:
    if isinstance(value, list) and len(value) == 4 and all(type(number) is int for number in value):
        return value[0], value[1], value[2], value[3]
    return None


def _is_placeholder(given: Any, contents: Any) -> bool:
    """Prepared for signing: a list whose numbers are still to be filled in, around zeros only."""
    return isinstance(given, list) and isinstance(contents, bytes) and len(contents) > 255 and not contents.strip(b"\0")


def _empty(dictionary: Dictionary, numbers: tuple[int, int, int, int], size: int) -> Unsigned:
    """All-zero contents with a fitting hole are a document waiting for its signature; anything else pretends."""
    waiting = isinstance(dictionary.get("Contents"), bytes) and _problem(dictionary, numbers, size) is None
    return Unsigned("there is no signature value", forged=not waiting)


def _problem(dictionary: Dictionary, numbers: tuple[int, int, int, int], size: int) -> str | None:
    start, first, second, length = numbers
    if min(numbers) < 0 or second + length > size:
        return "the byte range reaches beyond the file"
    if start != 0:
        return "the byte range does not begin at the file's first byte"
    if second <= first:
        return "the byte ranges overlap"
    if not isinstance(dictionary.get("Contents"), HexString):
        return "the signature value is not a direct hexadecimal string"
    if hole_of(dictionary) != (first, second):
        return "the hole in the byte range is not exactly the signature value"
    return "the signature dictionary has a key twice" if dictionary.repeated else None
