"""What a visible signature shows: lines of text, or a seal's picture at its true size."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from signing_service.pades.drawing import Drawing, form_entries, real, stream
from signing_service.pades.errors import PictureMissing
from signing_service.pades.fonts import Face, FontSubset, font_subset
from signing_service.pdf.geometry import Matrix, PageGeometry
from signing_service.pdf.picture import VectorPicture

_LINE_HEIGHT, _PADDING_PT, _FRAME_PT, _LARGEST_PT, _BASELINE = 1.35, 3.0, 0.6, 10.5, 0.92


class Appearance(Protocol):
    """Something that can be drawn into a box of the given size in points, upright on a page."""

    @property
    def natural_size_mm(self) -> tuple[float, float] | None:
        """The size that it has by itself; None when it fits any box."""
        ...

    def draw(self, width_pt: float, height_pt: float, geometry: PageGeometry) -> Drawing: ...


@dataclass(frozen=True)
class TextAppearance:
    """Lines of literal text in an embedded subset font, as large as the box allows up to `size_pt`.

    Nothing in a line has a special meaning (B31). Raises FontMissing or GlyphMissing when drawn (B30).
    """

    lines: Sequence[str]
    face: Face = "song"
    size_pt: float = _LARGEST_PT
    framed: bool = True

    @property
    def natural_size_mm(self) -> tuple[float, float] | None:
        return None

    def draw(self, width_pt: float, height_pt: float, geometry: PageGeometry) -> Drawing:
        lines = [line.replace("\t", " ").rstrip("\r\n") for line in self.lines]
        subset = font_subset(self.face, "".join(sorted(set("".join(lines)))) or " ")
        content = _frame(width_pt, height_pt) if self.framed else b""
        content += _text(lines, subset, self._fitting_size(lines, subset, width_pt, height_pt), height_pt)
        font = len(subset.sources) - 1
        form = form_entries(width_pt, height_pt, geometry.upright) + b"/Filter/FlateDecode/Resources<</Font<</F0 "
        packed = zlib.compress(content)
        tail = b">>>>/Length %d>>\nstream\n%s\nendstream" % (len(packed), packed)
        return Drawing((*subset.sources, (b"<<" + form, font, tail)))

    def _fitting_size(self, lines: Sequence[str], subset: FontSubset, width_pt: float, height_pt: float) -> float:
        widest = max((subset.width(line) for line in lines), default=0) or 1
        across = max(width_pt - 2 * _PADDING_PT, 1) / widest
        down = max(height_pt - 2 * _PADDING_PT, 1) / (_LINE_HEIGHT * max(len(lines), 1))
        return min(self.size_pt, across, down)


@dataclass(frozen=True)
class SealAppearance:
    """A seal's vector picture, painted at its true size in mm unless the box says otherwise."""

    picture: VectorPicture

    @property
    def natural_size_mm(self) -> tuple[float, float] | None:
        """As drawn. An empty picture is refused by `draw` (PictureMissing)."""
        return (self.picture.width_mm, self.picture.height_mm)

    def draw(self, width_pt: float, height_pt: float, geometry: PageGeometry) -> Drawing:
        return _seal_drawing(self.checked_picture(), width_pt, height_pt, geometry.upright)

    def checked_picture(self) -> VectorPicture:
        """Raises PictureMissing when there is nothing to paint."""
        if not self.picture.content.strip() or self.picture.width_mm <= 0 or self.picture.height_mm <= 0:
            raise PictureMissing
        return self.picture


@lru_cache(maxsize=64)
def _seal_drawing(picture: VectorPicture, width_pt: float, height_pt: float, upright: Matrix) -> Drawing:
    """One form, compressed once per seal, size and turn."""
    across, down = width_pt / picture.width_pt, height_pt / picture.height_pt
    content = b"q %s 0 0 %s 0 0 cm\n%s\nQ" % (real(across), real(down), picture.content)
    entries = form_entries(width_pt, height_pt, upright) + b"/Resources<<>>/Filter/FlateDecode"
    return Drawing(((stream(entries, zlib.compress(content, 9)),),))


def _frame(width_pt: float, height_pt: float) -> bytes:
    inset = _FRAME_PT / 2
    box = b" ".join(real(value) for value in (inset, inset, width_pt - _FRAME_PT, height_pt - _FRAME_PT))
    return b"q 0.45 G %s w %s re S Q\n" % (real(_FRAME_PT), box)


def _text(lines: Sequence[str], subset: FontSubset, size: float, height_pt: float) -> bytes:
    """From the top down, vertically centred."""
    block = size * _LINE_HEIGHT * len(lines)
    top = height_pt - max((height_pt - block) / 2, 0)
    shown = []
    for index, line in enumerate(lines):
        baseline = top - size * (_LINE_HEIGHT * index + _BASELINE + (_LINE_HEIGHT - 1) / 2)
        shown.append(
            b"BT /F0 %s Tf 1 0 0 1 %s %s Tm %s Tj ET"
            % (real(size), real(_PADDING_PT), real(baseline), subset.encode(line))
        )
    return b"q 0 g\n%s\nQ" % b"\n".join(shown)
