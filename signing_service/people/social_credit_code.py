"""Unified social credit codes (GB 32100-2015): 18 characters, the last two of them checks."""

from __future__ import annotations

import re

from signing_service.errors import Text
from signing_service.people.errors import CodeInvalid

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_BODY_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_SHAPE = re.compile(r"[1-9A-GY][1-9A-Z][0-9]{6}[0-9A-Z]{9}[0-9A-Z]")


def check_character(first_17: str) -> str:
    """The 18th character (clause 6.2: ISO 7064 MOD 31)."""
    total = sum(_ALPHABET.index(character) * weight for character, weight in zip(first_17, _WEIGHTS, strict=True))
    return _ALPHABET[(31 - total % 31) % 31]


def body_check_character(first_8: str) -> str:
    """The last character of the body code (GB 11714: MOD 11, written X for ten)."""
    values = zip(first_8, _BODY_WEIGHTS, strict=True)
    remainder = 11 - sum(_BODY_ALPHABET.index(character) * weight for character, weight in values) % 11
    return {10: "X", 11: "0"}.get(remainder, str(remainder))


def require_valid(value: str) -> str:
    """The code again. Raises CodeInvalid, naming what is wrong."""
    if not _SHAPE.fullmatch(value) or set(value) - set(_ALPHABET):
        raise CodeInvalid(
            value, Text("应为 18 位大写字母和数字。", "It has 18 capital letters and digits, without I, O, S, V, Z.")
        )
    if body_check_character(value[8:16]) != value[16]:
        raise CodeInvalid(value, Text("主体标识码的校验位不对。", "The check character of its body code is wrong."))
    if check_character(value[:17]) != value[17]:
        raise CodeInvalid(value, Text("校验位不对。", "The check character is wrong."))
    return value
