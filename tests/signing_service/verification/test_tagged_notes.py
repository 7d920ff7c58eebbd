"""Notes come and go in a tagged document: their nodes may go with them, nobody else's; extensions are only raised."""

from __future__ import annotations

import pytest
from pdf_bytes import CONTENT, append, body_of, stream, write
from sealed_files import sign

from signing_service.verification.engine import verify
from signing_service.verification.reasons import Verdict

PAGE, TREE, DOCUMENT, SPAN, NOTES, PARENTS = 10, 20, 21, 22, 23, 24
NOTE, RING = 30, 31
_CIRCLE = b"<< /Type /Annot /Subtype /Circle /Rect [55 100 90 135] /C [1 0 1] /Contents (circle) /P 10 0 R %s >>"


def tagged() -> bytes:
    """One page with text, a note and a ring, each with a node in the structure."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /MarkInfo << /Marked true >> /StructTreeRoot 20 0 R "
        b"/Extensions << /ESIC << /BaseVersion /1.7 /ExtensionLevel 5 >> >> >>",
        2: b"<< /Type /Pages /Kids [10 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        PAGE: b"<< /Type /Page /Parent 2 0 R /Contents 11 0 R /StructParents 0 /Annots [30 0 R 31 0 R] "
        b"/Resources << /Font << /F1 3 0 R >> >> >>",
        11: stream(b"/Span << /MCID 0 >> BDC " + CONTENT + b" EMC"),
        TREE: b"<< /Type /StructTreeRoot /K [21 0 R] /ParentTree 24 0 R /ParentTreeNextKey 3 >>",
        DOCUMENT: b"<< /Type /StructElem /S /Document /P 20 0 R /K [22 0 R 23 0 R] >>",
        SPAN: b"<< /Type /StructElem /S /Span /P 21 0 R /Pg 10 0 R /K 0 >>",
        NOTES: b"<< /Type /StructElem /S /Annot /P 21 0 R /Pg 10 0 R "
        b"/K [<< /Type /OBJR /Obj 30 0 R >> << /Type /OBJR /Obj 31 0 R >>] >>",
        PARENTS: b"<< /Nums [0 [22 0 R] 1 23 0 R 2 23 0 R] >>",
        NOTE: b"<< /Type /Annot /Subtype /Text /Rect [400 300 424 324] /Contents (seen) /P 10 0 R /StructParent 1 >>",
        RING: _CIRCLE % b"/StructParent 2",
    }
    return write(objects, b"/Root 1 0 R /ID [<00112233> <00112233>]")


@pytest.fixture(scope="module")
def sealed_at(world):
    """Sealed and certified at a level."""
    made = {level: sign(tagged(), world, world.seal, certify=level) for level in (2, 3)}
    return made.__getitem__


def without_notes(pdf: bytes) -> dict[int, bytes]:
    """Both notes off the page, their node out of the structure."""
    page = body_of(pdf, PAGE).replace(b"30 0 R", b"").replace(b"31 0 R", b"")
    document = body_of(pdf, DOCUMENT).replace(b" 23 0 R", b"")
    return {PAGE: page, DOCUMENT: document, PARENTS: b"<< /Nums [0 [22 0 R]] >>"}


def without_one(pdf: bytes) -> dict[int, bytes]:
    page = body_of(pdf, PAGE).replace(b"31 0 R", b"")
    notes = body_of(pdf, NOTES).replace(b"<< /Type /OBJR /Obj 31 0 R >>", b"")
    return {PAGE: page, NOTES: notes, PARENTS: b"<< /Nums [0 [22 0 R] 1 23 0 R] >>"}


def with_another(pdf: bytes) -> dict[int, bytes]:
    page = body_of(pdf, PAGE).replace(b"31 0 R", b"31 0 R 90 0 R")
    notes = body_of(pdf, NOTES).replace(b"/Obj 31 0 R >>", b"/Obj 31 0 R >> << /Type /OBJR /Obj 90 0 R >>")
    parents = b"<< /Nums [0 [22 0 R] 1 23 0 R 2 23 0 R 3 23 0 R] >>"
    return {PAGE: page, NOTES: notes, PARENTS: parents, 90: _CIRCLE % b"/StructParent 3"}


def changed_note(pdf: bytes) -> dict[int, bytes]:
    return {
        NOTE: body_of(pdf, NOTE).replace(b"(seen)", b"(read)"),
        RING: body_of(pdf, RING).replace(b"1 0 1", b"0 1 1"),
    }


PERMITTED = [without_notes, without_one, with_another, changed_note]


@pytest.mark.parametrize("change", PERMITTED)
@pytest.mark.parametrize("level", [2, 3])
def test_notes_come_and_go_where_notes_are_permitted(change, level, sealed_at, policy):
    sealed = sealed_at(level)
    report = verify(append(sealed, change(sealed)), policy)
    assert report.modified_after_signing is (level == 2), report.signatures[0].checks
    assert (report.verdict is Verdict.PASSED) is (level == 3)


def node_of_the_text_gone(pdf: bytes) -> dict[int, bytes]:
    return {DOCUMENT: body_of(pdf, DOCUMENT).replace(b"22 0 R ", b"")}


def node_of_a_shown_note_gone(pdf: bytes) -> dict[int, bytes]:
    return {NOTES: body_of(pdf, NOTES).replace(b"<< /Type /OBJR /Obj 31 0 R >>", b"")}


def node_renamed(pdf: bytes) -> dict[int, bytes]:
    return {SPAN: body_of(pdf, SPAN).replace(b"/Span", b"/Artifact")}


def spoken_text_replaced(pdf: bytes) -> dict[int, bytes]:
    """What a screen reader says instead of the text."""
    return {SPAN: body_of(pdf, SPAN)[:-2] + b"/ActualText (Permit 2026-9999) >>"}


def other_words_for_the_text(pdf: bytes) -> dict[int, bytes]:
    """A new node over the page's own content."""
    node = b"<< /Type /StructElem /S /Span /P 21 0 R /Pg 10 0 R /K 0 /Alt (Permit 2026-9999) >>"
    return {DOCUMENT: body_of(pdf, DOCUMENT).replace(b"23 0 R]", b"23 0 R 91 0 R]"), 91: node}


