"""Reads PDF objects (ISO 32000-2, 7.3) from bytes, keeping the position of every hexadecimal string.

Positions matter: a signature counts only when the hole in its byte range is exactly the string that the reader took
as its /Contents. The reader is iterative (no recursion on hostile input) and bounded in depth.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from signing_service.verification.errors import DamagedPdf, ResourceLimit

WHITE = b"\0\t\n\f\r "
_WS = rb"[\0\t\n\f\r ]"
_REGULAR = rb"[^\0\t\n\f\r ()<>\[\]{}/%]"
_TOKEN = re.compile(
    rb"(?:" + _WS + rb"++|%[^\r\n]*+)*+(?:"
    rb"(<<)|(>>)|(\[)|(\])"
    rb"|/(" + _REGULAR + rb"*+)"
    rb"|(\d{1,10})" + _WS + rb"++(\d{1,5})" + _WS + rb"++R(?!" + _REGULAR + rb")"
    rb"|([+-]?\d{1,20}+)(?!" + _REGULAR + rb")"
    rb"|\(([^()\\\r]*+)\)"
    rb"|(\()"
    rb"|<([0-9A-Fa-f\0\t\n\f\r ]*+)>"
    rb"|(" + _REGULAR + rb"++)"
    rb")"
)
_HEADER = re.compile(rb"(\d{1,10})" + _WS + rb"++(\d{1,5})" + _WS + rb"++obj(?!" + _REGULAR + rb")")
_PARENS = re.compile(rb"[()\\\r]")
_STREAM = re.compile(rb"(?:" + _WS + rb"++|%[^\r\n]*+)*+stream(\r\n|\n|\r)?")
_NAME_ESCAPE = re.compile(r"#([0-9A-Fa-f]{2})")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_REFERENCE = re.compile(rb"(\d{1,10})" + _WS + rb"++\d{1,5}" + _WS + rb"++R(?!" + _REGULAR + rb")")
_WORDS: dict[bytes, Any] = {b"true": True, b"false": False, b"null": None}


class Name(str):
    """A PDF name without its slash, one character a byte (Latin-1)."""

    __slots__ = ()


class Ref(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int


class HexString(bytes):
    """A string written in hexadecimal; `start` and `end` are file offsets of `<` and of the byte after `>`."""

    start: int
    end: int


class Dictionary(dict[str, Any]):
    """A dictionary; `repeated` tells that a key occurred twice, which readers resolve differently."""

    repeated = False


class Stream:
    """A stream: its dictionary and where its raw bytes lie."""

    __slots__ = ("dictionary", "length", "start")

    def __init__(self, dictionary: Dictionary, start: int, length: int) -> None:
        self.dictionary, self.start, self.length = dictionary, start, length


def parse_header(data: bytes, position: int, end: int) -> tuple[int, int, int]:
    """`N G obj` at or after white space: (number, generation, position behind it)."""
    while position < end and data[position] in WHITE:
        position += 1
    match = _HEADER.match(data, position, end)
    if match is None:
        raise DamagedPdf(f"no object at offset {position}")
    return int(match[1]), int(match[2]), match.end()


def stream_start(data: bytes, position: int, end: int) -> int | None:
    """Where a stream's data begins if the keyword `stream` follows, else None."""
    match = _STREAM.match(data, position, end)
    return match.end() if match else None


def references(region: bytes) -> set[int]:
    """Object numbers that a piece of source text refers to. Over-counts inside strings, never under-counts."""
    if b"%" in region:
        region = re.sub(rb"%[^\r\n]*", b" ", region) + region
    return {int(number) for number in _REFERENCE.findall(region)}


