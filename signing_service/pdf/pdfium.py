"""PDFium, entered by one thread at a time: the library is not thread-safe, so a process has one lock for all rooms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2

PdfiumError = pypdfium2.PdfiumError
_ALONE = threading.Lock()


@contextmanager
def opened_in_pdfium(pdf: bytes) -> Iterator[Any]:
    """The `pypdfium2.PdfDocument`, closed afterwards; no other thread is in PDFium meanwhile. Not re-entrant.

    Pages, bitmaps and text pages of it must not outlive the block. Raises PdfiumError for an unreadable file.
    """
    with _ALONE:
        document = pypdfium2.PdfDocument(pdf)
        try:
            yield document
        finally:
            document.close()
