"""Reading pages as a person sees them, to find a place: keywords in the text, and spots without ink (PDFium)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from signing_service.pades.errors import PlacingRefused
from signing_service.pdf.geometry import Box
from signing_service.pdf.pdfium import PdfiumError, opened_in_pdfium

_PIXELS_PER_MM = 2.0
_DARK = 245
_STEP_MM = 4.0
_MARGIN_MM = 8.0


def keyword_boxes(pdf: bytes, keyword: str) -> list[tuple[int, Box]]:
    """Page index and bounding rectangle, in user units, of every occurrence in reading order."""
    found = []
    with _opened(pdf) as document:
        for index in range(len(document)):
            text = document[index].get_textpage()
            search = text.search(keyword, match_case=True)
            while (match := search.get_next()) is not None:
                boxes = [text.get_charbox(position) for position in range(match[0], match[0] + match[1])]
                left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
                found.append((index, (left, bottom, max(box[2] for box in boxes), max(box[3] for box in boxes))))
    return found


def free_spot(pdf: bytes, page: int, page_mm: tuple[float, float], size_mm: tuple[float, float]) -> tuple[float, float]:
    """Left and bottom, in mm as displayed, of the box with the least ink; of equals, the lowest, then rightmost."""
    ink = _ink(pdf, page, page_mm)
    rows, columns = ink.shape[0] - 1, ink.shape[1] - 1
    high = min(round(size_mm[1] * rows / page_mm[1]), rows)
    wide = min(round(size_mm[0] * columns / page_mm[0]), columns)
    best = (float("inf"), 0, 0)
    for top in _positions(rows - high, rows / page_mm[1]):
        for left in _positions(columns - wide, columns / page_mm[0]):
            amount = ink[top + high, left + wide] - ink[top, left + wide] - ink[top + high, left] + ink[top, left]
            best = min(best, (float(amount), -top, -left))
    top, left = -best[1], -best[2]
    return left * page_mm[0] / columns, (rows - top - high) * page_mm[1] / rows


def _positions(last: int, pixels_per_mm: float) -> range:
    margin = round(_MARGIN_MM * pixels_per_mm)
    step = max(round(_STEP_MM * pixels_per_mm), 1)
    return range(margin, last - margin + 1, step) if last > 2 * margin else range(0, last + 1, step)


def _ink(pdf: bytes, page: int, page_mm: tuple[float, float]) -> Any:
    """Summed-area table of dark pixels of the displayed page, annotations included."""
    with _opened(pdf) as document:
        document.init_forms()  # so that earlier signatures count as ink
        shown = document[page]
        scale = page_mm[0] * _PIXELS_PER_MM / shown.get_width()
        picture = shown.render(scale=scale, grayscale=True, may_draw_forms=True).to_numpy()
    dark = (np.asarray(picture).reshape(picture.shape[0], -1)[:, : picture.shape[1]] < _DARK).astype(np.int64)
    return np.pad(dark.cumsum(0).cumsum(1), ((1, 0), (1, 0)))


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    try:
        with opened_in_pdfium(pdf) as document:
            yield document
    except PdfiumError as failure:
        raise PlacingRefused("页面无法显示。", f"The pages cannot be shown: {failure}.") from failure
