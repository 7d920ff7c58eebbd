"""The fast path: a signature's revision written as bytes, on plain files and requests; NotPlain for all others.

It must decide as the complete path would. So whatever could make a difference (locks, certification, XFA, existing
fields of the same name, shared annotation arrays, placings that need the page's text) is left to the complete path.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from signing_service.pades.growing_file import GrowingFile
from signing_service.pades.plain_revision import PlainRevision
from signing_service.pades.ports import Evidence
from signing_service.pades.request import SignatureRequest
from signing_service.pades.signature_dictionary import LOCK_ENTRY, descriptive_entries, reference_entry, text_string
from signing_service.pdf.picture import POINTS_PER_MM
from signing_service.pdf.plain_file import PlainPdf
from signing_service.pdf.plain_pages import PlainPage, find_page
from signing_service.pdf.plain_tokens import NotPlain, PlainDictionary, parse_dictionary, reference, references
from signing_service.pdf.update import Update

_MOST_FIELDS = 64

P = ParamSpec("P")
T = TypeVar("T")


def plainly(work: Callable[P, T]) -> Callable[P, T]:
    """Whatever goes wrong on bytes that are not as expected means: not plain."""

    @wraps(work)
    def guarded(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return work(*arguments, **named)
        except (ValueError, IndexError, KeyError, OverflowError, RecursionError, zlib.error, struct.error) as failure:
            raise NotPlain(str(failure)) from failure

    return guarded


@plainly
def prepare_plainly(file: GrowingFile, request: SignatureRequest, room: int) -> Update:
    """The update for a signature. Raises NotPlain."""
    if request.certify is not None or "." in request.field or (request.placing and request.appearance is None):
        raise NotPlain("request")
    revision = PlainRevision(PlainPdf(file.buffer, file.sections))
    name = text_string(request.field)
    form = _form(revision, name)
    page, shown = _shown(revision, request)
    signature = revision.new_number()
    lock = b"/Lock " + LOCK_ENTRY if request.lock else b""
    widget = revision.add(
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T%s/F 132/P %d 0 R%s%s/V %d 0 R>>"
        % (name, page.number, shown, lock, signature)
    )
    _append_annotation(revision, page, widget)
    _append_field(revision, form, widget)
    entries = b"/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached%s%s" % (
        descriptive_entries(request),
        reference_entry(request, b"%d 0 R" % revision.catalog_number),
    )
    return revision.written_around(signature, entries, room)


@plainly
def prepare_document_timestamp_plainly(file: GrowingFile, room: int) -> Update:
    """The update for a document timestamp. Raises NotPlain."""
    revision = PlainRevision(PlainPdf(file.buffer, file.sections))
    form = _form(revision, b"", is_timestamp=True)
    signature = revision.new_number()
    name = text_string(f"DocTimeStamp{signature}")  # object numbers are unique, so the name is
    field = revision.add(b"<</FT/Sig/T%s/V %d 0 R>>" % (name, signature))
    _append_field(revision, form, field)
    return revision.written_around(signature, b"/Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161", room)


@plainly
def security_store_plainly(file: GrowingFile, evidence: Evidence) -> bytes:
    """The update that brings a document security store into a file that has none. Raises NotPlain."""
    revision = PlainRevision(PlainPdf(file.buffer, file.sections))
    if b"/DSS" in revision.catalog:
        raise NotPlain("security store")
    parts = ((b"/Certs", evidence.certificates), (b"/OCSPs", evidence.ocsp_responses), (b"/CRLs", evidence.crls))
    entries = b""
    for key, items in parts:
        if items:
            numbers = [revision.add(_packed(item)) for item in items]
            entries += key + b"[%s]" % b" ".join([b"%d 0 R" % number for number in numbers])
    store = revision.add(b"<</Type/DSS%s>>" % entries)
    revision.objects[revision.catalog_number] = revision.catalog.with_entry(b"/DSS", b"%d 0 R" % store)
    return revision.written()


@lru_cache(maxsize=256)
def _packed(data: bytes) -> bytes:
    """The same certificates and CRLs go into many files."""
    packed = zlib.compress(data)
    return b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(packed), packed)


def _shown(revision: PlainRevision, request: SignatureRequest) -> tuple[PlainPage, bytes]:
    """The page, and the widget's rectangle and appearance, whose objects are added."""
    placing = request.placing
    if placing is None or request.appearance is None:
        return find_page(revision.file, revision.catalog, 0), b"/Rect[0 0 0 0]"
    from signing_service.pades.placing import Placing, place, size_of

    if not isinstance(placing, Placing):
        raise NotPlain("placing")
    page = find_page(revision.file, revision.catalog, placing.page)
    box = place(placing, size_of(placing, request.appearance.natural_size_mm), page.geometry)
    drawing = request.appearance.draw(box.width_mm * POINTS_PER_MM, box.height_mm * POINTS_PER_MM, page.geometry)
    numbers = [revision.new_number() for _ in drawing.sources]
    revision.objects.update(zip(numbers, drawing.numbered(numbers), strict=True))
    rectangle = page.geometry.user_rectangle(box.left_mm, box.bottom_mm, box.width_mm, box.height_mm)
    return page, b"/Rect[%.4f %.4f %.4f %.4f]/AP<</N %d 0 R>>" % (*rectangle, numbers[-1])


