"""Hashes of byte ranges, reading the file once however many signatures it bears."""

from __future__ import annotations

from typing import Any

from signing_service.verification.algorithms import new_hash
from signing_service.verification.byte_range import Coverage
from signing_service.verification.limits import Spending


class Digests:
    """Keeps one running hash per algorithm; each signature continues a copy of it behind its own hole."""

    def __init__(self, data: bytes, spending: Spending) -> None:
        self._data, self._spending = memoryview(data), spending
        self._running: dict[str, tuple[int, Any]] = {}
        self._done: dict[tuple[str, Coverage], bytes] = {}

    def of(self, coverage: Coverage, algorithm: str) -> bytes:
        """The digest of a coverage without problems. Quickest when asked in ascending order."""
        key = (algorithm, coverage)
        if key not in self._done:
            self._done[key] = self._compute(coverage, algorithm)
        return self._done[key]

    def _compute(self, coverage: Coverage, algorithm: str) -> bytes:
        first, second = coverage.hole
        position, state = self._running.get(algorithm, (0, None))
        if state is None or position > first:
            position, state = 0, new_hash(algorithm)
        self._spending.hash(first - position + coverage.end - second)
        state.update(self._data[position:first])
        self._running[algorithm] = first, state.copy()
        state.update(self._data[second : coverage.end])
        return bytes(state.digest())
