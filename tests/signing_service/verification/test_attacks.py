"""Every attack class, built from a freshly sealed file: never passed, and told for what it is."""

from __future__ import annotations

import pytest
from attacks import CHANGED, FORGED, pasted_from, with_annotation
from pdf_bytes import append, body_of, document, stream
from sealed_files import sign

from signing_service.verification.engine import verify
from signing_service.verification.reasons import Usable, Verdict


@pytest.fixture(scope="module")
def dangling(world) -> bytes:
    """Sealed with a page that refers to object 90, which does not exist yet."""
    pdf = document()
    page = body_of(pdf, 10).replace(b"/Contents 11 0 R", b"/Contents [11 0 R 90 0 R]")
    return sign(append(pdf, {10: page}), world, world.seal)


@pytest.mark.parametrize("name", sorted(CHANGED))
def test_what_was_changed_after_sealing_fails_and_says_so(name, sealed, dangling, policy):
    start = dangling if "dangling" in name else sealed
    assert verify(start, policy).verdict is Verdict.PASSED
    report = verify(CHANGED[name](start), policy)
    assert report.verdict is Verdict.FAILED
    assert report.modified_after_signing
    assert report.usable_now is Usable.NO
    assert report.reason in ("modified_after_sealing", "unsigned_data_after_last_signature")
    assert report.exit_code() == 4
    assert any(signature.integrity == "intact" for signature in report.signatures)
    assert report.intact_revision == len(start)


@pytest.mark.parametrize("name", sorted(FORGED))
def test_what_only_pretends_to_be_signed_fails(name, sealed, policy):
    report = verify(FORGED[name](sealed), policy)
    assert report.verdict in (Verdict.FAILED, Verdict.INDETERMINATE)
    assert all(signature.integrity != "intact" for signature in report.signatures)
    if not name.startswith("usf_contents_without"):
        assert report.verdict is Verdict.FAILED or name in ("signature_value_flipped",), report.reason


def test_a_seal_pasted_from_another_file_fails(sealed, policy):
    report = verify(pasted_from(sealed, document(3)), policy)
    assert report.verdict is Verdict.FAILED
    assert report.signatures[0].integrity == "broken"


def test_junk_has_its_own_sentence(sealed, policy):
    report = verify(CHANGED["junk_behind_the_end"](sealed), policy)
    assert report.reason == "unsigned_data_after_last_signature"
    assert not report.covers_whole_file


def test_blanks_behind_the_end_are_harmless(sealed, policy):
    assert verify(sealed + b"\r\n  \n", policy).verdict is Verdict.PASSED


@pytest.mark.parametrize("level", [1, 2, 3])
def test_certified_files_keep_what_they_allow(level, world, policy):
    """Evil annotations and form changes against each DocMDP level."""
    pdf = sign(document(), world, world.seal, certify=level)
    assert verify(pdf, policy).signatures[0].docmdp == level
    filled = append(pdf, {5: body_of(pdf, 5).replace(b"(Zhang)", b"(Wang)")})
    note = with_annotation(pdf, b"<< /Type /Annot /Subtype /Text /Rect [10 10 30 30] /Contents (seen) >>")
    stamp = with_annotation(pdf, b"<< /Type /Annot /Subtype /Stamp /Rect [60 690 460 730] /AP << /N 99 0 R >> >>")
    assert verify(filled, policy).modified_after_signing is (level == 1)
    assert verify(note, policy).modified_after_signing is (level < 3)
    assert verify(stamp, policy).modified_after_signing


def test_a_second_signature_breaks_only_what_forbids_it(world, policy):
    for level, broken in ((1, True), (2, False), (3, False)):
        once = sign(document(), world, world.seal, certify=level)
        try:
            twice = sign(once, world, world.officer, world.officers, field="Second", box=(50, 50, 150, 150))
        except Exception:
            assert level == 1  # the signing library refuses this itself
            continue
        assert verify(twice, policy).modified_after_signing is broken


def test_a_form_filled_before_a_later_signature_is_answered_for(world, sealed, policy):
    filled = append(sealed, {5: body_of(sealed, 5).replace(b"(Zhang)", b"(Wang)")})
    assert verify(filled, policy).modified_after_signing
    twice = sign(filled, world, world.officer, world.officers, field="Second", box=(50, 50, 150, 150))
    assert not verify(twice, policy).modified_after_signing


def test_content_changed_before_a_later_signature_is_not(world, sealed, policy):
    changed = append(sealed, {11: stream(b"BT (x) Tj ET")})
    twice = sign(changed, world, world.officer, world.officers, field="Second", box=(50, 50, 150, 150))
    report = verify(twice, policy)
    assert report.verdict is Verdict.FAILED
    assert report.signatures[0].modified_after


def test_an_object_twice_in_the_signed_revision_is_ambiguous(world, policy):
    pdf = document()
    copy = b"11 0 obj\n" + stream(b"BT (other) Tj ET") + b"\nendobj\n"
    place = pdf.index(b"12 0 obj")
    shifted = _rebuilt(pdf[:place] + copy + pdf[place:], len(copy), place)
    report = verify(sign(shifted, world, world.seal), policy)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "ambiguous_structure")


def _rebuilt(pdf: bytes, by: int, place: int) -> bytes:
    """Cross-references moved along with everything behind `place`."""
    import re

    start = pdf.rindex(b"xref\n0 ")
    start = pdf.rindex(b"\nxref\n") + 1
    head, tail = pdf[:start], pdf[start:]
    tail = re.sub(
        rb"(\d{10})(?= 00000 n)", lambda found: b"%010d" % (int(found[1]) + (by if int(found[1]) >= place else 0)), tail
    )
    return head + re.sub(rb"startxref\n\d+", b"startxref\n%d" % start, tail)
