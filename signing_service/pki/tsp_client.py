"""Asking a timestamp server over HTTP (RFC 3161 3.4), ours or anybody's; the token is checked before it is returned."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

from signing_service.errors import Text
from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused, Reply
from signing_service.pki import der
from signing_service.pki.errors import PkiError
from signing_service.pki.signature_algorithms import SHA256
from signing_service.pki.timestamp_response import Asked, TimestampRefused, TimestampWrong, checked_token

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
_ADVICE = Text(
    "请检查网络和时间戳服务(运行 zhengyin doctor),然后重试;文件没有改动。",
    "Check the network and the timestamp server (run zhengyin doctor), then try again; no file was changed.",
)


class TimestampUnreachable(PkiError):
    """No answer: refused, timed out, cut off, or not allowed by the outbound policy."""

    code = "timestamp_unreachable"

    def __init__(self, url: str, why: Text) -> None:
        super().__init__(
            Text(f"无法连接时间戳服务 {url}。", f"The timestamp server {url} cannot be reached."),
            why=why,
            advice=_ADVICE,
        )


class TimestampHttpError(PkiError):
    """An HTTP answer that is no timestamp reply: another status, or a page (a proxy often answers so)."""

    code = "timestamp_http_error"

    def __init__(self, url: str, status: int, content_type: str) -> None:
        self.status = status
        kind = content_type or "-"
        super().__init__(
            Text(f"时间戳服务 {url} 没有给出时间戳。", f"The timestamp server {url} did not give a timestamp."),
            why=Text(f"HTTP 状态 {status},类型 {kind}。", f"HTTP status {status}, content type {kind}."),
            advice=_ADVICE,
        )


class NoTimestamp(PkiError):
    """None of the servers gave a timestamp; each one's own error is in `failures`."""

    code = "no_timestamp"

    def __init__(self, failures: Sequence[PkiError]) -> None:
        self.failures = tuple(failures)
        super().__init__(
            Text("所有时间戳服务都没有给出时间戳。", "No timestamp server gave a timestamp."),
            why=Text(
                " ".join(failure.explain("zh") for failure in failures),
                " ".join(failure.explain("en") for failure in failures),
            ),
            advice=_ADVICE,
        )


class Timestamper(Protocol):
    """What signing rooms ask of a timestamp source."""

    def timestamp(self, digest: bytes) -> bytes:
        """A DER TimeStampToken over a SHA-256 digest (32 bytes)."""
        ...


class HttpTimestamper:
    """One server. `url` may be our own `/tsa` or an outside authority's."""

    def __init__(self, url: str, outbound: Outbound, *, policy_oid: str = "") -> None:
        self.url = url
        self._outbound, self._policy = outbound, policy_oid

    def timestamp(self, digest: bytes) -> bytes:
        """Raises TimestampUnreachable, TimestampHttpError, TimestampRefused, TimestampWrong."""
        nonce = secrets.randbits(63) | 1 << 62
        reply = self._send(timestamp_query(digest, nonce, self._policy))
        if reply.status != 200 or reply.content_type.split(";")[0].strip().lower() != REPLY:
            raise TimestampHttpError(self.url, reply.status, reply.content_type)
        return checked_token(reply.body, Asked(self.url, digest, nonce))

    def _send(self, request: bytes) -> Reply:
        try:
            return self._outbound.request("POST", self.url, body=request, headers={"Content-Type": QUERY})
        except (OutboundFailed, OutboundRefused) as failure:
            raise TimestampUnreachable(self.url, failure.why or failure.what) from failure


class FallbackTimestamper:
    """Servers in order of preference: the next one is asked when one fails."""

    def __init__(self, timestampers: Sequence[Timestamper]) -> None:
        self._timestampers = tuple(timestampers)

    def timestamp(self, digest: bytes) -> bytes:
        """Raises NoTimestamp with every server's error."""
        failures: list[PkiError] = []
        for timestamper in self._timestampers:
            try:
                return timestamper.timestamp(digest)
            except (TimestampUnreachable, TimestampHttpError, TimestampRefused, TimestampWrong) as failure:
                failures.append(failure)
        raise NoTimestamp(failures)


def timestamp_query(digest: bytes, nonce: int, policy_oid: str = "") -> bytes:
    """A DER TimeStampReq over a SHA-256 digest that asks for the authority's certificate (RFC 3161 2.4.1)."""
    imprint = der.sequence(der.sequence(der.oid(SHA256), der.tlv(der.NULL, b"")), der.octet_string(digest))
    policy = der.oid(policy_oid) if policy_oid else b""
    return der.sequence(der.integer(1), imprint, policy, der.integer(nonce), der.boolean(True))
