"""Asking timestamp authorities: in order, each reply checked, all failures named (B14, B15)."""

from __future__ import annotations

from collections.abc import Sequence

from signing_service.errors import ExplainedError, Text
from signing_service.pades.cms import timestamp_imprint
from signing_service.pades.errors import TimestampFailed
from signing_service.pades.ports import Timestamper
from signing_service.pdf.der import MalformedDer


class FirstThatAnswers:
    """Several authorities as one: the first usable token counts."""

    def __init__(self, timestampers: Sequence[Timestamper]) -> None:
        self._timestampers = tuple(timestampers)

    def timestamp(self, digest: bytes) -> bytes:
        """Raises TimestampFailed with the reason of every authority that was asked."""
        reasons: list[Text] = []
        for timestamper in self._timestampers:
            try:
                return obtain_token(timestamper, digest)
            except TimestampFailed as failure:
                reasons.append(failure.why or failure.what)
        raise TimestampFailed(reasons)


def obtain_token(timestamper: Timestamper, digest: bytes) -> bytes:
    """A token over exactly this digest. Raises TimestampFailed, whatever went wrong on the way."""
    try:
        token = timestamper.timestamp(digest)
    except TimestampFailed:
        raise
    except ExplainedError as failure:
        raise TimestampFailed([Text(failure.explain("zh"), failure.explain("en"))]) from failure
    except OSError as failure:
        raise TimestampFailed([Text(f"{failure}。", f"{failure}.")]) from failure
    check_token(token, digest)
    return token


def check_token(token: bytes, digest: bytes) -> None:
    """Raises TimestampFailed unless `token` is a TimeStampToken over `digest`."""
    try:
        imprint = timestamp_imprint(token)
    except MalformedDer as failure:
        reason = Text("时间戳服务返回的不是时间戳。", "The authority's reply is not a timestamp token.")
        raise TimestampFailed([reason]) from failure
    if imprint != digest:
        raise TimestampFailed([Text("时间戳不属于该签名。", "The timestamp belongs to something else.")])
