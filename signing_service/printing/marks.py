"""What is drawn on a print copy besides the pages: margin lines, a 100 mm rule, the paper code, the watermark.

All of it goes into a small PDF of our own, page by page, which is laid over the copied pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

from signing_service.pades.drawing import real
from signing_service.pades.fonts import FontSubset, font_subset
from signing_service.pdf.picture import POINTS_PER_MM, VectorPicture
from signing_service.printing.free_space import Spot

TEXT_PT = 6.5
LINE_MM = 3.0
RULE_MM = 100.0
RULE_HEIGHT_MM = 4.6
RULE_NOTE = "100 mm（请按实际大小打印，勿缩放）"
WATERMARK = "打印件 副本"


@dataclass(frozen=True, slots=True)
class PageMarks:
    """One page's size in points and its finished operators."""

    width_pt: float
    height_pt: float
    content: bytes


class Pen:
    """Draws with one font for all of a copy's texts, so that it is embedded once."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Raises FontMissing, GlyphMissing."""
        self.font: FontSubset = font_subset("hei", "".join(sorted(set("".join(texts)))))

    def width_mm(self, text: str, size_pt: float = TEXT_PT) -> float:
        return self.font.width(text) * size_pt / POINTS_PER_MM

    def margin_block(self, lines: Sequence[str], spot: Spot) -> bytes:
        """Rule below, lines above it; turned a quarter in the left and right margins."""
        upright = spot.width_mm >= spot.height_mm
        place = (1, 0, 0, 1, spot.left_mm, spot.bottom_mm)
        turned = (0, 1, -1, 0, spot.left_mm + spot.width_mm, spot.bottom_mm)
        drawn = [_rule(self, 0.0)]
        for index, line in enumerate(reversed(lines)):
            drawn.append(self.text(line, 0.0, RULE_HEIGHT_MM + LINE_MM * index + 0.8, TEXT_PT))
        return _placed(place if upright else turned, b"\n".join(drawn))

    def code_block(self, picture: VectorPicture, captions: Sequence[str], spot: Spot) -> bytes:
        """The symbol at its true size, its captions below."""
        base = spot.bottom_mm + LINE_MM * len(captions)
        parts = [_placed((1, 0, 0, 1, spot.left_mm, base), picture.content)]
        for index, caption in enumerate(captions):
            left = spot.left_mm + max((spot.width_mm - self.width_mm(caption)) / 2, 0)
            parts.append(self.text(caption, left, base - LINE_MM * (index + 1) + 0.8, TEXT_PT))
        return b"\n".join(parts)

    def watermark(self, width_mm: float, height_mm: float) -> bytes:
        """Slanted, as black of a tenth: black stays black and white turns light grey, in every viewer."""
        size = min(64.0, 0.62 * min(width_mm, height_mm) * POINTS_PER_MM / self.font.width(WATERMARK))
        half_mm = self.width_mm(WATERMARK, size) / 2
        turn = radians(35)
        left, bottom = width_mm / 2 - half_mm * cos(turn), height_mm / 2 - half_mm * sin(turn)
        matrix = (cos(turn), sin(turn), -sin(turn), cos(turn), left, bottom)
        return b"q /GS0 gs\n%s\nQ" % _placed(matrix, self.text(WATERMARK, 0, 0, size, colour=b"0 g "))

    def text(self, text: str, x_mm: float, y_mm: float, size: float, colour: bytes = b"0.25 g ") -> bytes:
        """One line from its baseline's left end; `colour` is a fill operator."""
        at = (real(x_mm * POINTS_PER_MM), real(y_mm * POINTS_PER_MM))
        return b"%sBT /F0 %s Tf 1 0 0 1 %s %s Tm %s Tj ET" % (colour, real(size), *at, self.font.encode(text))


def margin_size_mm(pen: Pen, lines: Sequence[str]) -> tuple[float, float]:
    """Width and height of the margin block, lying."""
    return max(RULE_MM, *(pen.width_mm(line) for line in lines)), RULE_HEIGHT_MM + LINE_MM * len(lines)


def code_size_mm(pen: Pen, picture: VectorPicture, captions: Sequence[str]) -> tuple[float, float]:
    """Width and height of the code with its captions."""
    widest = max((pen.width_mm(caption) for caption in captions), default=0.0)
    return max(picture.width_mm, widest), picture.height_mm + LINE_MM * len(captions)


def write_marks(pages: Sequence[PageMarks], font: FontSubset) -> bytes:
    """A PDF with a page for each entry; only path, text and one graphics state are used."""
    objects: dict[int, bytes] = {}
    font_numbers = list(range(3, 3 + len(font.sources)))
    for number, source in zip(font_numbers, font.sources, strict=True):
        objects[number] = b"".join(
            part if isinstance(part, bytes) else b"%d 0 R" % font_numbers[part] for part in source
        )
    first = 3 + len(font.sources)
    resources = b"<</Font<</F0 %d 0 R>>/ExtGState<</GS0<</Type/ExtGState/ca 0.1>>>>>>" % font_numbers[-1]
    for index, page in enumerate(pages):
        at = first + 2 * index
        box = b"[0 0 %s %s]" % (real(page.width_pt), real(page.height_pt))
        entries = (box, resources, at + 1)
        objects[at] = b"<</Type/Page/Parent 2 0 R/MediaBox%s/Resources %s/Contents %d 0 R>>" % entries
        objects[at + 1] = b"<</Length %d>>\nstream\n%s\nendstream" % (len(page.content), page.content)
    kids = b" ".join(b"%d 0 R" % (first + 2 * index) for index in range(len(pages)))
    objects[1] = b"<</Type/Catalog/Pages 2 0 R>>"
    objects[2] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids)
    return _file(objects)


def _rule(pen: Pen, bottom_mm: float) -> bytes:
    """A line of exactly 100 mm with a tick every 10 mm, and what it is for."""
    unit = POINTS_PER_MM
    parts = [b"0.25 G 0.5 w 0 %s m %s %s l S" % (real(bottom_mm * unit), real(RULE_MM * unit), real(bottom_mm * unit))]
    for tick in range(11):
        x, high = tick * 10 * unit, (1.6 if tick % 5 == 0 else 1.0) * unit
        parts.append(b"%s %s m %s %s l S" % (real(x), real(bottom_mm * unit), real(x), real(bottom_mm * unit + high)))
    parts.append(pen.text(RULE_NOTE, 0.0, bottom_mm + 2.2, 5.5))
    return b"\n".join(parts)


def _placed(matrix: tuple[float, ...], content: bytes) -> bytes:
    """Content in points, moved by a matrix whose translation is in mm."""
    a, b, c, d, left, bottom = matrix
    moved = (a, b, c, d, left * POINTS_PER_MM, bottom * POINTS_PER_MM)
    return b"q %s cm\n%s\nQ" % (b" ".join(real(value) for value in moved), content)


def _file(objects: dict[int, bytes]) -> bytes:
    body, offsets = b"%PDF-1.7\n", {}
    for number in sorted(objects):
        offsets[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    table = b"".join(b"%010d 00000 n \n" % offsets[number] for number in sorted(objects))
    size = len(objects) + 1
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        body, size, table, size, len(body),
    )  # fmt: skip
