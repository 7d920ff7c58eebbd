"""Attacks on a document with one of everything: every way to write an update, every permission, both signing sides."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import more_attacks as attacks
import pikepdf
import pytest
import rich_document as d
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pdf_bytes import UPDATE_STYLES, append, body_of, document, number_with, size_of, stream, updates_as
from sealed_files import SIGNED, sign, stamp_document

from hardware.ports import Mechanism
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign as sign_ourselves
from signing_service.verification.engine import verify
from signing_service.verification.reasons import Usable, Verdict
from signing_service.verification.report import Report

OFFICER_BOX = (50, 50, 150, 150)


class KeyInMemory:
    """The test world's seal as a pades SigningKey."""

    def __init__(self, world) -> None:
        self.certificate, self.chain, self._key = world.seal.der, (world.seals.der,), world.seal.key

    def sign(self, data: bytes, _mechanism: Mechanism) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


@pytest.fixture(scope="module", params=["pyHanko on tables", "pyHanko on streams", "ourselves"])
def rich(request, world) -> bytes:
    """The rich document, sealed."""
    if request.param == "ourselves":
        return sign_ourselves(rich_source(), SignatureRequest(field="Seal1", signed_at=SIGNED), KeyInMemory(world))
    with updates_as("stream" if "streams" in request.param else "table"):
        source = rich_source()
    return sign(source, world, world.seal)


def rich_source() -> bytes:
    return d.rich_document()


def modified(report: Report) -> bool:
    """Failed, said so in the headline, and the sealed version named."""
    told = (report.verdict, report.usable_now, report.modified_after_signing)
    return told == (Verdict.FAILED, Usable.NO, True) and report.reason in (
        "modified_after_sealing",
        "unsigned_data_after_last_signature",
    )


@pytest.mark.parametrize("style", UPDATE_STYLES)
def test_nothing_that_is_shown_may_change(style, rich, policy):
    """All kinds at once for one style of writing: which of them went unnoticed?"""
    assert verify(rich, policy).verdict is Verdict.PASSED
    missed = []
    for name, attack in attacks.REACHED.items():
        if "drawing_" in name and b"/AP" not in body_of(rich, d.EMPTY_SEAL):
            continue  # the invisible signature has no drawing
        with updates_as(style):
            report = verify(attack(rich), policy)
        if not modified(report) or report.intact_revision != len(rich):
            missed.append((name, report.reason))
    assert missed == []


# DocMDP permits these: forms filled at 2 and 3, harmless notes removed and widgets hidden at 3 (ISO 32000-2, 12.8.2.2)
PERMITTED = {
    2: {"replace_checkbox_states_swapped", "replace_checkbox_drawing"},
    3: {"replace_checkbox_states_swapped", "replace_checkbox_drawing", "hide_field_taken_off"},
}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_certification_opens_no_door(level, world, policy):
    certified = sign(rich_source(), world, world.seal, certify=level)
    assert verify(certified, policy).verdict is Verdict.PASSED
    missed = {name for name, attack in attacks.REACHED.items() if not modified(verify(attack(certified), policy))}
    assert missed == PERMITTED.get(level, set())


@pytest.mark.parametrize("level", [None, 1, 2, 3])
def test_no_annotation_may_cover_the_page(level, world, policy):
    sealed = sign(rich_source(), world, world.seal, certify=level)
    missed = {
        name for name, added in attacks.COVERING.items() if not modified(verify(attacks.noted(sealed, *added), policy))
    }
    assert missed == set()


def test_a_read_only_field_cannot_be_filled(world, policy):
    """The amount that the office wrote is no form to be filled, even where filling forms is permitted."""
    fixed = append(rich_source(), {d.TEXT_FIELD: body_of(rich_source(), d.TEXT_FIELD)[:-2] + b"/Ff 1 >>"})
    sealed = sign(fixed, world, world.seal, certify=2)
    changed = append(sealed, {d.TEXT_FIELD: body_of(sealed, d.TEXT_FIELD).replace(b"(Zhang)", b"(Wang)")})
    assert modified(verify(changed, policy))


