"""PDFium is not thread-safe: every room of the process enters it through one lock."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypdfium2
import pytest

from signing_service.agent.page_images import page_image
from signing_service.pades.page_reading import free_spot
from signing_service.pdf import pdfium
from signing_service.pdf.picture import VectorPicture
from signing_service.printing.page_image import grey_pages
from signing_service.seals.picture import render_png

SOURCES = Path(pdfium.__file__).parents[2]


def test_nothing_else_opens_documents_in_pdfium() -> None:
    rooms = [SOURCES / room for room in ("signing_service", "cert_registry", "cli")]
    opening = [path for room in rooms for path in room.rglob("*.py") if re.search(r"\bPdfDocument\(", path.read_text())]
    assert [path.name for path in opening] == ["pdfium.py"]


def test_all_rooms_are_in_it_one_at_a_time(make_pdf: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    pdf, inside, most = make_pdf(), threading.Semaphore(1), []
    real = pypdfium2.PdfDocument

    def counted(data: bytes) -> pypdfium2.PdfDocument:
        most.append(inside.acquire(blocking=False))
        document = real(data)
        close = document.close
        document.close = lambda: (inside.release(), close())  # type: ignore[method-assign]
        return document

    monkeypatch.setattr(pypdfium2, "PdfDocument", counted)
    rooms = [
        lambda: page_image(pdf, 0, dpi=30),
        lambda: free_spot(pdf, 0, (210, 297), (42, 42)),
        lambda: grey_pages(pdf, 30),
        lambda: render_png(VectorPicture(b"q 1 0 0 rg 0 0 50 50 re f Q", 42, 42), dpi=50),
    ]
    with ThreadPoolExecutor(8) as pool:
        for work in [pool.submit(room) for room in rooms * 6]:
            work.result()
    assert len(most) == 24
    assert all(most)
