"""PDF objects as source text with references still open: one appearance serves the complete and the fast path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.pdf.geometry import Matrix

Source = tuple[bytes | int, ...]
"""Pieces of one object's source; an int is a reference to the object at that place in the same drawing."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The objects of an appearance; the last is its Form XObject."""

    sources: tuple[Source, ...]

    def numbered(self, numbers: Sequence[int]) -> list[bytes]:
        """Each object's source, references resolved to `numbers` (generation 0)."""
        return [
            b"".join([part if isinstance(part, bytes) else b"%d 0 R" % numbers[part] for part in source])
            for source in self.sources
        ]


def stream(entries: bytes, data: bytes) -> bytes:
    """A stream object's source."""
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data)


def form_entries(width_pt: float, height_pt: float, upright: Matrix) -> bytes:
    """The entries of a Form XObject of this size that `upright` turns to stand upright on the displayed page."""
    a, b, c, d = upright
    return b"/Type/XObject/Subtype/Form/BBox[0 0 %s %s]/Matrix[%d %d %d %d 0 0]" % (
        real(width_pt),
        real(height_pt),
        a,
        b,
        c,
        d,
    )


def real(value: float) -> bytes:
    """A number as PDF writes it: no exponent, at most four decimals."""
    return (f"{value:.4f}".rstrip("0").rstrip(".") or "0").encode("ascii")
