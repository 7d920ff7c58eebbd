"""Attribute templates: Python values to CK_ATTRIBUTE arrays and back."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from .codes import BOOLEANS, NUMBERS, Attr
from .structures import ULONG, Attribute

AttributeValue = bytes | bool | int | str
Template = Mapping[Attr, AttributeValue]

_ULONG_SIZE = ctypes.sizeof(ULONG)


def pack_value(value: AttributeValue) -> bytes:
    """CK_BBOOL, CK_ULONG, UTF-8 text or bytes, as the Python type says."""
    if isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    if isinstance(value, int):
        return bytes(ULONG(value))
    return value.encode() if isinstance(value, str) else value


def unpack_number(raw: bytes) -> int:
    """A CK_ULONG in this machine's byte order; some modules send fewer bytes than they should."""
    return int.from_bytes(raw[:_ULONG_SIZE], "little" if _little_endian() else "big")


def _little_endian() -> bool:
    return bytes(ULONG(1))[0] == 1


def number_of(attributes: Mapping[Attr, bytes], name: Attr) -> int | None:
    """The value of a CK_ULONG attribute; None where the token did not give it."""
    if name not in NUMBERS:
        raise ValueError(f"{name.name} is not a number")
    raw = attributes.get(name)
    return unpack_number(raw) if raw else None


def truth_of(attributes: Mapping[Attr, bytes], name: Attr) -> bool | None:
    """The value of a CK_BBOOL attribute; None where the token did not give it."""
    if name not in BOOLEANS:
        raise ValueError(f"{name.name} is not a truth value")
    raw = attributes.get(name)
    return None if not raw else raw[0] != 0


class PackedTemplate:
    """A CK_ATTRIBUTE array together with the buffers that it points into."""

    def __init__(self, template: Template) -> None:
        self._buffers = [ctypes.create_string_buffer(pack_value(value) or b"\x00") for value in template.values()]
        self.array = (Attribute * max(1, len(template)))()
        for slot, name, value, buffer in zip(self.array, template, template.values(), self._buffers, strict=False):
            slot.type = int(name)
            slot.value = ctypes.cast(buffer, ctypes.c_void_p)
            slot.length = len(pack_value(value))
        self.count = len(template)


def text_of(raw: bytes) -> str:
    """A label as people should see it: UTF-8 as the standard says, GB 18030 as Chinese vendors do, else marked."""
    stripped = raw.rstrip(b"\x00 ").rstrip()
    for encoding in ("utf-8", "gb18030"):
        try:
            return stripped.decode(encoding).rstrip()
        except UnicodeDecodeError:
            continue
    return stripped.decode("utf-8", errors="replace")