def _append_annotation(revision: PlainRevision, page: PlainPage, widget: int) -> None:
    present = page.dictionary.get(b"/Annots")
    added = b"%d 0 R" % widget
    number = reference(present)
    if number is not None:
        if page.page_count > 1:
            raise NotPlain("annotation array that pages may share")
        revision.objects[number] = _with_item(revision.file.source(number), added)
        return
    array = b"[%s]" % added if present is None else _with_item(present, added)
    revision.objects[page.number] = page.dictionary.with_entry(b"/Annots", array)


def _with_item(array: bytes, item: bytes) -> bytes:
    array = array.strip()
    if not (array.startswith(b"[") and array.endswith(b"]")):
        raise NotPlain("array expected")
    return b"%s %s]" % (array[:-1], item)


def _form(revision: PlainRevision, name: bytes, *, is_timestamp: bool = False) -> PlainDictionary | None:
    """The interactive form, None when there is none. Raises NotPlain where an earlier signature might object."""
    catalog = revision.catalog
    if not is_timestamp and (catalog.get(b"/Perms") or catalog.get(b"/NeedsRendering")):
        raise NotPlain("permissions")
    raw = catalog.get(b"/AcroForm")
    if raw is None:
        return None
    number = reference(raw)
    form = revision.file.dictionary(number) if number is not None else parse_dictionary(raw)
    if not is_timestamp:
        if form.get(b"/XFA") is not None:
            raise NotPlain("XFA")
        _check_fields(revision.file, _fields(revision.file, form), name)
    return form


def _fields(file: PlainPdf, form: PlainDictionary) -> list[int]:
    raw = form.get(b"/Fields")
    number = reference(raw)
    return references(file.source(number) if number is not None else raw or b"[]")


def _check_fields(file: PlainPdf, fields: list[int], name: bytes) -> None:
    if len(fields) > _MOST_FIELDS:
        raise NotPlain("many fields")
    for number in fields:
        field = file.dictionary(number)
        title = field.get(b"/T")
        if field.get(b"/Kids") is not None or title is None or not _is_comparable(title) or title == name:
            raise NotPlain("field")
        value = reference(field.get(b"/V")) if field.get(b"/FT") == b"/Sig" else None
        if value is not None and file.dictionary(value).get(b"/Reference") is not None:
            raise NotPlain("locked")


def _is_comparable(title: bytes) -> bool:
    """Whether the name is written as we write names, so that equal names have equal bytes."""
    plain = title.startswith(b"(") and b"\\" not in title and title.isascii()
    return plain or (title.upper() == title and title.startswith(b"<FEFF") and b" " not in title)


def _append_field(revision: PlainRevision, form: PlainDictionary | None, field: int) -> None:
    added = b"%d 0 R" % field
    number = reference(revision.catalog.get(b"/AcroForm"))
    if form is None:
        _put_form(revision, None, b"<</Fields[%s]/SigFlags 3>>" % added)
        return
    listed = form.get(b"/Fields")
    separate = reference(listed)
    if separate is not None:
        revision.objects[separate] = _with_item(revision.file.source(separate), added)
        changed = form.source
    else:
        changed = form.with_entry(b"/Fields", _with_item(listed or b"[]", added))
    flagged = parse_dictionary(changed).with_entry(b"/SigFlags", b"3")
    if (flagged != form.source and form.get(b"/SigFlags") != b"3") or separate is None:
        _put_form(revision, number, flagged)


def _put_form(revision: PlainRevision, number: int | None, form: bytes) -> None:
    if number is not None:
        revision.objects[number] = form
    else:
        revision.objects[revision.catalog_number] = revision.catalog.with_entry(b"/AcroForm", form)
