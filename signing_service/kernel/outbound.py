"""The one HTTP client for calls that leave this machine: CRL, OCSP, AIA, TSA, webhooks, IPP.

A name is resolved once, every address is checked against the policy, and the connection goes to the checked address
(no second look-up, so no rebinding). No redirects, a cap on size, and one on the whole time: a watchdog closes the
connection of a server that sends a byte now and then.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from signing_service.errors import SigningServiceError, Text


class OutboundRefused(SigningServiceError):
    """The policy does not allow this address."""

    code = "outbound_refused"

    def __init__(self, url: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"没有访问 {url}。", f"{url} was not contacted."),
            why=Text(zh, en),
            advice=Text(
                "如确需访问,请由运维人员把主机加入设置 outbound_hosts。",
                "If it is needed, an operator adds the host to outbound_hosts.",
            ),
        )


class OutboundFailed(SigningServiceError):
    """The other side did not answer as it should."""

    code = "outbound_failed"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            Text(f"访问 {url} 失败。", f"The request to {url} failed."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查网络和对方服务后重试。", "Check the network and the other service, then try again."),
        )


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """`hosts`: names that may resolve to private or loopback addresses, as host or host:port."""

    hosts: frozenset[str] = frozenset()
    timeout_seconds: float = 10.0
    max_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Outbound:
    def __init__(self, policy: OutboundPolicy) -> None:
        self._policy = policy

    def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request. Raises OutboundRefused or OutboundFailed; a reply of any status is returned."""
        parts = urlsplit(url)
        address = self._checked_address(url, parts)
        try:
            return self._send(method, parts, address, body, dict(headers or {}))
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise OutboundFailed(url, str(failure)) from failure

    def _checked_address(self, url: str, parts: SplitResult) -> str:
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise OutboundRefused(url, "地址不是普通的 http(s) 地址。", "It is not a plain http(s) address.")
        try:
            found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
        except OSError as failure:
            raise OutboundFailed(url, str(failure)) from failure
        addresses = [str(entry[4][0]) for entry in found]
        listed = bool({parts.hostname, f"{parts.hostname}:{_port(parts)}"} & self._policy.hosts)
        if not listed and not all(ipaddress.ip_address(address).is_global for address in addresses):
            raise OutboundRefused(
                url,
                "它指向内部网络,且不在允许名单内。",
                "It points into a private network and is not on the allowed list.",
            )
        return addresses[0]

    def _send(
        self, method: str, parts: SplitResult, address: str, body: bytes | None, headers: dict[str, str]
    ) -> Reply:
        headers.setdefault("Host", parts.netloc)
        limit = urllib3.Timeout(total=self._policy.timeout_seconds)
        pool: urllib3.HTTPConnectionPool
        if parts.scheme == "https":
            pool = urllib3.HTTPSConnectionPool(
                address, _port(parts), timeout=limit, assert_hostname=parts.hostname, server_hostname=parts.hostname
            )
        else:
            pool = urllib3.HTTPConnectionPool(address, _port(parts), timeout=limit)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with pool, _deadline(pool, self._policy.timeout_seconds):
            reply = pool.request(
                method, path, body=body, headers=headers, redirect=False, retries=False, preload_content=False
            )
            content = reply.read(self._policy.max_bytes + 1, decode_content=False) or b""
            reply.release_conn()
        if len(content) > self._policy.max_bytes:
            raise OSError(f"reply larger than {self._policy.max_bytes} bytes")
        return Reply(reply.status, reply.headers.get("Content-Type", ""), content, dict(reply.headers))


@contextmanager
def _deadline(pool: urllib3.HTTPConnectionPool, seconds: float) -> Iterator[None]:
    """Close every connection of `pool` when time is up; what then waits for it fails."""
    opened: list[Any] = []
    expired, late = threading.Event(), f"timed out: no complete reply within {seconds} seconds"

    class Watched(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def connect(self) -> None:
            super().connect()
            opened.append(self.sock)

    def stop() -> None:
        expired.set()
        for connected in opened:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    pool.ConnectionCls = Watched
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as failure:
        if not expired.is_set():
            raise
        raise TimeoutError(late) from failure
    else:
        if expired.is_set():
            raise TimeoutError(late)
    finally:
        timer.cancel()


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
