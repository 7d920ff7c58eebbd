"""Strings of an encrypted file, decrypted in place, so that two revisions are compared by what they say (7.6.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signing_service.verification.syntax import Dictionary


def decrypt_strings(value: Any, decrypt: Callable[[bytes], bytes]) -> Any:
    """The object's value with every string decrypted; names, numbers and references as they are.

    Left alone, as the standard says: a signature's /Contents and all of a cross-reference stream's dictionary. A
    string that cannot be decrypted keeps its bytes.
    """
    if isinstance(value, Dictionary):
        if value.get("Type") == "XRef":
            return value
        for key in value:
            if key != "Contents" or "ByteRange" not in value:
                value[key] = decrypt_strings(value[key], decrypt)
    elif isinstance(value, list):
        value[:] = [decrypt_strings(item, decrypt) for item in value]
    elif isinstance(value, bytes):
        try:
            return decrypt(value)
        except ValueError:
            return value
    return value
