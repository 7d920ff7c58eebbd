"""Opens files that are encrypted with an empty user password (permissions only); any other encryption stops the
check."""

from __future__ import annotations

import importlib
from typing import Any

from signing_service.verification.document import Decrypt, Document
from signing_service.verification.errors import PasswordNeeded
from signing_service.verification.syntax import Dictionary, Name, Ref


def open_encrypted(document: Document) -> tuple[Decrypt, Decrypt] | None:
    """None for a plain file, else how to decrypt streams and strings. Raises PasswordNeeded."""
    value = document.resolve(document.trailer.get("Encrypt"))
    if value is None:
        return None
    if not isinstance(value, Dictionary) or value.get("Filter") != "Standard":
        raise PasswordNeeded
    identifier = document.array(document.trailer.get("ID"))
    first = identifier[0] if identifier and isinstance(identifier[0], bytes) else b""
    try:
        return _decryptor(_translate(document, value), first)
    except PasswordNeeded:
        raise
    except Exception as error:  # the library meets hostile dictionaries with whatever its code happens to raise
        raise PasswordNeeded from error


def _decryptor(settings: Any, identifier: bytes) -> tuple[Decrypt, Decrypt]:
    from pyhanko.pdf_utils.crypt import AuthStatus, SecurityHandler

    handler = SecurityHandler.build(settings)
    if handler.authenticate(b"", identifier).status == AuthStatus.FAILED:
        raise PasswordNeeded
    return _through(handler.get_stream_filter()), _through(handler.get_string_filter())


def _through(crypt_filter: Any) -> Decrypt:
    def decrypt(number: int, generation: int, raw: bytes) -> bytes:
        return bytes(crypt_filter.decrypt(crypt_filter.derive_object_key(number, generation), raw))

    return decrypt


def _translate(document: Document, value: Any, depth: int = 0) -> Any:
    """Into pyHanko's object classes."""
    generic: Any = importlib.import_module("pyhanko.pdf_utils.generic")

    value = document.resolve(value) if isinstance(value, Ref) else value
    if depth > 8:
        return generic.NullObject()
    if isinstance(value, Dictionary):
        return generic.DictionaryObject(
            {generic.NameObject("/" + key): _translate(document, item, depth + 1) for key, item in value.items()}
        )
    if isinstance(value, list):
        return generic.ArrayObject([_translate(document, item, depth + 1) for item in value])
    if isinstance(value, Name):
        return generic.NameObject("/" + value)
    if isinstance(value, bool):
        return generic.BooleanObject(value)
    if isinstance(value, int):
        return generic.NumberObject(value)
    if isinstance(value, bytes):
        return generic.ByteStringObject(value)
    return generic.NullObject()
