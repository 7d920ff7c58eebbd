"""A batch's progress on stderr: on a terminal one line that is written over, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from hardware.errors import Language, Text

QUIET_SECONDS = 5.0


class BatchProgress:
    """Counts, rate and what is left of the time."""

    def __init__(self, language: Language) -> None:
        self._language, self._terminal = language, sys.stderr.isatty()
        self._began, self._first, self._last = time.monotonic(), -1, 0.0

    def looking(self, text: Text) -> None:
        """What is being done before the sealing, with its count in the text."""
        self._write(text.in_(self._language), final=False)

    def sealing(self, counts: Mapping[str, int], *, final: bool = False) -> None:
        """`counts` by state."""
        ended = counts["sealed"] + counts["refused"]
        left = counts["pending"] + counts["leased"]
        if self._first < 0:
            self._first, self._began = ended, time.monotonic()
        rate = (ended - self._first) / max(time.monotonic() - self._began, 0.001)
        remaining = f"{left / rate:.0f} s" if rate > 0 and left else "-" if left else "0 s"
        words = Text(
            f"已盖章 {counts['sealed']},未盖 {counts['refused']},剩余 {left};每秒 {rate:.0f} 份,约需 {remaining}",
            f"sealed {counts['sealed']}, refused {counts['refused']}, left {left}; {rate:.0f}/s, {remaining} to go",
        )
        self._write(words.in_(self._language), final=final)

    def _write(self, line: str, *, final: bool) -> None:
        now = time.monotonic()
        if self._terminal:
            print(f"\r\x1b[K{line}", end="\n" if final else "", file=sys.stderr, flush=True)
        elif final or now - self._last >= QUIET_SECONDS:
            self._last = now
            print(line, file=sys.stderr, flush=True)
