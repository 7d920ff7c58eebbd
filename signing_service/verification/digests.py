"""Hashes of byte ranges, reading the file once however many signatures it bears."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from signing_service.verification.algorithms import new_hash
from signing_service.verification.byte_range import Coverage
from signing_service.verification.limits import Spending


class Digests:
    """Keeps hash states where signatures' holes begin; each signature continues a copy behind its own hole."""

    def __init__(self, data: bytes, spending: Spending, planned: Sequence[Coverage] = ()) -> None:
        self._data, self._spending = memoryview(data), spending
        sound = [coverage for coverage in planned if coverage.problem is None]
        self._stops = sorted({place for coverage in sound for place in (coverage.hole[0], coverage.end)})
        self._states: dict[str, list[tuple[int, Any]]] = {}
        self._done: dict[tuple[str, Coverage], bytes] = {}

    def of_file(self) -> bytes:
        """SHA-256 of the whole file; on the way it keeps the states that the signatures will ask for."""
        state = self._state("sha256", self._stops[-1] if self._stops else 0)
        position = self._stops[-1] if self._stops else 0
        self._spending.hash(len(self._data) - position)
        state.update(self._data[position:])
        return bytes(state.digest())

    def of_beginning(self, end: int) -> bytes:
        """SHA-256 of the first `end` bytes: of a revision as it was when it was the whole file."""
        return bytes(self._state("sha256", end).digest())

    def of(self, coverage: Coverage, algorithm: str) -> bytes:
        """The digest of a coverage without problems."""
        key = (algorithm, coverage)
        if key not in self._done:
            first, second = coverage.hole
            state = self._state(algorithm, first)
            self._spending.hash(coverage.end - second)
            state.update(self._data[second : coverage.end])
            self._done[key] = bytes(state.digest())
        return self._done[key]

    def _state(self, algorithm: str, wanted: int) -> Any:
        """A copy of the state over the first `wanted` bytes, remembered at every planned stop up to there."""
        known = self._states.setdefault(algorithm, [(0, new_hash(algorithm))])
        place = bisect_right(known, wanted, key=lambda item: item[0]) - 1
        position, state = known[place][0], known[place][1].copy()
        for stop in [*(stop for stop in self._stops if position < stop < wanted), wanted]:
            if stop > position:
                self._spending.hash(stop - position)
                state.update(self._data[position:stop])
                position = stop
                known.insert(bisect_right(known, stop, key=lambda item: item[0]), (stop, state.copy()))
        return state.copy()
