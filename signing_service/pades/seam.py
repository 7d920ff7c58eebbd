"""骑缝章: one signature whose seal runs in strips over the edges of many pages."""

from __future__ import annotations

import zlib
from typing import Any

from pyhanko.pdf_utils import generic

from signing_service.pades.appearance import SealAppearance
from signing_service.pades.drawing import form_entries, real, stream
from signing_service.pades.errors import PlacingRefused
from signing_service.pades.placing import SeamPlacing
from signing_service.pades.request import SignatureRequest
from signing_service.pades.signature_dictionary import LOCK_ENTRY, text_string
from signing_service.pdf.form_editing import append_annotation
from signing_service.pdf.geometry import Matrix, PageGeometry
from signing_service.pdf.opening import OpenedPdf
from signing_service.pdf.page_tree import Page, page_at
from signing_service.pdf.picture import POINTS_PER_MM, VectorPicture
from signing_service.pdf.revision import Revision

FEWEST_PAGES, MOST_PAGES = 2, 500


def add_seam_widgets(
    revision: Revision, opened: OpenedPdf, request: SignatureRequest, placing: SeamPlacing, signature: Any
) -> Any:
    """The field's reference, with one widget on each page. Raises PlacingRefused and PageMissing."""
    pages = _pages(opened, placing)
    if not isinstance(request.appearance, SealAppearance):
        raise PlacingRefused("骑缝章只能是印章。", "Only a seal runs across pages.")
    picture = request.appearance.checked_picture()
    whole = revision.allocate_placeholder()
    upright: Matrix = (1, 0, 0, 1)
    entries = form_entries(picture.width_pt, picture.height_pt, upright) + b"/Resources<<>>/Filter/FlateDecode"
    revision.add_raw(stream(entries, zlib.compress(picture.content)), whole)
    field = revision.allocate_placeholder()
    widgets = []
    for index, page in enumerate(pages):
        widget = _add_strip(revision, page, picture, placing, (index, len(pages)), (whole, field, signature))
        append_annotation(revision, opened, page, widget)
        widgets.append(b"%d 0 R" % widget.idnum)
    lock = b"/Lock " + LOCK_ENTRY if request.lock else b""
    source = b"<</FT/Sig/T%s/V %d 0 R/Kids[%s]%s>>" % (
        text_string(request.field),
        signature.idnum,
        b" ".join(widgets),
        lock,
    )
    revision.add_raw(source, field)
    return field


def _pages(opened: OpenedPdf, placing: SeamPlacing) -> list[Page]:
    count = len(opened.pages)
    page_at(opened.pages, placing.first_page)
    page_at(opened.pages, placing.last_page)
    pages = opened.pages[placing.first_page % count : placing.last_page % count + 1]
    if not FEWEST_PAGES <= len(pages) <= MOST_PAGES:
        raise PlacingRefused(
            f"骑缝章需要 {FEWEST_PAGES} 至 {MOST_PAGES} 页,现为 {len(pages)} 页。",
            f"A seal across pages needs {FEWEST_PAGES} to {MOST_PAGES} pages; there are {len(pages)}.",
        )
    return pages


def _add_strip(
    revision: Revision,
    page: Page,
    picture: VectorPicture,
    placing: SeamPlacing,
    place: tuple[int, int],
    references: tuple[generic.IndirectObject, generic.IndirectObject, Any],
) -> generic.IndirectObject:
    """Strip `place[0]` of `place[1]`: a form that shows its part of the whole seal, and the widget that holds it."""
    whole, field, signature = references
    index, count = place
    geometry = page.geometry
    width_mm = picture.width_mm / count
    shift = index * picture.width_pt / count
    content = b"q 1 0 0 1 -%s 0 cm /S Do Q" % real(shift)
    entries = form_entries(width_mm * POINTS_PER_MM, picture.height_pt, geometry.upright)
    resources = b"/Resources<</XObject<</S %d 0 R>>>>" % whole.idnum
    form = revision.allocate_placeholder()
    revision.add_raw(stream(entries + resources, content), form)
    widget = revision.allocate_placeholder()
    source = b"<</Type/Annot/Subtype/Widget/Parent %d 0 R/F 132/P %d %d R/Rect[%s]/AP<</N %d 0 R>>/V %d 0 R>>" % (
        field.idnum,
        page.reference.idnum,
        page.reference.generation,
        _rectangle(geometry, placing, width_mm, picture.height_mm),
        form.idnum,
        signature.idnum,
    )
    revision.add_raw(source, widget)
    return widget


def _rectangle(geometry: PageGeometry, placing: SeamPlacing, width_mm: float, height_mm: float) -> bytes:
    left = geometry.width_mm - width_mm if placing.side == "right" else 0.0
    bottom = min(max(placing.bottom_mm, 0.0), max(geometry.height_mm - height_mm, 0.0))
    return b" ".join(b"%.4f" % value for value in geometry.user_rectangle(left, bottom, width_mm, height_mm))
