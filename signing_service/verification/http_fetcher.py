"""A Fetcher over the house's one HTTP client: allowed hosts only, each address once, bounded in number, time and size.

Whether what comes back is believed is decided where it is used: signature, issuer and freshness are checked there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused, Reply

MOST_REQUESTS, MOST_SECONDS = 20, 20.0
_OCSP = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
_PORTS = {"http": 80, "https": 443}


class HttpFetcher:
    """For one document. `hosts`: host or host:port; no other is contacted, whatever a certificate names."""

    def __init__(
        self,
        outbound: Outbound,
        hosts: Iterable[str],
        *,
        most: int = MOST_REQUESTS,
        seconds: float = MOST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbound, self._hosts, self._clock = outbound, frozenset(hosts), clock
        self._left, self._deadline = most, clock() + seconds
        self._known: dict[tuple[str, bytes], bytes | None] = {}

    def crl(self, url: str) -> bytes | None:
        """A CRL in DER, or None."""
        return self._once("GET", url, None)

    def ocsp(self, url: str, request: bytes) -> bytes | None:
        """An OCSPResponse in DER, or None."""
        return self._once("POST", url, request)

    def _once(self, method: str, url: str, body: bytes | None) -> bytes | None:
        key = (url, body or b"")
        if key not in self._known:
            self._known[key] = self._fetch(method, url, body) if self._may(url) else None
        return self._known[key]

    def _may(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return False
        named = {parts.hostname or "", f"{parts.hostname}:{port}"}
        return bool(named & self._hosts) and self._left > 0 and self._clock() < self._deadline

    def _fetch(self, method: str, url: str, body: bytes | None) -> bytes | None:
        self._left -= 1
        try:
            reply = self._outbound.request(method, url, body=body, headers=_OCSP if body is not None else None)
        except (OutboundFailed, OutboundRefused):
            return None
        return _content(reply)


def _content(reply: Reply) -> bytes | None:
    return reply.body if reply.status == 200 and reply.body[:1] == b"\x30" else None
