"""Small files made with qpdf's library, and altered at will."""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import pytest


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    """`change` alters the document before it is saved; the other options go to the writer."""

    def make(change: Callable[[pikepdf.Pdf], None] | None = None, *, pages: int = 1, **options: object) -> bytes:
        document = pikepdf.new()
        for _ in range(pages):
            document.add_blank_page(page_size=(595.276, 841.89))
        if change is not None:
            change(document)
        output = io.BytesIO()
        document.save(output, **options)  # type: ignore[arg-type]
        return output.getvalue()

    return make
