"""The complete path: one more revision with an empty signature, on any file that can be opened (pyHanko).

Everything that refuses comes before the first byte is written.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.sign.signers.pdf_byterange import PdfByteRangeDigest

from signing_service.pades.drawing import Drawing
from signing_service.pades.errors import FieldRefused
from signing_service.pades.field_target import Widget, check_seed_value, find_field, widget_of
from signing_service.pades.finding import resolve_placing
from signing_service.pades.placing import FieldPlacing, PlacedBox, SeamPlacing
from signing_service.pades.request import SignatureRequest
from signing_service.pades.seam import add_seam_widgets
from signing_service.pades.signature_dictionary import LOCK_ENTRY, descriptive_entries, reference_entry, text_string
from signing_service.pdf.earlier_signatures import earlier_signatures
from signing_service.pdf.errors import PermissionMissing
from signing_service.pdf.form_editing import append_annotation, append_field, mark_certified, mark_form
from signing_service.pdf.form_fields import FormField
from signing_service.pdf.geometry import Box
from signing_service.pdf.objects import entry, make_dictionary, make_number, raw_entry, raw_items
from signing_service.pdf.opening import OpenedPdf, open_pdf, reading
from signing_service.pdf.page_tree import Page, page_at
from signing_service.pdf.picture import POINTS_PER_MM
from signing_service.pdf.revision import Revision
from signing_service.pdf.signing_limits import refuse_breaking
from signing_service.pdf.update import Update

_PRINT_AND_LOCKED = 132
"""Annotation flags Print and Locked (12.5.3)."""


def prepare_completely(pdf: bytes, request: SignatureRequest, room: int, digest: str = "sha256") -> Update:
    """The update to be appended; `room` bytes are kept for the CMS. Raises PdfRefusal and PadesError, both named."""
    opened = open_pdf(pdf)
    with reading():
        _refuse(opened, request)
        target = find_field(opened, request.field)
        if target is None and isinstance(request.placing, FieldPlacing):
            raise FieldRefused(request.field, "文件中没有这个域。", "The file has no such field.")
        if target is None and not opened.may_add_fields:
            raise PermissionMissing("新增签名域(文件中没有可用的空签名域)", "adding a signature field (bits 4 and 6)")
        revision = Revision(opened)
        revision.identified_by(text_string(request.field) + descriptive_entries(request))
        signature = _signature_object(revision, request, room)
        reference = revision.add_object(signature)
        if target is None:
            _add_field(revision, opened, request, reference)
        else:
            check_seed_value(target, digest)
            _fill_field(revision, opened, request, target, reference)
        if request.certify is not None:
            mark_certified(revision, reference)
        return revision.written_around(signature)


def _refuse(opened: OpenedPdf, request: SignatureRequest) -> None:
    earlier = earlier_signatures(opened.catalog)
    refuse_breaking(earlier, request.field, certify=request.certify is not None)


def _signature_object(revision: Revision, request: SignatureRequest, room: int) -> PdfByteRangeDigest:
    signature = PdfByteRangeDigest(bytes_reserved=2 * room)
    catalog = b"%d %d R" % (revision.root_ref.idnum, revision.root_ref.generation)
    source = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached%s%s>>" % (
        descriptive_entries(request),
        reference_entry(request, catalog),
    )
    signature.update(_parsed(revision, source))
    return signature


def _add_field(revision: Revision, opened: OpenedPdf, request: SignatureRequest, signature: Any) -> None:
    """A new field with its widget, on the placed page or, unseen, on the first."""
    if isinstance(request.placing, SeamPlacing):
        field = add_seam_widgets(revision, opened, request, request.placing, signature)
        append_field(revision, opened.catalog, field)
        return
    page, box = page_at(opened.pages, 0), None
    if request.placing is not None and request.appearance is not None and not isinstance(request.placing, FieldPlacing):
        index, box = resolve_placing(opened, request.placing, request.appearance.natural_size_mm)
        page = page_at(opened.pages, index)
    lock = b"/Lock " + LOCK_ENTRY if request.lock else b""
    rectangle, appearance = _appearance(revision, request, page, box)
    source = b"<</Type/Annot/Subtype/Widget/FT/Sig/T%s/F %d/P %d %d R/Rect[%s]%s%s>>" % (
        text_string(request.field),
        _PRINT_AND_LOCKED,
        page.reference.idnum,
        page.reference.generation,
        b" ".join(b"%.4f" % value for value in rectangle),
        lock,
        appearance,
    )
    widget = _parsed(revision, source)
    widget["/V"] = signature
    added = revision.add_object(widget)
    append_annotation(revision, opened, page, added)
    append_field(revision, opened.catalog, added)


def _fill_field(
    revision: Revision, opened: OpenedPdf, request: SignatureRequest, field: FormField, signature: Any
) -> None:
    """An existing empty field: its rectangle stays unless it is empty and a place is given."""
    widget = widget_of(field)
    if request.lock:
        field.dictionary["/Lock"] = _parsed(revision, LOCK_ENTRY)
    elif entry(field.dictionary, "/Lock") is not None:
        _copy_lock(revision, field, signature)
    _show_in_field(revision, opened, request, field, widget)
    for dictionary in (field.dictionary, widget.dictionary):  # poppler looks for the value in the widget
        dictionary["/V"] = signature
    for reference in (field.reference, widget.reference):
        if reference is not None:
            revision.mark_update(reference)
    mark_form(revision, opened.catalog)


def _show_in_field(
    revision: Revision, opened: OpenedPdf, request: SignatureRequest, field: FormField, widget: Widget
) -> None:
    appearance, placing = request.appearance, request.placing
    if appearance is None or not (widget.is_visible or placing):
        return
    if isinstance(placing, SeamPlacing):
        raise FieldRefused(field.name, "已有的域不能盖骑缝章。", "A seal across pages needs a field of its own.")
    if isinstance(placing, FieldPlacing) and not widget.is_visible:
        raise FieldRefused(field.name, "它没有显示区域,印章无处可盖。", "It has no area to show a seal in.")
    page = _page_of(opened, widget.reference or field.reference, widget)
    if placing is None or isinstance(placing, FieldPlacing) or widget.is_visible:
        x0, y0, x1, y1 = widget.rectangle
        box = PlacedBox(*page.geometry.displayed_box((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))))
    else:
        index, box = resolve_placing(opened, placing, appearance.natural_size_mm)
        if opened.pages[index].reference.idnum != page.reference.idnum:
            raise FieldRefused(request.field, "它在另一页上,且不可见。", "It is invisible and belongs to another page.")
    rectangle, source = _appearance(revision, request, page, box)
    widget.dictionary["/Rect"] = generic.ArrayObject(make_number(value) for value in rectangle)
    widget.dictionary["/AP"] = _parsed(revision, b"<<%s>>" % source)["/AP"]
    widget.show()


def _appearance(revision: Revision, request: SignatureRequest, page: Page, box: PlacedBox | None) -> tuple[Box, bytes]:
    """The rectangle in user units and the /AP entry, its objects added; an empty rectangle when nothing is shown."""
    if box is None or request.appearance is None:
        return (0.0, 0.0, 0.0, 0.0), b""
    geometry = page.geometry
    drawing = request.appearance.draw(box.width_mm * POINTS_PER_MM, box.height_mm * POINTS_PER_MM, geometry)
    form = _add_drawing(revision, drawing)
    rectangle = geometry.user_rectangle(box.left_mm, box.bottom_mm, box.width_mm, box.height_mm)
    return rectangle, b"/AP<</N %d 0 R>>" % form


def _add_drawing(revision: Revision, drawing: Drawing) -> int:
    references = [revision.allocate_placeholder() for _ in drawing.sources]
    numbers = [reference.idnum for reference in references]
    for reference, source in zip(references, drawing.numbered(numbers), strict=True):
        revision.add_raw(source, reference)
    return numbers[-1]


def _copy_lock(revision: Revision, field: FormField, signature: Any) -> None:
    """The field's author asks for a lock: the signature has to state it (12.8.2.4)."""
    lock = entry(field.dictionary, "/Lock")
    parameters = make_dictionary({"/Type": generic.NameObject("/TransformParams")})
    for key in ("/Action", "/Fields", "/P"):
        if entry(lock, key) is not None:
            parameters[key] = raw_entry(lock, key)
    parameters["/V"] = generic.NameObject("/1.2")
    reference = _parsed(revision, b"<</Type/SigRef/TransformMethod/FieldMDP/DigestMethod/SHA256>>")
    reference["/Data"] = revision.catalog_reference()
    reference["/TransformParams"] = parameters
    existing = list(raw_items(entry(signature.get_object(), "/Reference")))
    signature.get_object()["/Reference"] = generic.ArrayObject([*existing, reference])


def _page_of(opened: OpenedPdf, reference: generic.Reference | None, widget: Widget) -> Page:
    """By the widget's /P, else by the page whose annotations list it, else the first."""
    stated = raw_entry(widget.dictionary, "/P")
    number = stated.idnum if isinstance(stated, generic.IndirectObject) else None
    own = reference.idnum if reference is not None else None
    for page in opened.pages:
        listed = (item.idnum for item in raw_items(entry(page.dictionary, "/Annots")) if hasattr(item, "idnum"))
        if page.reference.idnum == number or (number is None and own in listed):
            return page
    return opened.pages[0]


def _parsed(revision: Revision, source: bytes) -> Any:
    """PDF source as objects that belong to this revision."""
    number = revision.root_ref.idnum
    parsed = generic.read_object(BytesIO(source), generic.Reference(number, 0, revision))
    return _detached(parsed)


def _detached(value: Any) -> Any:
    value.container_ref = None
    return value
