"""How often one client may call: counted in the database for all processes, a second's worth drawn at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from cert_registry.errors import RegistryError, Text
from cert_registry.sharing.rate_buckets import draw
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database

MOST_CLIENTS = 10_000
KEPT_SECONDS = 2.0


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


@dataclass(slots=True)
class _Purse:
    """Calls drawn and not yet made, good until `until` on the monotonic clock: so no process hoards them."""

    left: int
    until: float


class RateLimit:
    """`a_minute` calls for each of `kind`'s callers, in all processes together. Owner of its purses and
    both locks."""

    def __init__(self, database: Database, clock: Clock, kind: str, a_minute: int) -> None:
        self._database, self._clock, self._kind, self._a_minute = database, clock, kind, a_minute
        self._at_once = max(1, a_minute // 60)
        self._purses: dict[str, _Purse] = {}
        self._refused: dict[str, datetime] = {}
        self._lock, self._drawing = threading.Lock(), threading.Lock()

    def take(self, caller: str) -> None:
        """Count a call. Raises TooManyRequests."""
        if self._from_purse(caller):
            return
        with self._drawing:  # one draw for all who found the purse empty at the same time
            if not self._from_purse(caller):
                self._draw(caller)

    def _draw(self, caller: str) -> None:
        now = self._clock.now()
        self._repeat_refusal(caller, now)
        whom = f"{self._kind}:{caller}"
        drawn = draw(self._database, whom, a_minute=self._a_minute, wanted=self._at_once, now=now)
        if not drawn.given:
            with self._lock:
                self._refused[caller] = now + timedelta(seconds=drawn.wait)
            raise TooManyRequests(drawn.wait)
        if drawn.given > 1:
            self._keep(caller, drawn.given - 1)

    def _repeat_refusal(self, caller: str, now: datetime) -> None:
        """Whoever was refused is refused from memory until a call is free: no flood of writes from a flood of calls."""
        with self._lock:
            until = self._refused.get(caller, now)
            if until <= now:
                self._refused.pop(caller, None)
            elif len(self._refused) >= MOST_CLIENTS:
                self._refused.clear()
        if until > now:
            raise TooManyRequests((until - now).total_seconds())

    def _from_purse(self, caller: str) -> bool:
        with self._lock:
            purse = self._purses.get(caller)
            if purse is None or purse.left < 1 or purse.until < time.monotonic():
                return False
            purse.left -= 1
            return True

    def _keep(self, caller: str, more: int) -> None:
        now = time.monotonic()
        with self._lock:
            if caller not in self._purses and len(self._purses) >= MOST_CLIENTS:
                self._purses.clear()
            purse = self._purses.get(caller)
            left = purse.left if purse is not None and purse.until >= now else 0
            self._purses[caller] = _Purse(left + more, now + KEPT_SECONDS)
