"""Progress on stderr: one line a step, with its time; the terminal's user sees what is being waited for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hardware.errors import Language, Text


class Progress:
    """Numbered steps. On a terminal the running step stands on its line before it ends."""

    def __init__(self, total: int, language: Language) -> None:
        self._total, self._language, self._done = total, language, 0

    @contextmanager
    def step(self, text: Text) -> Iterator[None]:
        """One step; its line ends with ✔ and the seconds it took, or with ✖ when it raises."""
        self._done += 1
        line = f"[{self._done}/{self._total}] {text.in_(self._language)}"
        if sys.stderr.isatty():
            print(f"{line} …", end="\r", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            print(f"{line} ✖", file=sys.stderr)
            raise
        print(f"{line} ✔ {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)

    def note(self, text: Text) -> None:
        """A line under the present step."""
        print(f"      {text.in_(self._language)}", file=sys.stderr, flush=True)
