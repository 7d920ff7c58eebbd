"""A token bucket for each client: so many requests a second, and bursts up to a size."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from threading import Lock

from signing_service.kernel.clock import Clock

MOST_CLIENTS = 10_000


class RateLimit:
    """Counts within this process. Thread-safe; the clients seen longest ago are forgotten first."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock, self._rate, self._burst = clock, per_second, burst
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()
        self._lock = Lock()

    def allows(self, client: str) -> bool:
        """Takes one from the client's bucket; False when it is empty."""
        now = self._clock.now()
        with self._lock:
            left, seen = self._buckets.pop(client, (float(self._burst), now))
            left = min(float(self._burst), left + max(0.0, (now - seen).total_seconds()) * self._rate)
            allowed = left >= 1
            self._buckets[client] = (left - 1 if allowed else left, now)
            while len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return allowed
