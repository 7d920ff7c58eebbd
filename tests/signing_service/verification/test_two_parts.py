"""Documents prepared before sealing so that one object plays two parts, or another than it seems to: what is drawn may
not be exchanged under the name of what may change."""

from __future__ import annotations

import re
import zlib

import pytest
import rich_document as d
from more_attacks import EVIL
from pdf_bytes import append, body_of, number_with, size_of, stream, updates_as
from sealed_files import sign

from signing_service.verification.engine import verify
from signing_service.verification.reasons import Verdict

FORM = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842]"
Objects = dict[int, bytes]


def drawn_by(name: bytes, source: bytes, category: int) -> Objects:
    """Page 1 draws what `category`, an object that is something else too, keeps under `name`."""
    page = body_of(source, d.PAGE_1)
    page = re.sub(rb"/XObject << .*?>>", b"/XObject %d 0 R" % category, page)
    return {d.PAGE_1: page, d.CONTENT_1: stream(b"/%s Do" % name)}


def with_entry(source: bytes, number: int, entry: bytes) -> Objects:
    return {number: body_of(source, number)[:-2] + entry + b" >>"}


# name: (what is prepared before sealing, what is changed afterwards); 20 is the sealed drawing, 90 the evil one
def page_entry(name: bytes):
    prepared = lambda s: drawn_by(name, s, d.PAGE_2) | with_entry(s, d.PAGE_2, b"/%s 20 0 R" % name)  # noqa: E731
    return prepared, lambda s: {d.PAGE_2: body_of(s, d.PAGE_2).replace(b"20 0 R", b"90 0 R")}


def catalog_entry(name: bytes):
    prepared = lambda s: drawn_by(name, s, 1) | with_entry(s, 1, b"/%s 20 0 R" % name)  # noqa: E731
    return prepared, lambda s: {1: body_of(s, 1).replace(b"/%s 20 0 R" % name, b"/%s 90 0 R" % name)}


CASES = {
    "names of the second page": page_entry(b"StructParents"),
    "tabs of the second page": page_entry(b"Tabs"),
    "notes of the second page": page_entry(b"Annots"),
    "date of the second page": page_entry(b"LastModified"),
    "security store of the catalog": catalog_entry(b"DSS"),
    "extensions of the catalog": catalog_entry(b"Extensions"),
    "a field's value": (
        lambda s: drawn_by(b"V", s, d.TEXT_FIELD)
        | {d.TEXT_FIELD: body_of(s, d.TEXT_FIELD).replace(b"/V (Zhang)", b"/V 20 0 R")},
        lambda s: {d.TEXT_FIELD: body_of(s, d.TEXT_FIELD).replace(b"20 0 R", b"90 0 R")},
    ),
    "an entry of the information dictionary": (
        lambda s: drawn_by(b"Title", s, 4) | {4: b"<< /Title 20 0 R >>"},
        lambda s: {4: b"<< /Title 90 0 R >>"},
    ),
    "content that says it is an object stream": (
        lambda s: {d.CONTENT_1: stream(b"/Cover Do", b"/Type /ObjStm /N 0 /First 0")},
        lambda s: {d.CONTENT_1: stream(EVIL, b"/Type /ObjStm /N 0 /First 0")},
    ),
    "content that says it is a cross-reference stream": (
        lambda s: {d.CONTENT_1: stream(b"/Cover Do", b"/Type /XRef")},
        lambda s: {d.CONTENT_1: stream(EVIL, b"/Type /XRef")},
    ),
    "the first of two entries with one name": (
        lambda s: {
            d.PAGE_1: body_of(s, d.PAGE_1).replace(b"/Contents 11 0 R", b"/Contents 11 0 R /Contents 13 0 R")
        },
        lambda s: {d.CONTENT_1: stream(EVIL)},
    ),
    "resources that this reader cannot read": (
        lambda s: {
            d.OVERLAY: stream(b"/Deep Do", FORM + b" /Resources 97 0 R"),
            97: b"<< /XObject << /Deep 98 0 R >> /Odd <zz> >>",
            98: stream(b"0 0 5 5 re f", FORM),
        },
        lambda s: {98: stream(EVIL, FORM)},
    ),
    "resources that only lenient readers read": (
        lambda s: {
            d.OVERLAY: stream(b"/Deep Do", FORM + b" /Resources 97 0 R"),
            97: b"<< /XObject << /Deep 98 0R >> >>",
            98: stream(b"0 0 5 5 re f", FORM),
        },
        lambda s: {98: stream(EVIL, FORM)},
    ),
    "an action that opens the document": (
        lambda s: with_entry(s, 1, b"/OpenAction 97 0 R") | {97: b"<< /S /GoTo /D [10 0 R /Fit] >>"},
        lambda s: {97: b"<< /S /JavaScript /JS (app.alert(1)) >>"},
    ),
    "a link's second action": (
        lambda s: {
            d.LINK: body_of(s, d.LINK).replace(b"(https://example.cn/permit)", b"(https://example.cn) /Next 97 0 R"),
            97: b"<< /S /URI /URI (https://example.cn/2) >>",
        },
        lambda s: {97: b"<< /S /URI /URI (https://evil.example) >>"},
    ),
    "a note that is a pattern too": (
        lambda s: {
            d.PAGE_1: body_of(s, d.PAGE_1).replace(b"/ExtGState", b"/Pattern << /P 93 0 R >> /ExtGState").replace(
                b"30 0 R", b"30 0 R 93 0 R"
            ),
            93: b"<< /Type /Annot /Subtype /Link /PatternType 2 /Shading 20 0 R /Rect [0 0 9 9] /Border [0 0 0] >>",
        },
        lambda s: {93: body_of(s, 93).replace(b"20 0 R", b"90 0 R")},
    ),
}  # fmt: skip


