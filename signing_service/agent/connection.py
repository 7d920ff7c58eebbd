"""The agent's one way out: HTTP to the paired server, through the system's proxy, with every reply's signature checked.

No reply is used unless the pinned key signed it over this request's fresh nonce, so a machine in the middle, also one
that TLS inspection put there, can neither make up nor repeat one.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import urllib3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signing_service.agent.errors import ServerKeyDiffers, ServerRefused, ServerUnreachable
from signing_service.agent.protocol import WAIT_SECONDS, reply_statement

MOST_BYTES = 128 * 2**20
_TIMEOUT = urllib3.Timeout(connect=10, read=WAIT_SECONDS + 30)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """`server_key`: raw Ed25519 key that must have signed every reply; None only to learn it when pairing."""

    def __init__(
        self, origin: str, *, server_key: bytes | None = None, ca_file: Path | None = None, language: str = "zh"
    ) -> None:
        self.origin, self._server_key, self._language = origin, server_key, language
        self.credentials: str | None = None
        self._pool = _pool(origin, ca_file)

    def pin(self, server_key: bytes) -> None:
        """From now on only this key's replies count."""
        self._server_key = server_key

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> Answer:
        return self._ask("POST", path, json.dumps(content or {}).encode())

    def close(self) -> None:
        self._pool.clear()

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """Raises ServerUnreachable, ServerKeyDiffers, ServerRefused (with the server's own code)."""
        nonce = secrets.token_hex(16)
        headers = {"X-Zhengyin-Nonce": nonce, "Accept-Language": self._language, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.credentials is not None:
            headers["X-Zhengyin-Agent"] = self.credentials
        try:
            reply = self._pool.request(
                method, self.origin + path, body=body, headers=headers, timeout=_TIMEOUT, redirect=False,
                retries=False, preload_content=False,
            )  # fmt: skip
            content = reply.read(MOST_BYTES + 1, decode_content=False) or b""
            reply.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise ServerUnreachable(f"原因:{failure}。", f"Cause: {failure}.") from failure
        self._check(method, path, nonce, reply.status, content, reply.headers.get("X-Zhengyin-Signature", ""))
        if reply.status >= 400 or len(content) > MOST_BYTES:
            raise _refusal(reply.status, content)
        return Answer(reply.status, content)

    def _check(self, method: str, path: str, nonce: str, status: int, body: bytes, signature: str) -> None:
        if self._server_key is None:
            return
        statement = reply_statement(method, path.partition("?")[0], nonce, status, body)
        try:
            key = Ed25519PublicKey.from_public_bytes(self._server_key)
            key.verify(base64.b64decode(signature, validate=True), statement)
        except (InvalidSignature, ValueError):
            raise ServerKeyDiffers(f"状态码 {status}。", f"Status {status}.") from None


def _refusal(status: int, content: bytes) -> ServerRefused:
    try:
        problem = json.loads(content)
        return ServerRefused(str(problem["code"]), f"{problem['title']}{problem['detail']}")
    except (ValueError, KeyError, TypeError):
        return ServerRefused(f"http_{status}", f"HTTP {status}")


def _pool(origin: str, ca_file: Path | None) -> urllib3.PoolManager:
    """Through the system's proxy (environment, Windows registry, macOS settings) unless it leaves this host out."""
    scheme, _, host = origin.partition("://")
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    trust = {"ca_certs": str(ca_file)} if ca_file is not None else {}
    if proxy:
        return urllib3.ProxyManager(proxy, **trust)  # type: ignore[arg-type]
    return urllib3.PoolManager(**trust)  # type: ignore[arg-type]
