"""Builds every class of attack on a signed PDF from a freshly sealed file.

Each attack takes the sealed bytes (made by `sealed_files.sign` over `pdf_bytes.document`) and returns what the attacker
hands out. `changed` attacks leave the signature value right for its own bytes; `forged` ones try to make a reader
believe in a value that is missing or wrong. Object numbers: see `pdf_bytes.document`; the seal's are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pdf_bytes import append, body_of, last_startxref, number_with, size_of, stream, table

EVIL = b"BT /F1 18 Tf 72 700 Td (Permit 2026-9999 granted) Tj ET"
Attack = Callable[[bytes], bytes]
CHANGED: dict[str, Attack] = {}
FORGED: dict[str, Attack] = {}


def changed(attack: Attack) -> Attack:
    CHANGED[attack.__name__] = attack
    return attack


def forged(attack: Attack) -> Attack:
    FORGED[attack.__name__] = attack
    return attack


def seal_field(pdf: bytes) -> int:
    return number_with(pdf, rb"/FT\s*/Sig.*/V ")


def seal_value(pdf: bytes) -> int:
    return number_with(pdf, rb"/ByteRange")


def field_body(pdf: bytes) -> bytes:
    return body_of(pdf, seal_field(pdf))


def fresh(pdf: bytes) -> int:
    return size_of(pdf)


def same_length(pdf: bytes, pattern: bytes, new: bytes) -> bytes:
    """Replace the last match, padded with blanks so that every offset stays right."""
    match = list(re.finditer(pattern, pdf, re.S))[-1]
    assert len(new) <= len(match[0])
    return pdf[: match.start()] + new.ljust(len(match[0])) + pdf[match.end() :]


# --- incremental saving attacks -------------------------------------------------------------------------------------


@changed
def isa_page_content_replaced(pdf: bytes) -> bytes:
    return append(pdf, {11: stream(EVIL)})


@changed
def isa_page_tree_replaced(pdf: bytes) -> bytes:
    number = fresh(pdf)
    page = b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>" % (number + 1)
    tree = b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /MediaBox [0 0 595 842] >>" % number
    return append(pdf, {2: tree, number: page, number + 1: stream(EVIL)})


@changed
def isa_without_cross_references(pdf: bytes) -> bytes:
    return pdf + b"11 0 obj\n" + stream(EVIL) + b"\nendobj\n"


@changed
def isa_with_empty_cross_references(pdf: bytes) -> bytes:
    body = b"11 0 obj\n" + stream(EVIL) + b"\nendobj\n"
    start = len(pdf) + len(body)
    return (
        pdf
        + body
        + b"xref\n0 0\ntrailer\n<< /Root 1 0 R /Size %d /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
        % (size_of(pdf), last_startxref(pdf), start)
    )


@changed
def isa_body_beside_a_correct_update(pdf: bytes) -> bytes:
    return append(pdf + b"11 0 obj\n" + stream(EVIL) + b"\nendobj\n", {4: b"<< /Title (Permit) >>"})


@changed
def isa_without_trailer(pdf: bytes) -> bytes:
    body = b"11 0 obj\n" + stream(EVIL) + b"\nendobj\n"
    return pdf + body + table({11: len(pdf)}) + b"startxref\n%d\n%%%%EOF\n" % (len(pdf) + len(body))


@changed
def isa_without_link_to_the_signed_revision(pdf: bytes) -> bytes:
    return re.sub(rb"/Prev \d+ (?=.{0,40}startxref\n\d+\n%%EOF\n$)", b"", append(pdf, {11: stream(EVIL)}), flags=re.S)


@changed
def isa_copy_of_the_signature(pdf: bytes) -> bytes:
    """The signature object itself is written again, unchanged but for its reason."""
    value = body_of(pdf, seal_value(pdf)).replace(b"(approved)", b"(replaced)")
    return append(pdf, {seal_value(pdf): value})


@changed
def isa_catalog_replaced(pdf: bytes) -> bytes:
    number = fresh(pdf)
    catalog = body_of(pdf, 1).replace(b"/Pages 2 0 R", b"/Pages %d 0 R" % number)
    page = b"<< /Type /Page /Parent %d 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>" % (
        number,
        number + 2,
    )
    tree = b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /MediaBox [0 0 595 842] >>" % (number + 1)
    return append(pdf, {1: catalog, number: tree, number + 1: page, number + 2: stream(EVIL)})


@changed
def isa_another_root(pdf: bytes) -> bytes:
    number = fresh(pdf)
    return append(pdf, {number: body_of(pdf, 1)}, root=b"%d 0 R" % number)


@changed
def open_action_added(pdf: bytes) -> bytes:
    return append(pdf, {1: body_of(pdf, 1)[:-2] + b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>"})


@changed
def page_removed(pdf: bytes) -> bytes:
    return append(pdf, {2: b"<< /Type /Pages /Kids [10 0 R] /Count 1 /MediaBox [0 0 595 842] >>"})


@changed
def page_rotated(pdf: bytes) -> bytes:
    return append(pdf, {12: body_of(pdf, 12)[:-2] + b"/Rotate 180 >>"})


@changed
def font_replaced(pdf: bytes) -> bytes:
    return append(pdf, {3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"})


# --- shadow attacks -------------------------------------------------------------------------------------------------


@changed
def shadow_hide_object_freed(pdf: bytes) -> bytes:
    return append(pdf, {}, freed=(11,))


@changed
def shadow_hide_dangling_reference_filled(pdf: bytes) -> bytes:
    """See `dangling` in the tests: the signed page refers to an object that only the later revision defines."""
    return append(pdf, {90: stream(EVIL)})


@changed
def shadow_replace_form_value(pdf: bytes) -> bytes:
    return append(pdf, {5: body_of(pdf, 5).replace(b"(Zhang)", b"(Wang)")})


@changed
def shadow_replace_form_appearance(pdf: bytes) -> bytes:
    return append(pdf, {6: body_of(pdf, 6).replace(b"(Zhang)", b"(Wang!)")})


@changed
def shadow_hide_and_replace(pdf: bytes) -> bytes:
    number = fresh(pdf)
    return append(
        pdf, {10: body_of(pdf, 10).replace(b"/Contents 11 0 R", b"/Contents %d 0 R" % number), number: stream(EVIL)}
    )


# --- annotations ----------------------------------------------------------------------------------------------------


def with_annotation(pdf: bytes, annotation: bytes) -> bytes:
    number = fresh(pdf)
    page = re.sub(rb"/Annots\s*\[(.*?)\]", rb"/Annots [\1 %d 0 R]" % number, body_of(pdf, 10), flags=re.S)
    return append(
        pdf,
        {10: page, number: annotation, number + 1: stream(EVIL, b"/Type /XObject /Subtype /Form /BBox [0 0 400 40]")},
    )


@changed
def annotation_free_text_over_content(pdf: bytes) -> bytes:
    return with_annotation(
        pdf, b"<< /Type /Annot /Subtype /FreeText /Rect [60 690 460 730] /Contents (9999) /DA (/F1 18 Tf) /F 4 >>"
    )


@changed
def annotation_stamp_over_content(pdf: bytes) -> bytes:
    return with_annotation(
        pdf, b"<< /Type /Annot /Subtype /Stamp /Rect [60 690 460 730] /AP << /N %d 0 R >> /F 4 >>" % (fresh(pdf) + 1)
    )


@changed
def annotation_redaction(pdf: bytes) -> bytes:
    return with_annotation(pdf, b"<< /Type /Annot /Subtype /Redact /Rect [60 690 460 730] /OverlayText (9999) >>")


@changed
def annotation_note_drawn_over_content(pdf: bytes) -> bytes:
    return with_annotation(
        pdf, b"<< /Type /Annot /Subtype /Text /Rect [60 690 460 730] /AP << /N %d 0 R >> /F 4 >>" % (fresh(pdf) + 1)
    )


@changed
def widget_without_field(pdf: bytes) -> bytes:
    return with_annotation(
        pdf,
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (x) /V (9999) /Rect [60 690 460 730] /AP << /N %d 0 R >> >>"
        % (fresh(pdf) + 1),
    )


@changed
def sneaky_unsigned_signature_field(pdf: bytes) -> bytes:
    """SSA: a new, visible, empty signature field whose appearance covers text."""
    number = fresh(pdf)
    pdf2 = with_annotation(
        pdf,
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Sneaky) /Rect [60 690 460 730] /AP << /N %d 0 R >> /F 4 >>"
        % (number + 1),
    )
    catalog = re.sub(rb"/Fields\s*\[(.*?)\]", rb"/Fields [\1 %d 0 R]" % number, body_of(pdf, 1), flags=re.S)
    return append(pdf2, {1: catalog})


# --- the seal itself ------------------------------------------------------------------------------------------------


@changed
def seal_moved(pdf: bytes) -> bytes:
    return append(
        pdf, {seal_field(pdf): re.sub(rb"/Rect\s*\[.*?\]", b"/Rect [100 400 220 520]", field_body(pdf), flags=re.S)}
    )


@changed
def seal_appearance_exchanged(pdf: bytes) -> bytes:
    number = fresh(pdf)
    new = re.sub(rb"/AP\s*<<.*?>>", b"/AP << /N %d 0 R >>" % number, field_body(pdf), flags=re.S)
    return append(
        pdf, {seal_field(pdf): new, number: stream(EVIL, b"/Type /XObject /Subtype /Form /BBox [0 0 120 120]")}
    )


@changed
def seal_appearance_overwritten(pdf: bytes) -> bytes:
    found = re.search(rb"/N\s+(\d+) 0 R", field_body(pdf))
    assert found
    return append(pdf, {int(found[1]): stream(EVIL, b"/Type /XObject /Subtype /Form /BBox [0 0 120 120]")})


@changed
def seal_hidden(pdf: bytes) -> bytes:
    return append(pdf, {seal_field(pdf): re.sub(rb"/F \d+", b"/F 2", field_body(pdf))})


@changed
def seal_renamed(pdf: bytes) -> bytes:
    return append(pdf, {seal_field(pdf): field_body(pdf).replace(b"Seal1", b"Other")})


@changed
def seal_taken_off_the_page(pdf: bytes) -> bytes:
    return append(pdf, {10: re.sub(rb"/Annots\s*\[.*?\]", b"/Annots [5 0 R]", body_of(pdf, 10), flags=re.S)})


@changed
def signature_removed_with_its_field(pdf: bytes) -> bytes:
    return append(pdf, {1: re.sub(rb"/Fields\s*\[.*?\]", b"/Fields [5 0 R]", body_of(pdf, 1), flags=re.S)})


@changed
def signature_removed_with_the_form(pdf: bytes) -> bytes:
    return append(pdf, {1: b"<< /Type /Catalog /Pages 2 0 R >>"})


@changed
def signature_value_removed(pdf: bytes) -> bytes:
    return append(pdf, {seal_field(pdf): re.sub(rb"/V \d+ 0 R", b"", field_body(pdf))})


@changed
def signature_field_turned_into_text(pdf: bytes) -> bytes:
    return append(pdf, {seal_field(pdf): re.sub(rb"/FT\s*/Sig", b"/FT /Tx", field_body(pdf))})


@changed
def signature_field_turned_into_a_string(pdf: bytes) -> bytes:
    return append(pdf, {seal_field(pdf): b"(gone)"})


# --- bytes behind the end -------------------------------------------------------------------------------------------


@changed
def junk_behind_the_end(pdf: bytes) -> bytes:
    return pdf + b"this was never signed"


@changed
def script_behind_the_end(pdf: bytes) -> bytes:
    return pdf + b"\n<script>alert(1)</script>\n%%EOF\n"


@changed
def another_file_behind_the_end(pdf: bytes) -> bytes:
    return pdf + b"PK\x03\x04" + bytes(range(256))


@changed
def object_twice_in_the_update(pdf: bytes) -> bytes:
    updated = append(pdf, {4: b"<< /Title (Permit) >>"})
    return append(updated[:-1] + b"\n4 0 obj\n<< /Title (Other) >>\nendobj\n", {7: body_of(pdf, 7)})


@changed
def hybrid_references_that_disagree(pdf: bytes) -> bytes:
    """The table says one thing about the page's content, the stream beside it another."""
    number, out = fresh(pdf), bytearray(pdf)
    offsets = {}
    for which, body in ((11, stream(EVIL)), (4, b"<< /Title (Permit) >>")):
        offsets[which] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (which, body)
    hidden = len(out)
    row = bytes([1]) + offsets[11].to_bytes(4, "big") + b"\0"
    out += b"%d 0 obj\n%s\nendobj\n" % (
        number,
        stream(row, b"/Type /XRef /W [1 4 1] /Index [11 1] /Size %d" % (number + 1)),
    )
    start = len(out)
    out += table({4: offsets[4]}) + b"trailer\n<< /Size %d /Root 1 0 R /Prev %d /XRefStm %d >>\n" % (
        number + 1,
        last_startxref(pdf),
        hidden,
    )
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


