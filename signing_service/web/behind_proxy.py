"""What a TLS proxy tells of its caller, believed only from the proxy itself.

The proxy ends TLS and reaches us over a Unix socket, whose file says who may connect. From it we take the client's
certificate (RFC 9440, `Client-Cert`) and address (the last `X-Forwarded-For`). From every other peer these headers are
dropped before anybody reads them, so that no caller can name itself.
"""

from __future__ import annotations

import base64
import binascii

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

STATE = "client_certificate"
TOLD = (b"client-cert", b"client-cert-chain", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", b"forwarded")
MOST_BYTES = 8192


class BehindProxy:
    """A Unix socket's peer has no address: that is how the server shows it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told = {name: value for name, value in scope["headers"] if name in TOLD}
            kept = [(name, value) for name, value in scope["headers"] if name not in TOLD]
            scope = {**scope, "headers": kept, "state": dict(scope.get("state") or {})}
            if scope.get("client") is None:
                _believe(scope, told)
        await self._app(scope, receive, send)


def certificate_of(request: Request) -> bytes:
    """The caller's TLS certificate in DER, as the proxy told it; empty without one."""
    found: bytes = request.scope.get("state", {}).get(STATE, b"")
    return found


def read_client_cert(value: bytes) -> bytes:
    """RFC 9440, 2.2: one byte sequence of RFC 8941, `:base64 of the DER:`. Empty for anything else."""
    text = value.strip()
    if not (2 < len(text) <= MOST_BYTES and text.startswith(b":") and text.endswith(b":")):
        return b""
    try:
        return base64.b64decode(text[1:-1], validate=True)
    except binascii.Error:
        return b""


def _believe(scope: Scope, told: dict[bytes, bytes]) -> None:
    scope["state"][STATE] = read_client_cert(told.get(b"client-cert", b""))
    address = told.get(b"x-forwarded-for", b"").rpartition(b",")[2].strip().decode("ascii", "replace")
    if address:
        scope["client"] = (address, 0)
    if told.get(b"x-forwarded-proto") == b"https":
        scope["scheme"] = "https"