def test_an_object_with_two_parts_must_be_allowed_in_both(world, policy):
    """Prepared before sealing: the page's content is also an extension, or kept in the security store."""
    source = rich_source()
    for name, body in {
        "extensions": body_of(source, 1)[:-2] + b"/Extensions 11 0 R >>",
        "store": body_of(source, 1)[:-2] + b"/DSS << /Certs [11 0 R] >> >>",
    }.items():
        sealed = sign(append(source, {1: body}), world, world.seal, certify=3)
        report = verify(append(sealed, {d.CONTENT_1: stream(attacks.EVIL)}), policy)
        assert report.verdict is not Verdict.PASSED, name


# --- two signatures ---------------------------------------------------------------------------------------------


def officer_signs(pdf: bytes, world) -> bytes:
    return sign(pdf, world, world.officer, world.officers, field="Officer", box=OFFICER_BOX)


@pytest.mark.parametrize("name", ["hide_cover_emptied", "replace_encoding", "seal_place_by_one_point", "names_script"])
@pytest.mark.parametrize("when", ["between", "after"])
def test_a_change_between_or_after_two_signatures(name, when, world, policy):
    """A second signer makes good nothing that the first did not permit; each is told for itself."""
    sealed, change = sign(rich_source(), world, world.seal), attacks.REACHED[name]
    pdf = officer_signs(change(sealed), world) if when == "between" else change(officer_signs(sealed, world))
    report = verify(pdf, policy)
    assert modified(report)
    assert [signature.modified_after for signature in report.signatures] == [True, when == "after"]


def test_the_first_signature_exchanged_before_the_second(world, policy):
    """The seal's field is taken out of the form, then somebody else signs."""
    sealed = sign(rich_source(), world, world.seal)
    form = body_of(sealed, d.FORM).replace(b" 40 0 R", b"")
    assert modified(verify(officer_signs(append(sealed, {d.FORM: form}), world), policy))


def test_an_attackers_own_signature_over_the_text_is_not_passed(world, policy):
    """SSA with a value: permitted as a signature, but of nobody who is trusted."""
    sealed = sign(rich_source(), world, world.seal, certify=2)
    covered = sign(sealed, world, world.stranger, world.stranger, field="Sneaky", box=(60, 690, 460, 730))
    assert verify(covered, policy).reason == "untrusted_signer"


# --- removed, rewritten, pasted ----------------------------------------------------------------------------------


def rewritten(pdf: bytes, *, without_form: bool = False, **options: object) -> bytes:
    """As an editor saves: a new file with all objects renumbered."""
    out = BytesIO()
    with pikepdf.open(BytesIO(pdf)) as opened:
        if without_form:
            del opened.Root.AcroForm
            for page in opened.pages:
                if "/Annots" in page:
                    del page.Annots
        opened.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_saved_anew_by_an_editor(world, policy):
    sealed = sign(rich_source(), world, world.seal)
    for options in ({}, {"linearize": True}, {"object_stream_mode": pikepdf.ObjectStreamMode.generate}):
        report = verify(rewritten(sealed, **options), policy)
        assert report.verdict is Verdict.FAILED, options
    removed = verify(rewritten(sealed, without_form=True), policy)
    assert (removed.verdict, removed.reason) == (Verdict.INDETERMINATE, "no_signature")


def test_encrypted_after_sealing_is_never_passed(world, policy):
    sealed = sign(rich_source(), world, world.seal)
    dictionary = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <00> /U <00> /P -4 >>"
    assert verify(append(sealed, {}, extra=dictionary), policy).verdict is not Verdict.PASSED


def test_only_the_picture_of_a_seal(world, policy):
    """The seal's drawing on an unsigned document, as widget without a value and as plain content."""
    sealed, plain = sign(document(), world, world.seal), document(3)
    number = size_of(plain)
    widget = b"<< /FT /Sig /T (Seal1) /Type /Annot /Subtype /Widget /Rect [320 80 440 200] /F 4 /AP << /N %d 0 R >> >>"
    form = body_of(plain, 1).replace(b"/Fields [5 0 R]", b"/Fields [5 0 R %d 0 R]" % number)
    drawing = body_of(sealed, number_with(sealed, rb"/Subtype\s*/Form.*?/BBox"))
    pasted = append(plain, {1: form, number: widget % (number + 1), number + 1: drawing})
    for pdf in (pasted, append(plain, {11: drawing})):
        assert verify(pdf, policy).reason == "no_signature"


