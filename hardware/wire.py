"""The language between a module host and its owner: JSON with a few tagged values. Pure.

Not pickle: a host runs a vendor's code, and what it says must never be able to run anything here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import fields, is_dataclass
from typing import Any

from .errors import Text, TokenError, rebuild
from .ports import Mechanism, PinState, TokenInfo, VendorMechanism
from .records import CertificateRecord, KeyRecord, SlotReport

_RECORDS: dict[str, type] = {
    kind.__name__: kind for kind in (TokenInfo, KeyRecord, CertificateRecord, SlotReport, VendorMechanism)
}
_ENUMS: dict[str, type[Mechanism] | type[PinState]] = {"Mechanism": Mechanism, "PinState": PinState}


def encode(value: object) -> bytes:
    """One message. TypeError for anything that is not a plain value or one of our records."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mechanism | PinState):
        return {"enum": type(value).__name__, "value": value.value}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value) and type(value).__name__ in _RECORDS:
        content = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"record": type(value).__name__, "fields": content}
    raise TypeError(f"{type(value).__name__} does not cross to a module host")


def decode(message: bytes) -> Any:
    """The value of one message. ValueError if it is not in this language."""
    try:
        return _rich(json.loads(message))
    except (KeyError, TypeError) as error:
        raise ValueError(f"malformed message: {error}") from error


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return base64.b64decode(value["bytes"], validate=True)
    if "enum" in value:
        return _ENUMS[value["enum"]](value["value"])
    return _RECORDS[value["record"]](**{name: _rich(each) for name, each in value["fields"].items()})


def encode_answer(value: object) -> bytes:
    return encode(["ok", value])


def encode_failure(error: TokenError) -> bytes:
    """An error with its sentences, so that the other side raises the same."""
    sentences = [[text.zh, text.en] if text else None for text in (error.what, error.why, error.advice)]
    return encode(["error", error.code, *sentences])


def open_answer(message: bytes) -> Any:
    """The value that the host gave, or the TokenError that it raised. ValueError if it speaks nonsense."""
    answer = decode(message)
    if isinstance(answer, list) and len(answer) == 2 and answer[0] == "ok":
        return answer[1]
    if not (isinstance(answer, list) and len(answer) == 5 and answer[0] == "error" and answer[2]):
        raise ValueError("malformed answer")
    what, why, advice = (Text(*sentence) if sentence else None for sentence in answer[2:])
    raise rebuild(answer[1], what or Text("", ""), why, advice)
