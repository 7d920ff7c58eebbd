"""Two objects with one number, and what only looks like it."""

from __future__ import annotations

import struct

from signing_service.verification.ambiguity import ambiguity
from signing_service.verification.document import Document, PdfFile
from signing_service.verification.limits import Limits, Spending


def with_cross_reference_stream(*, own_number: int, doubled: bool = False) -> bytes:
    """One page, then a cross-reference stream whose /Size leaves out its own number; then an update that uses it."""
    first = b"%PDF-1.5\n"
    bodies = [
        b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",
        b"2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n",
        b"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>\nendobj\n",
    ]
    if doubled:
        bodies.append(b"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 5 5]>>\nendobj\n")
    offsets = []
    for body in bodies:
        offsets.append(len(first))
        first += body
    first, start = _section(first, own_number, [0, *offsets[:3]], None)
    offset = len(first)
    second = first + b"%d 0 obj\n<</Type/Metadata2>>\nendobj\n" % own_number
    second, _ = _section(second, own_number + 1, [offset], start, first_number=own_number)
    return second


def _section(
    content: bytes, number: int, offsets: list[int], previous: int | None, first_number: int = 0
) -> tuple[bytes, int]:
    start = len(content)
    rows = b"".join(struct.pack(">BIB", 0 if offset == 0 else 1, offset, 0) for offset in offsets)
    prev = b"" if previous is None else b"/Prev %d" % previous
    head = b"%d 0 obj\n<</Type/XRef/Size %d/Root 1 0 R/W[1 4 1]/Index[%d %d]/Length %d%s>>\nstream\n" % (
        number, number, first_number, len(offsets), len(rows), prev,
    )  # fmt: skip
    return content + head + rows + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start, start


def _ambiguity(content: bytes) -> str | None:
    return ambiguity(Document(PdfFile(content, Spending(Limits())), len(content)))


def test_an_update_may_use_the_number_of_the_stream_that_ended_the_revision_before() -> None:
    assert _ambiguity(with_cross_reference_stream(own_number=4)) is None


def test_two_objects_with_one_number_in_one_revision_are_seen() -> None:
    assert (
        _ambiguity(with_cross_reference_stream(own_number=4, doubled=True)) == "object 3 occurs twice in one revision"
    )


def test_without_cross_references_two_objects_with_one_number_are_ambiguous() -> None:
    page = b"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>\nendobj\n"
    body = b"%PDF-1.5\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
    body += b"2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n"
    end = b"trailer\n<</Root 1 0 R>>\nstartxref\n99999\n%%EOF\n"
    assert _ambiguity(body + page + end) is None
    assert "object 3 occurs twice" in (_ambiguity(body + page + page.replace(b"9 9", b"5 5") + end) or "")
