"""One more revision at the end of a file: the input's bytes stay as they are, changed and new objects follow."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from signing_service.pdf.opening import OpenedPdf
from signing_service.pdf.update import Container, Update

_KEYS_OF_ONE_SECTION = ("/XRefStm", "/Type", "/W", "/Index", "/Filter", "/DecodeParms", "/Length", "/DL", "/F")


class Revision(IncrementalPdfFileWriter):
    """pyHanko's incremental writer, made to leave alone whatever a signature does not need.

    Document information, XMP metadata and the catalog's version stay untouched: broken metadata does not stop a
    signature, and PDF/A stays PDF/A.
    """

    IO_CHUNK_SIZE = 1 << 20

    def __init__(self, opened: OpenedPdf) -> None:
        super().__init__(BytesIO(opened.data), prev=opened.reader)
        self._data, self._input = opened.data, opened.given
        self._lastobj_id = max(self._lastobj_id, _highest_number(opened))

    @classmethod
    def _handle_id(cls, prev: Any) -> generic.ArrayObject:
        inherited: Any = super()
        try:
            identifier: generic.ArrayObject = inherited._handle_id(prev)
            return identifier
        except (ValueError, TypeError, IndexError, AttributeError):
            fresh = generic.ByteStringObject(bytes(16))  # a malformed /ID identifies nothing
            return generic.ArrayObject([fresh, fresh])

    def identified_by(self, content: bytes) -> None:
        """The new half of /ID (14.4) from the end of the input and `content` in place of a random one: what is prepared
        again gives the same bytes. A file without /ID gets both halves so."""
        said = b"%d %b %b" % (len(self._data), self._data[-1024:], content)
        fresh = generic.ByteStringObject(hashlib.sha256(said).digest()[:16])
        first = self._document_id[0] if "/ID" in self.prev.trailer else fresh
        self._document_id = generic.ArrayObject([first, fresh])

    def ensure_output_version(self, version: Any) -> None:
        """The declared version stays: a signature's dictionaries are ignored, not misread, by older readers."""

    def _update_meta(self) -> None:
        """Metadata stays."""

    def _write_header(self, stream: Any) -> None:
        stream.write(self._data)
        if not self._data.endswith((b"\n", b"\r")):
            stream.write(b"\n")

    def _populate_trailer(self, trailer: Any) -> None:
        kept = {generic.NameObject(key): trailer[key] for key in _KEYS_OF_ONE_SECTION if key in trailer}
        inherited: Any = super()
        inherited._populate_trailer(trailer)
        for key in _KEYS_OF_ONE_SECTION:
            trailer.pop(key, None)
        trailer.update(kept)

    def add_raw(self, drawn: bytes, number: generic.IndirectObject) -> None:
        """Puts an object given as PDF source (dictionary or stream) under an allocated number."""
        reference = generic.Reference(number.idnum, 0, self)
        self.add_object(generic.read_object(BytesIO(drawn), reference), idnum=number.idnum)

    def catalog_changed(self) -> None:
        """The catalog is written again in this revision."""
        self.mark_update(self.root_ref)

    def finished(self) -> bytes:
        """This revision's bytes, to be appended to the input."""
        output = BytesIO()
        self.write_to(output)
        return bytes(output.getbuffer()[len(self._input) :])

    def catalog_reference(self) -> Any:
        untyped: Any = generic.IndirectObject
        return untyped(self.root_ref.idnum, self.root_ref.generation, self)

    def written_around(self, signature: Any) -> Update:
        """This revision's bytes, with `signature` (a byte-range object of pyHanko) as its empty container."""
        output = BytesIO()
        self.write_to(output)
        end = output.tell()
        start, after = signature.contents.offsets
        signature.byte_range.fill_offsets(output, start, after, end)
        base = len(self._input)
        content = bytearray(output.getbuffer()[base:])
        return Update(content, Container(start - base, after - base, (0, start, after, end - after)))

    def write_to(self, output: BytesIO) -> None:
        writer: Any = super()
        self.digest_aware_write = True
        writer.write(output)


def _highest_number(opened: OpenedPdf) -> int:
    """The highest object number in use; a /Size that is too small must not let new objects replace old ones."""
    table = opened.reader.xrefs
    used = (
        reference.idnum
        for revision in range(table.total_revisions)
        for reference in table.explicit_refs_in_revision(revision)
    )
    return max(used, default=0)
