"""A token bucket for each client, in this process's memory; the limit is per process."""

from __future__ import annotations

import threading
import time
from math import ceil

from cert_registry.errors import RegistryError, Text

MOST_CLIENTS = 10_000


class TooManyRequests(RegistryError):
    code = "too_many_requests"

    def __init__(self, wait: float) -> None:
        self.retry_after_seconds = max(1, ceil(wait))
        super().__init__(
            Text("请求过于频繁。", "Too many requests."),
            advice=Text(
                f"请在 {self.retry_after_seconds} 秒后重试。", f"Try again in {self.retry_after_seconds} seconds."
            ),
        )


class RateLimit:
    """`a_minute` requests, of which as many at once. Owner of its buckets and their lock."""

    def __init__(self, a_minute: int) -> None:
        self._most, self._refill = float(a_minute), a_minute / 60
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, client: str, now: float | None = None) -> None:
        """Count a request; `now` in seconds of a monotonic clock. Raises TooManyRequests."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            if client not in self._buckets and len(self._buckets) >= MOST_CLIENTS:
                self._buckets.clear()
            level, since = self._buckets.get(client, (self._most, moment))
            level = min(self._most, level + (moment - since) * self._refill)
            allowed = level >= 1
            self._buckets[client] = (level - 1 if allowed else level, moment)
        if not allowed:
            raise TooManyRequests((1 - level) / self._refill)