def words_of_nothing(pdf: bytes) -> dict[int, bytes]:
    node = b"<< /Type /StructElem /S /Span /P 21 0 R /ActualText (Permit 2026-9999) >>"
    return {DOCUMENT: body_of(pdf, DOCUMENT).replace(b"23 0 R]", b"23 0 R 91 0 R]"), 91: node}


def roles_mapped_away(pdf: bytes) -> dict[int, bytes]:
    return {TREE: body_of(pdf, TREE)[:-2] + b"/RoleMap << /Span /Artifact >> >>"}


def text_went_with_the_note(pdf: bytes) -> dict[int, bytes]:
    return {**without_notes(pdf), DOCUMENT: body_of(pdf, DOCUMENT).replace(b"22 0 R 23 0 R", b"")}


def parent_of_the_text_gone(pdf: bytes) -> dict[int, bytes]:
    return {PARENTS: b"<< /Nums [1 23 0 R 2 23 0 R] >>"}


def ring_filled(pdf: bytes) -> dict[int, bytes]:
    return {RING: body_of(pdf, RING)[:-2] + b"/IC [1 1 1] >>"}


def ring_as_a_nought(pdf: bytes) -> dict[int, bytes]:
    return {RING: body_of(pdf, RING).replace(b"[55 100 90 135]", b"[55 700 65 714]")}


def ring_thick(pdf: bytes) -> dict[int, bytes]:
    return {RING: body_of(pdf, RING)[:-2] + b"/BS << /W 40 >> >>"}


def extension_lowered(pdf: bytes) -> dict[int, bytes]:
    return {1: body_of(pdf, 1).replace(b"/ExtensionLevel 5", b"/ExtensionLevel 2")}


def extension_base_lowered(pdf: bytes) -> dict[int, bytes]:
    return {1: body_of(pdf, 1).replace(b"/BaseVersion /1.7", b"/BaseVersion /1.4")}


def extension_removed(pdf: bytes) -> dict[int, bytes]:
    return {1: body_of(pdf, 1).replace(b"/ESIC", b"/OTHR")}


FORBIDDEN = [
    node_of_the_text_gone, node_of_a_shown_note_gone, node_renamed, spoken_text_replaced, other_words_for_the_text,
    words_of_nothing, roles_mapped_away, text_went_with_the_note,
    parent_of_the_text_gone, ring_filled, ring_as_a_nought, ring_thick, extension_lowered, extension_base_lowered,
    extension_removed,
]  # fmt: skip


@pytest.mark.parametrize("change", FORBIDDEN)
def test_nothing_else_of_the_structure_may_go(change, sealed_at, policy):
    sealed = sealed_at(3)
    update = change(sealed)
    assert any(body_of(sealed, number) != body for number, body in update.items())
    report = verify(append(sealed, update), policy)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "modified_after_sealing")


def test_an_extension_is_raised_by_later_signatures(sealed_at, policy):
    raised = body_of(sealed_at(2), 1).replace(b"/ExtensionLevel 5", b"/ExtensionLevel 8 /URL (https://example.cn)")
    assert verify(append(sealed_at(2), {1: raised}), policy).verdict is Verdict.PASSED


def test_nodes_that_share_their_kids_cost_no_more(sealed_at, policy):
    """Forty levels of nodes, each twice the kid of the one above: 2^40 ways down."""
    levels = {
        number: b"<< /Type /StructElem /S /Div /P %d 0 R /K [%d 0 R %d 0 R] >>" % (number - 1, number + 1, number + 1)
        for number in range(200, 240)
    }
    levels[240] = b"<< /Type /StructElem /S /Annot /P 239 0 R /K << /Type /OBJR /Obj 30 0 R >> >>"
    grown = {DOCUMENT: body_of(sealed_at(3), DOCUMENT).replace(b"23 0 R]", b"23 0 R 200 0 R]")}
    report = verify(append(sealed_at(3), {**grown, **levels}), policy)
    assert report.reason in ("passed", "modified_after_sealing")