def parse_value(data: bytes, position: int, end: int, nesting: int = 100) -> tuple[Any, int]:
    """One object starting at `position`: (value, position behind it). Raises DamagedPdf or ResourceLimit."""
    stack: list[tuple[list[Any], bool]] = []
    items: list[Any] = []
    is_dictionary = False
    while True:
        match = _TOKEN.match(data, position, end)
        if match is None:
            raise DamagedPdf(f"unreadable token at offset {position}")
        kind, position = match.lastindex, match.end()
        value: Any
        if kind == 1 or kind == 3:
            stack.append((items, is_dictionary))
            if len(stack) > nesting:
                raise ResourceLimit("nesting of objects")
            items, is_dictionary = [], kind == 1
            continue
        if kind == 2 or kind == 4:
            if not stack or is_dictionary != (kind == 2):
                raise DamagedPdf(f"unbalanced bracket at offset {position}")
            value = _dictionary(items, position) if is_dictionary else items
            items, is_dictionary = stack.pop()
        elif kind == 7:
            value = Ref(int(match[6]), int(match[7]))
        else:
            value, position = _scalar(match, kind, data, position, end)
            if value is _R:
                value = _late_reference(items, position)
        if not stack:
            return value, position
        items.append(value)


_R = object()


def _scalar(match: re.Match[bytes], kind: int | None, data: bytes, position: int, end: int) -> tuple[Any, int]:
    if kind == 5:
        return _name(match[5]), position
    if kind == 8:
        return int(match[8]), position
    if kind == 9:
        return match[9], position
    if kind == 10:
        return _literal(data, position, end)
    if kind == 11:
        return _hexadecimal(match), position
    return _word(match[12], position), position


def _name(raw: bytes) -> Name:
    text = raw.decode("latin-1")
    if "#" in text:
        text = _NAME_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return Name(text)


def _word(word: bytes, position: int) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    if word == b"R":
        return _R
    try:
        return float(word)
    except ValueError:
        raise DamagedPdf(f"unknown word before offset {position}") from None


def _late_reference(items: list[Any], position: int) -> Ref:
    """`5 0 %comment R`: the numbers were already taken as integers."""
    if len(items) >= 2 and type(items[-1]) is int and type(items[-2]) is int:
        generation, number = items.pop(), items.pop()
        return Ref(number, generation)
    raise DamagedPdf(f"stray R before offset {position}")


def _hexadecimal(match: re.Match[bytes]) -> HexString:
    digits = match[11].translate(None, WHITE)
    value = HexString(bytes.fromhex((digits + b"0" if len(digits) % 2 else digits).decode("ascii")))
    value.start, value.end = match.start(11) - 1, match.end(11) + 1
    return value


def _literal(data: bytes, position: int, end: int) -> tuple[bytes, int]:
    """A literal string with escapes or nested parentheses; `position` is behind the opening one."""
    out, depth = bytearray(), 1
    while True:
        match = _PARENS.search(data, position, end)
        if match is None:
            raise DamagedPdf("unterminated string")
        out += data[position : match.start()]
        position, found = match.end(), match[0]
        if found == b"\\":
            position = _escape(data, position, out)
        elif found == b"\r":
            out += b"\n"
            position += data[position : position + 1] == b"\n"
        else:
            depth += 1 if found == b"(" else -1
            if depth == 0:
                return bytes(out), position
            out += found


def _escape(data: bytes, position: int, out: bytearray) -> int:
    octal = re.compile(rb"[0-7]{1,3}").match(data, position)
    if octal:
        out.append(int(octal[0], 8) & 255)
        return octal.end()
    letter = data[position : position + 1]
    if letter == b"\r":
        return position + (2 if data[position + 1 : position + 2] == b"\n" else 1)
    if letter != b"\n":
        out += _ESCAPES.get(letter, letter)
    return position + 1


def _dictionary(items: list[Any], position: int) -> Dictionary:
    result = Dictionary()
    keys = items[::2]
    if len(items) % 2 or not all(isinstance(key, Name) for key in keys):
        raise DamagedPdf(f"odd dictionary before offset {position}")
    result.update(zip(keys, items[1::2], strict=True))
    if len(result) != len(keys):
        result.repeated = True
    return result
