"""PDF dictionaries at the level of bytes: where each top-level value begins and ends, and putting another in its place.

Only what ordinary writers produce is understood; anything else raises NotPlain, and the caller takes the complete path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    rb"[\x00\t\n\f\r ]*(%[^\r\n]*|\[[\s\dR.\-]*\]|<<|>>|\[|\]|/[^\x00\t\n\f\r ()<>\[\]{}/%]*|<[0-9A-Fa-f\s]*>|\(|"
    rb"[^\x00\t\n\f\r ()<>\[\]{}/%]+)"
)
_PAIR = re.compile(
    rb"[\x00\t\n\f\r ]*+(/[^\x00\t\n\f\r ()<>\[\]{}/%]*+)[\x00\t\n\f\r ]*+"
    rb"(/[^\x00\t\n\f\r ()<>\[\]{}/%]*+|\d+[ \r\n]+\d+[ \r\n]+R(?![A-Za-z])|[-+.\d]++(?![A-Za-z])|true|false|"
    rb"\[[^\[\]()<>%{}]*+\]|<[0-9A-Fa-f\s]*+>|\([^()\\]*+\)|"
    rb"<<(?:[^<>()%\[\]{}]++|\[[^\[\]()<>%{}]*+\]|<<[^<>()%\[\]{}]*+>>)*+>>)"
)
_SCALAR = re.compile(rb"(?:/[^\s()<>\[\]{}/%]*|\d+\s+\d+\s+R|[-+.\d]+|true|false|null)\Z")
_OPENING, _CLOSING = re.compile(rb"[\x00\t\n\f\r ]*+<<"), re.compile(rb"[\x00\t\n\f\r ]*+>>")
_REFERENCE = re.compile(rb"\s*(\d+)\s+(\d+)\s+R\s*\Z")
_REFERENCES = re.compile(rb"(\d+)\s+(\d+)\s+R\b")
_ARRAY_OF_REFERENCES = re.compile(rb"\s*\[\s*(?:\d+\s+\d+\s+R\s*)*\]\s*\Z")


class NotPlain(Exception):  # control flow between the two paths; it never leaves the package
    """The file, or this request on it, needs the complete path."""


@dataclass(slots=True)
class PlainDictionary:
    """A dictionary's source, and the source of its top-level values by key (with the slash)."""

    source: bytes
    spans: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def get(self, key: bytes) -> bytes | None:
        span = self.spans.get(key)
        return self.source[span[0] : span[1]] if span else None

    def with_entry(self, key: bytes, value: bytes) -> bytes:
        """The source with that value replaced or added."""
        span = self.spans.get(key)
        if span:
            return self.source[: span[0]] + b" " + value + b" " + self.source[span[1] :]
        return self.source[:-2] + key + b" " + value + b">>"


def parse_dictionary(source: bytes, start: int = 0) -> PlainDictionary:
    """The dictionary that begins at `start` (white space before it allowed). Raises NotPlain."""
    simple = _parse_simple(source, start)
    return simple if simple is not None else _parse_any(source, start)


def _parse_simple(source: bytes, start: int) -> PlainDictionary | None:
    """Keys and values as writers usually put them, one match a pair; None when there is anything else."""
    opening = _OPENING.match(source, start)
    if opening is None:
        return None
    base, position = opening.end() - 2, opening.end()
    spans = {}
    while (pair := _PAIR.match(source, position)) is not None:
        first, last = pair.span(2)
        spans[pair.group(1)] = (first - base, last - base)
        position = last
    closing = _CLOSING.match(source, position)
    return PlainDictionary(bytes(source[base : closing.end()]), spans) if closing is not None else None


def _parse_any(source: bytes, start: int) -> PlainDictionary:
    opening = _TOKEN.match(source, start)
    while opening is not None and opening.group(1).startswith(b"%"):
        opening = _TOKEN.match(source, opening.end())
    if opening is None or opening.group(1) != b"<<":
        raise NotPlain("dictionary expected")
    spans, open_brackets, position = {}, [b">>"], opening.end()
    key: bytes | None = None
    first, last = -1, -1
    while True:
        match = _TOKEN.match(source, position)
        if match is None:
            raise NotPlain("dictionary without end, or a stray character")
        token, begin, position = match.group(1), match.start(1), match.end()
        if token[0] == 0x25:  # a comment
            continue
        if token == b"(":
            position = _string_end(source, begin)
        if token in (b">>", b"]"):
            if token != open_brackets.pop():
                raise NotPlain("brackets do not match")
            if not open_brackets:
                break
        elif len(open_brackets) == 1 and token[0] == 0x2F and (key is None or first >= 0):
            if key is not None:
                spans[key] = (first, last)
            key, first = token, -1
            continue
        elif len(open_brackets) == 1 and first < 0:
            first = begin
        elif len(open_brackets) == 1 and (source[first] in b"<[(" or not (token.isdigit() or token == b"R")):
            raise NotPlain("stray token")  # only a reference has several
        if token in (b"<<", b"["):
            open_brackets.append(b">>" if token == b"<<" else b"]")
        last = position
    if key is not None:
        spans[key] = (first, last)
    for begin, end in spans.values():
        if begin < 0 or not (source[begin] in b"<[(" or _SCALAR.match(source[begin:end])):
            raise NotPlain("key without a proper value")
    base = opening.start(1)
    moved = {name: (span[0] - base, span[1] - base) for name, span in spans.items()}
    return PlainDictionary(bytes(source[base:position]), moved)


def _string_end(source: bytes, position: int) -> int:
    depth = 0
    while position < len(source):
        octet = source[position]
        if octet == 0x5C:
            position += 2
            continue
        if octet == 0x28:
            depth += 1
        elif octet == 0x29:
            depth -= 1
            if not depth:
                return position + 1
        position += 1
    raise NotPlain("string without end")


def reference(value: bytes | None) -> int | None:
    """The object number that a value refers to (generation 0), or None when it is no reference."""
    match = _REFERENCE.match(value) if value is not None else None
    if match is None:
        return None
    if match.group(2) != b"0":
        raise NotPlain("generation above zero")
    return int(match.group(1))


def references(array: bytes) -> list[int]:
    """The object numbers of an array that holds nothing but references. Raises NotPlain."""
    if _ARRAY_OF_REFERENCES.match(array) is None:
        raise NotPlain("array of references expected")
    found = _REFERENCES.findall(array)
    if any(generation != b"0" for _, generation in found):
        raise NotPlain("generation above zero")
    return [int(number) for number, _ in found]


def numbers(array: bytes | None) -> list[float] | None:
    """A direct array of numbers; None when absent. Raises NotPlain for anything else."""
    if array is None:
        return None
    text = array.strip()
    if not text.startswith(b"[") or b"R" in text:
        raise NotPlain("array of numbers expected")
    return [float(part) for part in text[1:-1].split()]
