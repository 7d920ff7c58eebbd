"""Writes small PDFs and appends revisions to PDFs, byte by byte: the workbench of the attack generator."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from itertools import accumulate

CONTENT = b"BT /F1 18 Tf 72 700 Td (Permit 2026-0001 granted) Tj ET"


UPDATE_STYLES = ("table", "stream", "object stream")
_STYLE: ContextVar[str] = ContextVar("style", default="table")


@contextmanager
def updates_as(style: str) -> Iterator[None]:
    """Within the block `write` and `append` write cross-references (and objects) in this style."""
    token = _STYLE.set(style)
    try:
        yield
    finally:
        _STYLE.reset(token)


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
    if _STYLE.get() != "table":
        whole = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        begin = _append_stream(whole, objects, (0,), max(objects) + 1, trailer)
        return bytes(whole + b"startxref\n%d\n%%%%EOF\n" % begin)
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
    """A correct incremental update, in the style of `updates_as`."""
    out = bytearray(pdf)
    if not out.endswith(b"\n"):
        out += b"\n"
    size = max(size_of(pdf), *(number + 1 for number in [*objects, *freed, 0]))
    trailer = b"/Root %s /Prev %d %s" % (root, last_startxref(pdf), extra)
    if _STYLE.get() == "table":
        offsets = {number: _place(out, number, body) for number, body in objects.items()}
        start = len(out)
        out += table({**offsets, **dict.fromkeys(freed, 0)})
        out += b"trailer\n<< /Size %d %s >>\n" % (size, trailer)
    else:
        start = _append_stream(out, objects, freed, size, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def _place(out: bytearray, number: int, body: bytes) -> int:
    offset = len(out)
    out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return offset


def _append_stream(
    out: bytearray, objects: Mapping[int, bytes], freed: tuple[int, ...], size: int, trailer: bytes
) -> int:
    """A cross-reference stream; in style "object stream" everything but streams goes into one object stream."""
    packed = {n: body for n, body in objects.items() if _STYLE.get() != "stream" and b"stream" not in body}
    rows = {number: (1, _place(out, number, body), 0) for number, body in objects.items() if number not in packed}
    rows |= dict.fromkeys(freed, (0, 0, 1))
    if packed:
        heads = accumulate((len(body) + 1 for body in packed.values()), initial=0)
        index = b" ".join(b"%d %d" % pair for pair in zip(packed, heads, strict=False))
        entries = b"/Type /ObjStm /N %d /First %d" % (len(packed), len(index) + 1)
        holder = _place(out, size, stream(index + b"\n" + b"\n".join(packed.values()), entries, compress=True))
        rows |= {number: (2, size, place) for place, number in enumerate(packed)}
        rows[size] = (1, holder, 0)
        size += 1
    start = len(out)
    rows[size] = (1, start, 0)
    content = b"".join(
        bytes([kind]) + second.to_bytes(4, "big") + third.to_bytes(2, "big")
        for _, (kind, second, third) in sorted(rows.items())
    )
    ranges = b" ".join(b"%d 1" % number for number in sorted(rows))
    entries = b"/Type /XRef /W [1 4 2] /Index [%s] /Size %d %s" % (ranges, size + 1, trailer)
    _place(out, size, stream(content, entries, compress=True))
    return start


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