def test_a_direct_copy_of_the_value_in_a_second_field(world, policy):
    sealed = sign(rich_source(), world, world.seal)
    value = body_of(sealed, number_with(sealed, rb"/ByteRange"))
    number = size_of(sealed)
    form = body_of(sealed, d.FORM).replace(b"/Fields [", b"/Fields [%d 0 R " % number)
    report = verify(append(sealed, {d.FORM: form, number: b"<< /FT /Sig /T (Seal2) /V %s >>" % value}), policy)
    assert report.verdict is Verdict.FAILED


# --- what must stay passed -----------------------------------------------------------------------------------------


def filled(pdf: bytes) -> bytes:
    """As a viewer fills a form: value and drawing together; a box ticked."""
    text = body_of(pdf, d.TEXT_FIELD).replace(b"(Zhang)", b"(Wang)")
    drawing = body_of(pdf, d.TEXT_DRAWING).replace(b"(Zhang)", b"(Wang!)")
    box = body_of(pdf, d.CHECKBOX).replace(b"/V /Off /AS /Off", b"/V /Yes /AS /Yes")
    choice = body_of(pdf, d.CHOICE).replace(b"/V (a)", b"/V (b)")
    return append(pdf, {d.TEXT_FIELD: text, d.TEXT_DRAWING: drawing, d.CHECKBOX: box, d.CHOICE: choice})


def with_store(pdf: bytes, world) -> bytes:
    """Validation data added after sealing (DSS), as for B-LT."""
    number = size_of(pdf)
    catalog = body_of(pdf, 1)[:-2] + b"/DSS %d 0 R >>" % number
    store = b"<< /Certs [%d 0 R] /CRLs [%d 0 R] >>" % (number + 1, number + 2)
    crl = world.crls(SIGNED + timedelta(days=1))[0]
    return append(pdf, {1: catalog, number: store, number + 1: stream(world.seals.der), number + 2: stream(crl)})


NOTES = {
    "sticky note": b"<< /Type /Annot /Subtype /Text /Rect [10 10 34 34] /Contents (seen) /AP << /N DRAWING >> >>",
    "highlight": b"<< /Type /Annot /Subtype /Highlight /Rect [60 690 460 730] /C [1 1 0] /QuadPoints [60 730 460 730 60 690 460 690] >>",  # noqa: E501
    "underline": b"<< /Type /Annot /Subtype /Underline /Rect [60 690 460 730] /C [0 0 0] >>",
    "link": b"<< /Type /Annot /Subtype /Link /Rect [60 690 460 730] /Border [0 0 0] /A << /S /URI /URI (https://example.cn) >> >>",  # noqa: E501
}


@pytest.mark.parametrize("style", UPDATE_STYLES)
@pytest.mark.parametrize("level", [None, 2, 3])
def test_what_is_permitted_stays_passed(style, level, world, policy):
    sealed = sign(rich_source(), world, world.seal, certify=level)
    with updates_as(style):
        good = {"store": with_store(sealed, world), "title": append(sealed, {4: b"<< /Title (Permit 1) >>"})}
        if level in (2, 3):
            good["filled"] = filled(sealed)
        if level == 3:
            good |= {name: attacks.noted(sealed, note) for name, note in NOTES.items()}
            good["spread notes"] = attacks.noted(
                sealed,
                *(
                    b"<< /Type /Annot /Subtype /Text /Rect [%d 10 %d 34] /AP << /N DRAWING >> >>" % (x, x + 24)
                    for x in range(10, 500, 60)
                ),
            )
    for name, pdf in good.items():
        report = verify(pdf, policy)
        assert (report.verdict, report.modified_after_signing) == (Verdict.PASSED, False), (name, report.reason)


@pytest.mark.parametrize("level", [None, 2, 3])
def test_further_signatures_and_timestamps_stay_passed(level, world, policy):
    sealed = sign(rich_source(), world, world.seal, certify=level)
    twice = officer_signs(sealed, world)
    stamped = stamp_document(with_store(sealed, world), world, SIGNED + timedelta(days=1))
    for pdf in (twice, stamped, officer_signs(stamped, world)):
        assert verify(pdf, policy).verdict is Verdict.PASSED
