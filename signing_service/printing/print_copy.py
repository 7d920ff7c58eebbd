"""A print copy (打印件): a new, unsigned PDF that looks like the sealed one and says on every page that it is a copy.

The pages keep content and true size; margin lines, a 100 mm rule, the watermark and the paper code are put where the
rendered page is free, in any of its four margins or, failing that, inside. Every page has its margin lines, at least
one the code; what fits nowhere goes on an extra sheet (附页).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pikepdf

from signing_service.pdf.picture import POINTS_PER_MM
from signing_service.printing.flat_pages import flat_copy, page_size_pt, write_plain
from signing_service.printing.free_space import CELL_MM, CLEARANCE_MM, DPI, EDGE_MM, PageSpace, Side
from signing_service.printing.marks import (
    RULE_MM,
    RULE_NOTE,
    WATERMARK,
    PageMarks,
    Pen,
    code_size_mm,
    margin_size_mm,
    write_marks,
)
from signing_service.printing.page_image import grey_pages
from signing_service.printing.paper_code import PaperCode
from signing_service.printing.symbol import draw_symbol

SHEET_MM = (210.0, 297.0)
_ALONG: tuple[Side, ...] = ("bottom", "top")
_ACROSS: tuple[Side, ...] = ("left", "right")
_CODE_SIDES: tuple[Side, ...] = ("bottom", "top", "left", "right", "inside")


@dataclass(frozen=True, slots=True)
class CopyLabel:
    """What a copy says of itself. `number` of `quota`; `printed_on` in words; `host`: the official verify address."""

    serial: str
    number: int
    quota: int
    printed_on: str
    host: str
    purpose: str = ""
    lines: Sequence[str] = ()


def make_print_copy(sealed_pdf: bytes, *, label: CopyLabel, code: PaperCode | None) -> bytes:
    """The copy's PDF. `code` None: a copy without paper code (of a file that has no document id).

    Raises CopyRefused, CodeTooLarge, FontMissing, GlyphMissing.
    """
    with flat_copy(sealed_pdf) as document:
        spaces = [PageSpace(grey) for grey in grey_pages(write_plain(document), DPI)]
        sizes = [page_size_pt(page) for page in document.pages]
        layout = _Layout(label, code, len(spaces))
        marks = [layout.page(index, space, size) for index, (space, size) in enumerate(zip(spaces, sizes, strict=True))]
        if layout.needs_sheet:
            size = (SHEET_MM[0] * POINTS_PER_MM, SHEET_MM[1] * POINTS_PER_MM)
            document.add_blank_page(page_size=size)
            marks.append(layout.sheet(size))
        _lay_over(document, write_marks(marks, layout.pen.font))
        return write_plain(document)


class _Layout:
    """Lays out one copy page by page."""

    def __init__(self, label: CopyLabel, code: PaperCode | None, pages: int) -> None:
        self._label, self._pages = label, pages
        self._symbol = None if code is None else draw_symbol(code).picture
        self._captions = [] if code is None else [f"核验 {label.host}", f"短码 {code.short_code}"]
        self.pen = Pen(
            [RULE_NOTE, WATERMARK, *self._captions, *self._lines(pages), *self._lines(pages + 1), "0123456789"]
        )
        self._unmarked, self._coded = False, code is None

    @property
    def needs_sheet(self) -> bool:
        """A page without room for the margin block, or no page with room for the code."""
        return self._unmarked or not self._coded

    def page(self, index: int, space: PageSpace, size_pt: tuple[float, float]) -> PageMarks:
        """Marks of one page: watermark, margin block, code, as far as they find room."""
        parts = [self.pen.watermark(size_pt[0] / POINTS_PER_MM, size_pt[1] / POINTS_PER_MM)]
        block = self._margin(index, space)
        if block is not None:
            parts.append(block)
        code = self._code(space)
        if code is not None:
            parts.append(code)
        self._unmarked |= block is None
        self._coded |= code is not None
        return PageMarks(*size_pt, b"\n".join(parts))

    def sheet(self, size_pt: tuple[float, float]) -> PageMarks:
        """The extra sheet (附页): margin block and code on an empty page."""
        blank = np.full((round(SHEET_MM[1] / CELL_MM) * 2, round(SHEET_MM[0] / CELL_MM) * 2), 255, np.uint8)
        return self.page(self._pages, PageSpace(blank), size_pt)

    def _margin(self, index: int, space: PageSpace) -> bytes | None:
        for sides, room in ((_ALONG, space.width_mm), (_ACROSS, space.height_mm), (("inside",), space.width_mm)):
            available = room - 2 * (EDGE_MM + CLEARANCE_MM)
            if available < RULE_MM:
                continue
            lines = [part for line in self._lines(index + 1) for part in self._wrapped(line, available)]
            wide, high = margin_size_mm(self.pen, lines)
            size = (high, wide) if sides == _ACROSS else (wide, high)
            spot = space.take(*size, sides)
            if spot is not None:
                return self.pen.margin_block(lines, spot)
        return None

    def _code(self, space: PageSpace) -> bytes | None:
        if self._symbol is None:
            return None
        spot = space.take(*code_size_mm(self.pen, self._symbol, self._captions), _CODE_SIDES)
        return None if spot is None else self.pen.code_block(self._symbol, self._captions, spot)

    def _lines(self, page: int) -> list[str]:
        label = self._label
        purpose = f"  用途：{label.purpose}" if label.purpose else ""
        which = "附页" if page > self._pages else f"第 {page}/{self._pages} 页"
        return [
            f"打印件（副本） 编号 {label.serial}  第 {label.number} 份，共 {label.quota} 份  {which}{purpose}",
            f"{label.printed_on} 打印。本纸件不含电子签名，真伪以扫码或登录 {label.host} 核验的结果为准。",
            *label.lines,
        ]

    def _wrapped(self, line: str, available_mm: float) -> list[str]:
        parts: list[str] = []
        part = ""
        for sign in line:
            if part and self.pen.width_mm(part + sign) > available_mm:
                parts, part = [*parts, part], ""
            part += sign
        return [*parts, part]


def _lay_over(document: pikepdf.Pdf, marks: bytes) -> None:
    with pikepdf.open(io.BytesIO(marks)) as drawn:
        for page, mark in zip(document.pages, drawn.pages, strict=True):
            page.add_overlay(mark, pikepdf.Rectangle(0, 0, *page_size_pt(page)))