for _name in (b"P", b"D", b"Parent", b"Popup", b"Next", b"First", b"Dest", b"Obj", b"CO", b"V", b"AP", b"Kids"):
    CASES[f"a drawing of the name {_name.decode()}"] = (
        lambda s, name=_name: {
            d.PAGE_1: body_of(s, d.PAGE_1).replace(b"/Cover 20 0 R", b"/%s 20 0 R" % name),
            d.CONTENT_1: stream(b"/%s Do" % name),
        },
        lambda s: {d.OVERLAY: stream(EVIL, FORM)},
    )
    CASES[f"a note's drawing of the name {_name.decode()}"] = (
        lambda s, name=_name: {
            d.NOTE: body_of(s, d.NOTE).replace(
                b"/AP << /N 31 0 R >>", b"/AS /%s /AP << /N << /%s 31 0 R >> >>" % (name, name)
            )
        },
        lambda s: {d.NOTE_DRAWING: stream(EVIL, FORM)},
    )


@pytest.mark.parametrize("level", [None, 3])
@pytest.mark.parametrize("name", sorted(CASES))
def test_what_is_drawn_may_not_be_exchanged_under_another_name(name, level, world, policy):
    prepare, change = CASES[name]
    source = d.rich_document()
    sealed = sign(append(source, prepare(source)), world, world.seal, certify=level)
    before = verify(sealed, policy)
    assert before.verdict is Verdict.PASSED or "one name" in name
    report = verify(append(sealed, {**change(sealed), 90: stream(EVIL, FORM)}), policy)
    assert report.verdict is not Verdict.PASSED
    assert report.reason == "modified_after_sealing" or before.verdict is not Verdict.PASSED


@pytest.mark.parametrize("level", [None, 3])
def test_an_object_stream_may_not_be_exchanged(level, world, policy):
    """No entry of the page's content changes, only that of the object stream that holds it."""
    with updates_as("object stream"):
        sealed = sign(d.rich_document(), world, world.seal, certify=level)
    holder = number_with(sealed[: sealed.index(b"startxref")], rb"/Type /ObjStm")
    body = body_of(sealed[: sealed.index(b"startxref")], holder)
    content = zlib.decompress(body[body.index(b"stream\n") + 7 : body.rindex(b"\nendstream")])
    changed = content.replace(b"/Contents 11 0 R", b"/Contents 13 0 R")
    assert changed != content
    entries = re.search(rb"/Type /ObjStm /N \d+ /First \d+", body)
    assert entries
    assert verify(sealed, policy).verdict is Verdict.PASSED
    with updates_as("stream"):
        attacked = append(sealed, {holder: stream(changed, entries[0], compress=True)})
    report = verify(attacked, policy)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "modified_after_sealing")


@pytest.mark.parametrize("odd", [b"/Deep 98 0 R >> /Odd <zz> >>", b"/Deep 98 0R >> >>"])
def test_unreadable_resources_in_an_object_stream(odd, world, policy):
    source = d.rich_document()
    unread = {
        d.OVERLAY: stream(b"/Deep Do", FORM + b" /Resources 97 0 R"),
        97: b"<< /XObject << " + odd,
        98: stream(b"0 0 5 5 re f", FORM),
    }
    with updates_as("object stream"):
        source = append(source, unread)
    sealed = sign(source, world, world.seal, certify=3)
    report = verify(append(sealed, {98: stream(EVIL, FORM)}), policy)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "modified_after_sealing")


def test_a_ring_of_references_hides_nothing(world, policy):
    """A form's resources refer to a font and the font back to them: the font is still a font of the form."""
    source = d.rich_document()
    ring = {
        d.FORM: body_of(source, d.FORM).replace(b"<< /Font << /F1 3 0 R >> >>", b"94 0 R"),
        94: b"<< /Font 95 0 R /Ring 95 0 R >>",
        95: b"<< /F1 96 0 R /Ring 94 0 R >>",
        96: b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Ring 95 0 R >>",
    }
    sealed = sign(append(source, ring), world, world.seal, certify=2)
    assert verify(sealed, policy).verdict is Verdict.PASSED
    size = size_of(sealed)
    change = {
        94: body_of(sealed, 94)[:-2] + b"/More 1 >>",
        95: body_of(sealed, 95).replace(b"96 0 R", b"%d 0 R" % size),
        size: b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>",
    }
    assert verify(append(sealed, change), policy).reason == "modified_after_sealing"
