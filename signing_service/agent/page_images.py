"""Pages of a PDF as pictures and what stands at a place, by PDFium: one reading for the agent's window and the desk."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw

from signing_service.agent.errors import UnreadablePages
from signing_service.agent.protocol import Spot
from signing_service.pdf.pdfium import PdfiumError, opened_in_pdfium

_POINTS_PER_INCH = 72.0
MOST_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Where a spot is seen on the displayed page: fractions of its width and height, from the upper left."""

    page: int
    left: float
    top: float
    width: float
    height: float


def page_count(pdf: bytes) -> int:
    """Raises UnreadablePages."""
    with _opened(pdf) as document:
        return len(document)


def page_image(pdf: bytes, index: int, *, dpi: int = 110, image_format: str = "PNG") -> bytes:
    """One page as it is displayed, annotations and signatures' appearances included. Raises UnreadablePages."""
    with _opened(pdf) as document:
        document.init_forms()
        page = document[index]
        width, height = page.get_size()
        scale = dpi / _POINTS_PER_INCH
        scale = min(scale, (MOST_PIXELS / max(1.0, width * height)) ** 0.5)
        picture = page.render(scale=scale).to_pil().convert("RGB")
    target = io.BytesIO()
    picture.save(target, image_format)
    return target.getvalue()


def find_spot(pdf: bytes, field: str) -> Spot | None:
    """Where the widget of a signature field stands; None when it is not seen. Raises UnreadablePages.

    A widget without area (an invisible signature) is not seen.
    """
    with _opened(pdf) as document:
        for index in range(len(document)):
            page = document[index]
            for rectangle in _widgets(page.raw, field):
                left, bottom, right, top = rectangle
                if right - left > 0 and top - bottom > 0:
                    return Spot(index, left, bottom, right, top)
    return None


def text_at(pdf: bytes, spot: Spot) -> str:
    """The text that is seen within the rectangle, annotations included, without white space. Raises UnreadablePages."""
    with _opened(pdf) as document:
        page = document[spot.page]
        raw.FPDFPage_Flatten(page.raw, raw.FLAT_NORMALDISPLAY)
        page.close()
        flattened = document[spot.page]
        words = flattened.get_textpage().get_text_bounded(*_widened(spot))
    return "".join(words.split())


def place_of(pdf: bytes, spot: Spot) -> PagePlace:
    """The spot on the page as it is displayed, whatever its rotation and crop box. Raises UnreadablePages."""
    with _opened(pdf) as document:
        page = document[spot.page]
        size = 10_000
        corners = [_on_device(page.raw, size, x, y) for x in (spot.left, spot.right) for y in (spot.bottom, spot.top)]
    columns, rows = [x / size for x, _ in corners], [y / size for _, y in corners]
    left, top = min(columns), min(rows)
    return PagePlace(spot.page, left, top, max(columns) - left, max(rows) - top)


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    try:
        with opened_in_pdfium(pdf) as document:
            yield document
    except (PdfiumError, IndexError, ValueError) as failure:
        raise UnreadablePages(f"原因:{failure}。", f"Cause: {failure}.") from failure


def _widgets(page: Any, field: str) -> Iterator[tuple[float, float, float, float]]:
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        try:
            if raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_WIDGET and _title(annotation) == field:
                box = raw.FS_RECTF()
                if raw.FPDFAnnot_GetRect(annotation, box):
                    yield box.left, box.bottom, box.right, box.top
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _title(annotation: Any) -> str:
    size = raw.FPDFAnnot_GetStringValue(annotation, b"T", None, 0)
    buffer = (raw.FPDF_WCHAR * (size // 2))()
    raw.FPDFAnnot_GetStringValue(annotation, b"T", buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\x00")


def _on_device(page: Any, size: int, x: float, y: float) -> tuple[int, int]:

    column, row = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, size, size, 0, x, y, column, row)
    return column.value, row.value


def _widened(spot: Spot) -> tuple[float, float, float, float]:
    return spot.left - 1, spot.bottom - 1, spot.right + 1, spot.top + 1
