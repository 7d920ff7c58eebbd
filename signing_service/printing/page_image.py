"""Pages as grey pictures, by PDFium."""

from __future__ import annotations

from typing import Any

import numpy as np

from signing_service.errors import Text
from signing_service.pdf.pdfium import PdfiumError, opened_in_pdfium
from signing_service.printing.errors import CopyRefused

GreyPage = np.ndarray[Any, np.dtype[np.uint8]]
"""Rows from the top of the page as displayed; 0 black, 255 white."""


def grey_pages(pdf: bytes, dpi: float) -> list[GreyPage]:
    """All pages, with annotations and form fields as they print. Raises CopyRefused for an unreadable file."""
    try:
        with opened_in_pdfium(pdf) as document:
            document.init_forms()
            return [_grey(page, dpi) for page in document]
    except PdfiumError as failure:
        why = Text(f"页面无法显示:{failure}。", f"Its pages cannot be shown: {failure}.")
        raise CopyRefused(why) from failure


def _grey(page: Any, dpi: float) -> GreyPage:
    picture = page.render(scale=dpi / 72, grayscale=True, may_draw_forms=True).to_numpy()
    return np.array(picture.reshape(picture.shape[0], -1)[:, : picture.shape[1]], dtype=np.uint8)
