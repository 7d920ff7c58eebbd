"""Where a visible signature stands, and how that becomes a box in mm on one displayed page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signing_service.pades.errors import PlacingRefused
from signing_service.pdf.geometry import PageGeometry

Corner = Literal["lower-left", "lower-right", "upper-left", "upper-right"]


@dataclass(frozen=True, slots=True)
class Placing:
    """A box on one page, in mm from a corner of the page as displayed.

    `page` counts from 0, or backwards from -1. Without a size the appearance's own is taken. A box that reaches over
    the edge is moved onto the page; on a page smaller than the box it is made smaller, so that nothing is cut off.
    """

    page: int = 0
    x_mm: float = 20.0
    y_mm: float = 20.0
    width_mm: float | None = None
    height_mm: float | None = None
    corner: Corner = "lower-left"


@dataclass(frozen=True, slots=True)
class AnchorPlacing:
    """Centred on a keyword of the text, such as 盖章处; `occurrence` counts from 0 over all pages, or from -1."""

    keyword: str
    occurrence: int = -1
    width_mm: float | None = None
    height_mm: float | None = None


@dataclass(frozen=True, slots=True)
class FreeSpotPlacing:
    """The spot of a page with the least ink, lower right first."""

    page: int = -1
    width_mm: float | None = None
    height_mm: float | None = None


@dataclass(frozen=True, slots=True)
class SeamPlacing:
    """骑缝章: the seal in strips along one edge of the pages from `first_page` to `last_page`, one signature for all.

    The strips' widths sum to the seal's. From 2 to 500 pages.
    """

    first_page: int = 0
    last_page: int = -1
    bottom_mm: float = 128.0
    side: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True)
class FieldPlacing:
    """The file's own empty signature field of this full name, where it stands; its rectangle is kept."""

    field: str


AnyPlacing = Placing | AnchorPlacing | FreeSpotPlacing | SeamPlacing | FieldPlacing
SpotPlacing = Placing | AnchorPlacing | FreeSpotPlacing


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """Left, bottom, width and height in mm from the displayed page's lower-left corner."""

    left_mm: float
    bottom_mm: float
    width_mm: float
    height_mm: float


DEFAULT_TEXT_MM = (60.0, 22.0)


def size_of(placing: SpotPlacing, natural_size_mm: tuple[float, float] | None) -> tuple[float, float]:
    """Width and height in mm: as placed, else the appearance's own, else a text block's."""
    natural = natural_size_mm or DEFAULT_TEXT_MM
    width, height = placing.width_mm or natural[0], placing.height_mm or natural[1]
    if width <= 0 or height <= 0:
        raise PlacingRefused("宽和高必须大于零。", "Width and height have to be above zero.")
    return width, height


def place(placing: Placing, size_mm: tuple[float, float], page: PageGeometry) -> PlacedBox:
    """The box on the page, fitted into it. Pure arithmetic in mm."""
    (width, height), across, up = size_mm, page.width_mm, page.height_mm
    shrink = min(1.0, across / width, up / height)
    width, height = width * shrink, height * shrink
    left = placing.x_mm if placing.corner.endswith("left") else across - placing.x_mm - width
    bottom = placing.y_mm if placing.corner.startswith("lower") else up - placing.y_mm - height
    return PlacedBox(min(max(left, 0.0), across - width), min(max(bottom, 0.0), up - height), width, height)
