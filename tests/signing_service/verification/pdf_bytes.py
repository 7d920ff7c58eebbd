"""Writes small PDFs and appends revisions to PDFs, byte by byte: the workbench of the attack generator."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from io import BytesIO

CONTENT = b"BT /F1 18 Tf 72 700 Td (Permit 2026-0001 granted) Tj ET"


def stream(content: bytes, entries: bytes = b"", *, compress: bool = False) -> bytes:
    if compress:
        content, entries = zlib.compress(content), entries + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def table(offsets: Mapping[int, int]) -> bytes:
    """An xref table; offset 0 frees an object."""
    out = b"xref\n"
    for number, offset in sorted(offsets.items()):
        out += b"%d 1\n%010d %05d %s \n" % (number, offset, 0 if offset else 65535, b"n" if offset else b"f")
    return out


def document(pages: int = 2) -> bytes:
    """Pages with text, a text field `applicant`, an XMP packet and an information dictionary."""
    first = 10
    kids = b" ".join(b"%d 0 R" % (first + 2 * index) for index in range(pages))
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Metadata 7 0 R "
        b"/AcroForm << /Fields [5 0 R] /DA (/F1 10 Tf) /DR << /Font << /F1 3 0 R >> >> >> >>",
        2: b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 595 842] >>" % (kids, pages),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        4: b"<< /Title (Permit) /Producer (test) >>",
        5: b"<< /FT /Tx /T (applicant) /V (Zhang) "
        b"/Type /Annot /Subtype /Widget /Rect [72 600 272 620] /P 10 0 R /F 4 /AP << /N 6 0 R >> >>",
        6: stream(
            b"/Tx BMC BT /F1 10 Tf (Zhang) Tj ET EMC",
            b"/Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F1 3 0 R >> >>",
        ),
        7: stream(
            b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'></rdf:RDF></x:xmpmeta>",
            b"/Type /Metadata /Subtype /XML",
        ),
    }
    for index in range(pages):
        number = first + 2 * index
        annotations = b" /Annots [5 0 R]" if index == 0 else b""
        objects[number] = (
            b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >>%s >>"
            % (number + 1, annotations)
        )
        objects[number + 1] = stream(CONTENT + b" %% page %d" % index)
    return write(
        objects, b"/Root 1 0 R /Info 4 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]"
    )


def write(objects: Mapping[int, bytes], trailer: bytes) -> bytes:
    out, offsets = BytesIO(), {0: 0}
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    for number, body in objects.items():
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    size = max(objects) + 1
    out.write(b"xref\n0 %d\n" % size)
    for number in range(size):
        offset = offsets.get(number, 0)
        out.write(b"%010d %05d %s \n" % (offset, 0 if offset else 65535, b"n" if offset else b"f"))
    out.write(b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start))
    return out.getvalue()


def append(
    pdf: bytes, objects: Mapping[int, bytes], *, freed: tuple[int, ...] = (), extra: bytes = b"", root: bytes = b"1 0 R"
) -> bytes:
    """A correct incremental update."""
    out, offsets = bytearray(pdf), dict.fromkeys(freed, 0)
    if not out.endswith(b"\n"):
        out += b"\n"
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += table(offsets)
    size = max(size_of(pdf), *(number + 1 for number in [*objects, *freed, 0]))
    out += b"trailer\n<< /Size %d /Root %s /Prev %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        root,
        last_startxref(pdf),
        extra,
        start,
    )
    return bytes(out)


def last_startxref(pdf: bytes) -> int:
    return int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])


def size_of(pdf: bytes) -> int:
    return max(int(found) for found in re.findall(rb"/Size (\d+)", pdf))


def body_of(pdf: bytes, number: int) -> bytes:
    """The source of the last copy of an object."""
    found = list(re.finditer(rb"(?<!\d)%d 0 obj\s*(.*?)\s*endobj" % number, pdf, re.S))
    return found[-1][1]


def number_with(pdf: bytes, pattern: bytes) -> int:
    """The number of the last object whose source matches."""
    found = [
        match
        for match in re.finditer(rb"(?<!\d)(\d+) 0 obj\s*(.*?)\s*endobj", pdf, re.S)
        if re.search(pattern, match[2], re.S)
    ]
    return int(found[-1][1])
