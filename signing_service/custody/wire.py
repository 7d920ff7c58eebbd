"""What goes over custody's socket: a length (4 bytes, big-endian), then JSON; bytes as {"base64": …}.

An error crosses as its class, code and texts, and is raised again as that class where this process knows it.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any

from hardware.errors import ExplainedError, TokenError
from signing_service.custody.errors import CallRefused, CustodyError
from signing_service.errors import Text
from signing_service.pdf.cms_attributes import SignedAttributesRefused
from signing_service.seals.authorisation_errors import AuthorisationRefused

LARGEST = 16 * 1024 * 1024
_HEAD = 4
KNOWN = (AuthorisationRefused, CustodyError, SignedAttributesRefused, TokenError)
"""The trees that custody raises from; importing them here loads their classes at both ends."""


class ConnectionEnded(Exception):
    """The other side closed the connection between two messages, or within one."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Raises CallRefused for a message over LARGEST bytes, OSError."""
    body = json.dumps(message, default=_bytes_as_json, ensure_ascii=False).encode()
    if len(body) > LARGEST:
        raise CallRefused(f"a message has at most {LARGEST} bytes")
    connection.sendall(len(body).to_bytes(_HEAD, "big") + body)


def receive(connection: socket.socket) -> dict[str, Any]:
    """One message. Raises ConnectionEnded, CallRefused, OSError."""
    length = int.from_bytes(_exactly(connection, _HEAD), "big")
    if length > LARGEST:
        raise CallRefused(f"a message has at most {LARGEST} bytes")
    try:
        message = json.loads(_exactly(connection, length), object_hook=_bytes_from_json)
    except (ValueError, RecursionError) as failure:
        raise CallRefused("the message is no JSON") from failure
    if not isinstance(message, dict):
        raise CallRefused("the message is no object")
    return message


def error_as_json(error: ExplainedError) -> dict[str, Any]:
    """Class, code and texts; never a traceback."""
    kind = type(error)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "code": error.code,
        **{
            name: _text_as_json(text)
            for name, text in (("what", error.what), ("why", error.why), ("advice", error.advice))
        },
    }


def error_from_json(content: dict[str, Any]) -> ExplainedError:
    """The error again, of the same class; one that is not known here becomes a CustodyError with the same code."""
    kinds = (kind for root in KNOWN for kind in _kinds(root))
    kind = next((kind for kind in kinds if f"{kind.__module__}.{kind.__qualname__}" == content["class"]), None)
    error = Exception.__new__(kind or CustodyError)
    ExplainedError.__init__(
        error,
        _text(content["what"]) or Text("未知错误。", "Unknown error."),
        why=_text(content["why"]),
        advice=_text(content["advice"]),
    )
    error.code = str(content["code"])
    return error


def _kinds(root: type[ExplainedError]) -> Iterator[type[ExplainedError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _text_as_json(text: Text | None) -> list[str] | None:
    return None if text is None else [text.zh, text.en]


def _text(content: list[str] | None) -> Text | None:
    return None if content is None else Text(str(content[0]), str(content[1]))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 16))
        if not part:
            raise ConnectionEnded
        parts += part
    return bytes(parts)


def _bytes_as_json(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} does not cross the socket")


def _bytes_from_json(content: dict[str, Any]) -> Any:
    if content.keys() == {"base64"} and isinstance(content["base64"], str):
        return base64.b64decode(content["base64"], validate=True)
    return content