# --- universal forgeries and wrapping -------------------------------------------------------------------------------

_CONTENTS, _RANGE = rb"/Contents <[0-9a-fA-F]*>", rb"/ByteRange \[[^\]]*\]"


def _attack(name: str, pattern: bytes, new: bytes) -> None:
    FORGED[name] = lambda pdf: same_length(pdf, pattern, new)


for _name, _value in {
    "usf_empty_contents": b"/Contents <>",
    "usf_one_zero_contents": b"/Contents <00>",
    "usf_null_contents": b"/Contents null",
    "usf_contents_without_value": b"/Contents ",
    "usf_no_contents": b" ",
    "usf_contents_of_wrong_type": b"/Contents 42",
    "usf_indirect_contents": b"/Contents 11 0 R",
}.items():
    _attack(_name, _CONTENTS, _value)

for _name, _value in {
    "usf_null_byte_range": b"/ByteRange null",
    "usf_no_byte_range": b" ",
    "usf_empty_byte_range": b"/ByteRange []",
    "usf_one_range": b"/ByteRange [0 9]",
    "usf_negative_byte_range": b"/ByteRange [0 -1 -1 0]",
    "usf_huge_byte_range": b"/ByteRange [0 9 99 99999999]",
    "usf_byte_range_of_names": b"/ByteRange [/a /b /c /d]",
    "usf_byte_range_behind_the_start": b"/ByteRange [9 99 999 9]",
}.items():
    _attack(_name, _RANGE, _value)


