"""The short typable code beside a paper code: eleven characters of its SHA-256 and a check character (Luhn mod 32).

It only finds the stored code on our own server; what it finds is verified like a scanned one. 55 bits: not guessable
at the rate that the verify page allows.
"""

from __future__ import annotations

import hashlib

from signing_service.printing.errors import ShortCodeMistyped

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 12
_LOOKALIKES = str.maketrans("OIL", "011", "- .")


def short_code_of(payload: str) -> str:
    """XXXX-XXXX-XXXX of a code's Base32 payload."""
    number = int.from_bytes(hashlib.sha256(payload.encode()).digest()[:7], "big") >> 1
    body = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH - 1))
    return _grouped(body + _check(body))


def normal_short_code(typed: str) -> str:
    """What was typed, in its printed form: any case, with or without dashes, O for 0, I and L for 1.

    Raises ShortCodeMistyped.
    """
    code = typed.strip().upper().translate(_LOOKALIKES)
    if len(code) != LENGTH or set(code) - set(ALPHABET) or _check(code[:-1]) != code[-1]:
        raise ShortCodeMistyped
    return _grouped(code)


def _check(body: str) -> str:
    """Luhn mod N: finds every wrong character and nearly every swap of neighbours."""
    total = 0
    for place, sign in enumerate(reversed(body)):
        value = ALPHABET.index(sign) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def _grouped(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, LENGTH, 4))
