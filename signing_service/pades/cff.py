"""A small CID-keyed CFF font program from finished glyph outlines (Adobe Technical Notes 5176 and 5177)."""

from __future__ import annotations

from collections.abc import Sequence

_ROS, _CID_COUNT, _FD_ARRAY, _FD_SELECT = b"\x0c\x1e", b"\x0c\x22", b"\x0c\x24", b"\x0c\x25"
_CHARSET, _CHAR_STRINGS, _PRIVATE, _DEFAULT_WIDTH, _FONT_BBOX = b"\x0f", b"\x11", b"\x12", b"\x14", b"\x05"
_FIRST_OWN_STRING = 391
_FULL_WIDTH = 1000


def cid_font(name: str, glyphs: Sequence[bytes]) -> bytes:
    """The font program (1000 units an em). Glyph i has CID i; glyph 0 is .notdef. Charstrings carry their width."""
    count = len(glyphs)
    header = b"\x01\x00\x04\x04"
    strings = _index([b"Adobe", b"Identity"])
    charset = b"\x02" + _card16(1) + _card16(count - 2) if count > 1 else b"\x00"
    select = b"\x03" + _card16(1) + _card16(0) + b"\x00" + _card16(count)
    private = _integer(_FULL_WIDTH) + _DEFAULT_WIDTH
    outlines = _index(glyphs)

    def assembled(
        charset_at: int, select_at: int, outlines_at: int, dictionary_at: int, private_at: int
    ) -> list[bytes]:
        top = b"".join(
            (
                *(_integer(value) for value in (_FIRST_OWN_STRING, _FIRST_OWN_STRING + 1, 0)),
                _ROS,
                *(_integer(value) for value in (-1000, -1000, 2000, 2000)),
                _FONT_BBOX,
                _integer(count) + _CID_COUNT,
                _integer(charset_at) + _CHARSET,
                _integer(select_at) + _FD_SELECT,
                _integer(outlines_at) + _CHAR_STRINGS,
                _integer(dictionary_at) + _FD_ARRAY,
            )
        )
        font = _integer(len(private)) + _integer(private_at) + _PRIVATE
        front = header + _index([name.encode("ascii")]) + _index([top]) + strings + _index([])
        return [front, charset, select, outlines, _index([font]), private]

    # every number has a fixed width, so the parts have the same sizes whatever the offsets are
    offsets, position = [], 0
    for part in assembled(0, 0, 0, 0, 0):
        offsets.append(position)
        position += len(part)
    return b"".join(assembled(*offsets[1:]))


def _index(items: Sequence[bytes]) -> bytes:
    """An INDEX with four-byte offsets."""
    if not items:
        return _card16(0)
    offsets, position = [], 1
    for item in items:
        offsets.append(position)
        position += len(item)
    table = b"".join(offset.to_bytes(4, "big") for offset in [*offsets, position])
    return _card16(len(items)) + b"\x04" + table + b"".join(items)


def _integer(value: int) -> bytes:
    """A DICT operand in its five-byte form."""
    return b"\x1d" + value.to_bytes(4, "big", signed=True)


def _card16(value: int) -> bytes:
    return value.to_bytes(2, "big")
