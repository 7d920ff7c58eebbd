"""Document timestamps (ETSI.RFC3161): an invisible signature field that holds a timestamp over the whole file."""

from __future__ import annotations

from pyhanko.pdf_utils import generic
from pyhanko.sign.signers.pdf_byterange import PdfByteRangeDigest

from signing_service.pdf.form_editing import append_annotation, append_field
from signing_service.pdf.form_fields import form_fields
from signing_service.pdf.opening import OpenedPdf, open_pdf, reading
from signing_service.pdf.prepared import PreparedSignature
from signing_service.pdf.revision import Revision

_ROOM = 12288


def prepare_document_timestamp(pdf: bytes, room: int = _ROOM) -> PreparedSignature:
    """The file with an empty document timestamp; `digest` is what the authority has to stamp."""
    opened = open_pdf(pdf)
    with reading():
        revision = Revision(opened)
        field = _free_name(opened)
        signature = PdfByteRangeDigest(bytes_reserved=2 * room)
        for key, value in (("/Type", "/DocTimeStamp"), ("/Filter", "/Adobe.PPKLite"), ("/SubFilter", "/ETSI.RFC3161")):
            signature[key] = generic.NameObject(value)
        reference = revision.add_object(signature)
        page = opened.pages[0]
        source = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/F 132/Rect[0 0 0 0]/P %d %d R/V %d 0 R>>" % (
            field.encode("ascii"),
            page.reference.idnum,
            page.reference.generation,
            reference.idnum,
        )
        widget = revision.allocate_placeholder()
        revision.add_raw(source, widget)
        append_annotation(revision, opened, page, widget)
        append_field(revision, opened.catalog, widget)
        document, byte_range, digest = revision.written_around(signature)
    return PreparedSignature(document, byte_range, digest, b"", field)


def _free_name(opened: OpenedPdf) -> str:
    taken = {field.name for field in form_fields(opened.catalog)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"DocTimeStamp{number}") not in taken)
