"""Messages to others' systems and to persons: states of a delivery, when it is tried again, and signed callbacks.

pending -> delivered / retrying -> dead, which a person looks at and sends once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from signing_service.errors import ExplainedError
from signing_service.kernel.outbound import Outbound

PENDING, DELIVERED, RETRYING, DEAD = "pending", "delivered", "retrying", "dead"
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
EVENT_TYPE, MEDIA_TYPE = "zhengyin-event+jwt", "application/jwt"
SignEvent = Callable[[Mapping[str, Any], str], str]
"""Claims and type to a signed compact JWS."""


class Delivery(Protocol):
    """A row that is to be delivered."""

    state: Any
    attempts: Any
    due_at: Any
    last_error: Any


def settle(delivery: Delivery, error: str, now: datetime) -> None:
    """The outcome of a try: delivered, to be tried again later, or given up for a person to look at."""
    delivery.attempts += 1
    delivery.last_error = error[:500]
    if not error:
        delivery.state = DELIVERED
    elif delivery.attempts > len(WAITS):
        delivery.state = DEAD
    else:
        delivery.state, delivery.due_at = RETRYING, now + WAITS[delivery.attempts - 1]


def send_again(delivery: Delivery, now: datetime) -> None:
    """A dead one once more, with all its tries."""
    delivery.state, delivery.attempts, delivery.due_at = PENDING, 0, now


def is_callback_address(url: str) -> bool:
    """http(s) without a user name or fragment. Where it leads is checked at every send: names can be re-pointed."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and not parts.fragment


def post_signed(outbound: Outbound, sign: SignEvent, url: str, claims: Mapping[str, Any]) -> str:
    """POST the claims as a signed JWS. An empty text, or what went wrong."""
    try:
        body = sign(claims, EVENT_TYPE).encode()
        reply = outbound.request("POST", url, body=body, headers={"Content-Type": MEDIA_TYPE})
    except ExplainedError as failure:
        return f"{failure.code}: {failure.explain('en')}"
    return "" if 200 <= reply.status < 300 else f"HTTP {reply.status}"
