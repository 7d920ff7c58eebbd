"""PDF dictionaries at the level of bytes: where each top-level value begins and ends, and putting another in its place.

Only what ordinary writers produce is understood; anything else raises NotPlain, and the caller takes the complete path.
"""

from __future__ import annotations

import mmap
import re

_TOKEN = re.compile(
    rb"[\x00\t\n\f\r ]*(%[^\r\n]*|\[[\s\dR.\-]*\]|<<|>>|\[|\]|/[^\x00\t\n\f\r ()<>\[\]{}/%]*|<[0-9A-Fa-f\s]*>|\(|"
    rb"[^\x00\t\n\f\r ()<>\[\]{}/%]+)"
)
_SPACE = rb"[\x00\t\n\f\r ]*+"
_SIMPLE_VALUE = (
    rb"/[^\x00\t\n\f\r ()<>\[\]{}/%]*+|\d+[ \r\n]+\d+[ \r\n]+R(?![A-Za-z])|[-+.\d]++(?![A-Za-z])|true|false|"
    rb"\[[^\[\]()<>%{}]*+\]|<[0-9A-Fa-f\s]*+>|\([^()\\]*+\)|"
    rb"<<(?:[^<>()%\[\]{}]++|\[[^\[\]()<>%{}]*+\]|<<[^<>()%\[\]{}]*+>>)*+>>"
)
_SIMPLE_KEY = rb"/[^\x00\t\n\f\r ()<>\[\]{}/%]*+"
_PAIR = re.compile(_SPACE + rb"(" + _SIMPLE_KEY + rb")" + _SPACE + rb"(" + _SIMPLE_VALUE + rb")")
_SIMPLE = re.compile(
    _SPACE + rb"<<((?:" + _SPACE + _SIMPLE_KEY + _SPACE + rb"(?:" + _SIMPLE_VALUE + rb"))*+)" + _SPACE + rb">>"
)
_SCALAR = re.compile(rb"(?:/[^\s()<>\[\]{}/%]*|\d+\s+\d+\s+R|[-+.\d]+|true|false|null)\Z")
_REFERENCE = re.compile(rb"\s*(\d+)\s+(\d+)\s+R\s*\Z")
_REFERENCES = re.compile(rb"(\d+)\s+(\d+)\s+R\b")
_ARRAY_OF_REFERENCES = re.compile(rb"\s*\[\s*(?:\d+\s+\d+\s+R\s*)*\]\s*\Z")


class NotPlain(Exception):  # control flow between the two paths; it never leaves the package
    """The file, or this request on it, needs the complete path."""


class PlainDictionary(dict[bytes, bytes]):
    """The source of a dictionary's top-level values by key (with the slash), and its own `source` as a whole."""

    __slots__ = ("source",)

    source: bytes

    def with_entry(self, key: bytes, value: bytes) -> bytes:
        """The source with that value replaced or added."""
        if key not in self:
            return self.source[:-2] + key + b" " + value + b">>"
        first, last = _spans(self.source)[key]
        return self.source[:first] + b" " + value + b" " + self.source[last:]


def parse_dictionary(source: bytes) -> PlainDictionary:
    """The dictionary at the beginning of `source` (white space before it allowed). Raises NotPlain."""
    simple = parse_simple(source, 0, len(source))
    return simple[0] if simple is not None else parse_any(source)[0]


def parse_simple(source: bytes | mmap.mmap, start: int, limit: int) -> tuple[PlainDictionary, int] | None:
    """A dictionary written as writers usually do, and where it ends; None when there is anything else."""
    match = _SIMPLE.match(source, start, limit)
    if match is None:
        return None
    found = PlainDictionary(_PAIR.findall(match.group(1)))
    found.source = match.group().lstrip(b"\x00\t\n\f\r ")
    return found, match.end()


def parse_any(source: bytes) -> tuple[PlainDictionary, int]:
    """Any dictionary that plain files have, and where it ends. Raises NotPlain."""
    spans, first, last = _tokenised(source)
    found = PlainDictionary({key: source[begin:end] for key, (begin, end) in spans.items()})
    found.source = source[first:last]
    return found, last


def _spans(source: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each value begins and ends in a dictionary that was read before."""
    if _SIMPLE.fullmatch(source):
        return {pair.group(1): pair.span(2) for pair in _PAIR.finditer(source, 2)}
    return _tokenised(source)[0]


def _tokenised(source: bytes) -> tuple[dict[bytes, tuple[int, int]], int, int]:
    """Spans of the values, and of the dictionary itself."""
    opening = _TOKEN.match(source)
    while opening is not None and opening.group(1).startswith(b"%"):
        opening = _TOKEN.match(source, opening.end())
    if opening is None or opening.group(1) != b"<<":
        raise NotPlain("dictionary expected")
    spans: dict[bytes, tuple[int, int]] = {}
    open_brackets, position = [b">>"], opening.end()
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
    return spans, opening.start(1), position


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
    if value is None:
        return None
    if value.endswith(b" 0 R") and value[:-4].isdigit():
        return int(value[:-4])
    match = _REFERENCE.match(value)
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