@forged
def usf_unknown_format(pdf: bytes) -> bytes:
    return same_length(pdf, rb"/SubFilter /ETSI.CAdES.detached", b"/SubFilter /none")


@forged
def content_changed_in_place(pdf: bytes) -> bytes:
    return pdf.replace(b"2026-0001", b"2026-9999")


@forged
def signature_value_flipped(pdf: bytes) -> bytes:
    match = re.search(_CONTENTS, pdf)
    assert match
    place = match.start() + 60
    return pdf[:place] + (b"0" if pdf[place : place + 1] != b"0" else b"1") + pdf[place + 1 :]


@forged
def range_widened_hole(pdf: bytes) -> bytes:
    """The hole takes in the bytes before /Contents too."""
    first, second, rest = _range(pdf)
    return same_length(pdf, _RANGE, b"/ByteRange [0 %d %d %d]" % (first - 30, second, rest))


@forged
def range_that_stops_early(pdf: bytes) -> bytes:
    first, second, rest = _range(pdf)
    return same_length(pdf, _RANGE, b"/ByteRange [0 %d %d %d]" % (first, second, rest - 50))


@forged
def swa_signed_bytes_moved(pdf: bytes) -> bytes:
    """Wrapping: the second signed part is moved behind attacker content, the range follows it."""
    first, second, rest = _range(pdf)
    inserted = b" >>\nendobj\n11 0 obj\n" + stream(EVIL) + b"\nendobj\n99 0 obj\n<< "
    moved = pdf[:second] + inserted + pdf[second:]
    return same_length(moved, _RANGE, b"/ByteRange [0 %d %d %d]" % (first, second + len(inserted), rest))


def _range(pdf: bytes) -> tuple[int, int, int]:
    match = re.search(rb"/ByteRange \[\s*0\s+(\d+)\s+(\d+)\s+(\d+)", pdf)
    assert match
    return int(match[1]), int(match[2]), int(match[3])


def pasted_from(other: bytes, pdf: bytes) -> bytes:
    """The seal of another file, widget, value and all, hung on an unsigned one by an incremental update."""
    number = fresh(pdf)
    value = body_of(other, seal_value(other))
    widget = re.sub(rb"/V \d+ 0 R", b"/V %d 0 R" % (number + 1), field_body(other))
    widget = re.sub(rb"/AP\s*<<.*?>>", b"/AP << /N %d 0 R >>" % (number + 2), widget, flags=re.S)
    catalog = re.sub(rb"/Fields\s*\[(.*?)\]", rb"/Fields [\1 %d 0 R]" % number, body_of(pdf, 1), flags=re.S)
    drawn = stream(b"0 0 1 rg 0 0 120 120 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 120 120]")
    return append(pdf, {1: catalog, number: widget, number + 1: value, number + 2: drawn})
