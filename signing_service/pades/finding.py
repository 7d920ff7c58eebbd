"""Where a placing puts its box: by position, by keyword, or where there is least ink."""

from __future__ import annotations

from signing_service.pades.errors import PlacingRefused
from signing_service.pades.placing import (
    AnchorPlacing,
    FreeSpotPlacing,
    PlacedBox,
    Placing,
    SpotPlacing,
    place,
    size_of,
)
from signing_service.pdf.opening import OpenedPdf
from signing_service.pdf.page_tree import page_at


def resolve_placing(
    opened: OpenedPdf, placing: SpotPlacing, natural_size_mm: tuple[float, float] | None
) -> tuple[int, PlacedBox]:
    """Page index from 0 and the box in mm. Raises PlacingRefused and PageMissing."""
    size = size_of(placing, natural_size_mm)
    placed = _positioned(opened, placing, size)
    page = page_at(opened.pages, placed.page)
    return placed.page % len(opened.pages), place(placed, size, page.geometry)


def _positioned(opened: OpenedPdf, placing: SpotPlacing, size: tuple[float, float]) -> Placing:
    if isinstance(placing, AnchorPlacing):
        return _anchored(opened, placing, size)
    if isinstance(placing, FreeSpotPlacing):
        return _spotted(opened, placing, size)
    return placing


def _anchored(opened: OpenedPdf, placing: AnchorPlacing, size: tuple[float, float]) -> Placing:
    from signing_service.pades.page_reading import keyword_boxes  # PDFium is needed for these placings only

    found = keyword_boxes(opened.data, placing.keyword)
    try:
        index, rectangle = found[placing.occurrence]
    except IndexError:
        raise PlacingRefused(
            f"文中没有关键字“{placing.keyword}”。", f"The keyword “{placing.keyword}” is not in the text."
        ) from None
    left, bottom, width, height = page_at(opened.pages, index).geometry.displayed_box(rectangle)
    return Placing(index, left + (width - size[0]) / 2, bottom + (height - size[1]) / 2)


def _spotted(opened: OpenedPdf, placing: FreeSpotPlacing, size: tuple[float, float]) -> Placing:
    from signing_service.pades.page_reading import free_spot

    geometry = page_at(opened.pages, placing.page).geometry
    index = placing.page % len(opened.pages)
    left, bottom = free_spot(opened.data, index, (geometry.width_mm, geometry.height_mm), size)
    return Placing(index, left, bottom)
