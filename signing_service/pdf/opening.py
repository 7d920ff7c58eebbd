"""Opening a PDF for signing: whatever is wrong with it becomes a named refusal before anything is written.

pyHanko's lenient reader does the parsing. Where a broken cross-reference stops it, `mending` appends one that works,
so that whatever is written later still begins with the exact input bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader

from signing_service.errors import SigningServiceError
from signing_service.pdf.encryption import unlock
from signing_service.pdf.errors import HybridReferences, PdfUnreadable, XfaForm
from signing_service.pdf.mending import header_stands_first, mended
from signing_service.pdf.objects import entry
from signing_service.pdf.page_tree import Page, read_pages


@dataclass(slots=True)
class OpenedPdf:
    """A readable file. `given` is the exact input; `data` begins with it, longer when a cross-reference was mended.

    `may_add_fields` is False when encryption permits filling existing signature fields alone.
    """

    given: bytes
    data: bytes
    reader: PdfFileReader
    pages: list[Page]
    may_add_fields: bool

    @property
    def catalog(self) -> Any:
        return self.reader.root


@contextmanager
def reading() -> Iterator[None]:
    """Turns whatever the parser raises on hostile bytes into PdfUnreadable."""
    try:
        yield
    except SigningServiceError:
        raise
    except Exception as failure:  # the parser raises all kinds of exceptions on malformed input
        why = f"{type(failure).__name__}: {failure}"[:200]
        raise PdfUnreadable(f"文件结构损坏({why})。", f"Its structure is damaged ({why}).") from failure


def open_pdf(pdf: bytes) -> OpenedPdf:
    """The file, ready for one more revision.

    Raises PdfUnreadable, PasswordNeeded, PermissionMissing, EncryptionUnsupported, HybridReferences or XfaForm.
    """
    if not header_stands_first(pdf):
        raise PdfUnreadable("文件不以 %PDF 开头。", "It does not begin with %PDF.")
    try:
        return _open(pdf, pdf)
    except PdfUnreadable as first:
        for candidate in mended(pdf):
            try:
                return _open(pdf, candidate)
            except PdfUnreadable:
                continue
        raise first


def _open(given: bytes, data: bytes) -> OpenedPdf:
    with reading():
        reader = PdfFileReader(BytesIO(data), strict=False)
        _refuse_hybrid(reader)
        may_add_fields = unlock(reader)
        catalog = reader.root
        _refuse_dynamic_xfa(catalog)
        return OpenedPdf(given, data, reader, read_pages(reader), may_add_fields)


def _refuse_hybrid(reader: PdfFileReader) -> None:
    """B17: hybrid-reference files show old and new readers different things."""
    for revision in range(reader.xrefs.total_revisions):
        if reader.xrefs.get_xref_data(revision).hybrid is not None:
            raise HybridReferences


def _refuse_dynamic_xfa(catalog: Any) -> None:
    """XFA whose pages are made while it is shown; an XFA copy beside ordinary fields and pages does no harm."""
    form = entry(catalog, "/AcroForm")
    is_made_while_shown = bool(entry(catalog, "/NeedsRendering")) or not entry(form, "/Fields")
    if entry(form, "/XFA") is not None and is_made_while_shown:
        raise XfaForm
