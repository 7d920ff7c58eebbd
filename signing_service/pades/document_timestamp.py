"""Document timestamps (ETSI.RFC3161): a signature field that holds a timestamp over the whole file.

The field has no widget: no page changes, so a lock over pages and fields is not touched."""

from __future__ import annotations

from pyhanko.pdf_utils import generic
from pyhanko.sign.signers.pdf_byterange import PdfByteRangeDigest

from signing_service.pdf.form_editing import append_field
from signing_service.pdf.form_fields import form_fields
from signing_service.pdf.opening import OpenedPdf, open_pdf, reading
from signing_service.pdf.revision import Revision
from signing_service.pdf.update import Update


def prepare_document_timestamp(pdf: bytes, room: int) -> Update:
    """The update with an empty document timestamp."""
    opened = open_pdf(pdf)
    with reading():
        revision = Revision(opened)
        field = _free_name(opened)
        signature = PdfByteRangeDigest(bytes_reserved=2 * room)
        for key, value in (("/Type", "/DocTimeStamp"), ("/Filter", "/Adobe.PPKLite"), ("/SubFilter", "/ETSI.RFC3161")):
            signature[key] = generic.NameObject(value)
        reference = revision.add_object(signature)
        source = b"<</FT/Sig/T(%s)/V %d 0 R>>" % (field.encode("ascii"), reference.idnum)
        widget = revision.allocate_placeholder()
        revision.add_raw(source, widget)
        append_field(revision, opened.catalog, widget)
        return revision.written_around(signature)


def _free_name(opened: OpenedPdf) -> str:
    taken = {field.name for field in form_fields(opened.catalog)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"DocTimeStamp{number}") not in taken)
