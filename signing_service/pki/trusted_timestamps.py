"""A timestamp of an outside authority is taken only if its certificate leads to a root that is trusted for time here:
a seal with a timestamp that nobody believes would have to be made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from signing_service.kernel.clock import Clock
from signing_service.pki.certificate_chain import ChainIncomplete, build_chain
from signing_service.pki.timestamp_response import TimestampWrong, certificates_of_token
from signing_service.pki.tsp_client import Timestamper


class TrustedTimestamper:
    """`inner`, whose tokens must lead to one of `anchors` (DER, asked anew each time)."""

    def __init__(self, inner: Timestamper, url: str, anchors: Callable[[], Sequence[bytes]], clock: Clock) -> None:
        self._inner, self._url, self._anchors, self._clock = inner, url, anchors, clock

    def timestamp(self, digest: bytes) -> bytes:
        """Raises what `inner` raises, and TimestampWrong."""
        token = self._inner.timestamp(digest)
        check_trusted(token, self._anchors(), self._url, self._clock.now())
        return token


def check_trusted(token: bytes, anchors: Sequence[bytes], url: str, now: datetime) -> None:
    """Pure: the signer's path ends at an anchor and is valid now. Raises TimestampWrong."""
    signer, *others = certificates_of_token(token, url)
    try:
        path = build_chain(signer, [*others, *anchors])
    except ChainIncomplete:
        path = [signer]
    if path[-1] not in anchors:
        raise TimestampWrong(
            url,
            "其根证书未登记为时间戳信任根(zhengyin pki trust 根证书 --for timestamps)。",
            "Its root is not trusted for time (zhengyin pki trust ROOT --for timestamps).",
        )
    for each in map(x509.load_der_x509_certificate, path):
        if not each.not_valid_before_utc <= now < each.not_valid_after_utc:
            raise TimestampWrong(url, "其证书链不在有效期内。", "A certificate of its chain is not valid now.")
