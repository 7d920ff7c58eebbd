"""From millimetres on the page as displayed to the page's own user space (ISO 32000-2, 7.7.3.3 and 14.11.2).

A displayed page is its crop box, turned clockwise by /Rotate, one user unit being /UserUnit points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from signing_service.pdf.picture import POINTS_PER_MM

Box = tuple[float, float, float, float]
Matrix = tuple[int, int, int, int]

DEFAULT_MEDIA_BOX: Box = (0.0, 0.0, 612.0, 792.0)
"""US Letter: what poppler, PDFium and pdf.js show for a page without a usable /MediaBox."""


_UPRIGHT: dict[int, Matrix] = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@dataclass(frozen=True, slots=True)
class PageGeometry:
    """The visible box in user units, the clockwise turn (0, 90, 180, 270) and the size of a user unit in points.

    Widths and heights are as displayed; `upright` is the linear part of the form matrix that shows an
    appearance upright on the displayed page.
    """

    box: Box
    rotate: int
    user_unit: float
    width_pt: float = field(init=False)
    height_pt: float = field(init=False)
    width_mm: float = field(init=False)
    height_mm: float = field(init=False)
    upright: Matrix = field(init=False)
    _axes: tuple[tuple[float, float, float], tuple[float, float, float]] = field(init=False)

    def __post_init__(self) -> None:
        """Everything that placing needs, worked out once: many pages share one geometry."""
        x0, y0, x1, y1 = self.box
        mm = POINTS_PER_MM / self.user_unit
        axes = {
            0: ((mm, 0.0, x0), (0.0, mm, y0)),
            90: ((0.0, -mm, x1), (mm, 0.0, y0)),
            180: ((-mm, 0.0, x1), (0.0, -mm, y1)),
            270: ((0.0, mm, x0), (-mm, 0.0, y1)),
        }
        width, height = (x1 - x0) * self.user_unit, (y1 - y0) * self.user_unit
        if self.rotate % 180:
            width, height = height, width
        set_once = partial(object.__setattr__, self)
        set_once("width_pt", width)
        set_once("height_pt", height)
        set_once("width_mm", width / POINTS_PER_MM)
        set_once("height_mm", height / POINTS_PER_MM)
        set_once("upright", _UPRIGHT[self.rotate])
        set_once("_axes", axes[self.rotate])

    def user_rectangle(self, left_mm: float, bottom_mm: float, width_mm: float, height_mm: float) -> Box:
        """The annotation rectangle, in user units, of a box given in mm from the displayed page's lower-left corner."""
        right_mm, top_mm = left_mm + width_mm, bottom_mm + height_mm
        (ax, bx, cx), (ay, by, cy) = self._axes
        first_x, second_x = ax * left_mm + bx * bottom_mm + cx, ax * right_mm + bx * top_mm + cx
        first_y, second_y = ay * left_mm + by * bottom_mm + cy, ay * right_mm + by * top_mm + cy
        return (min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y))

    def displayed_box(self, rectangle: Box) -> Box:
        """The reverse: left, bottom, width and height in mm, as displayed, of a rectangle in user units."""
        first, second = self._to_displayed(*rectangle[:2]), self._to_displayed(*rectangle[2:])
        left, bottom = min(first[0], second[0]), min(first[1], second[1])
        return (left, bottom, abs(first[0] - second[0]), abs(first[1] - second[1]))

    def _to_displayed(self, x: float, y: float) -> tuple[float, float]:
        x0, y0, x1, y1 = self.box
        turned = {0: (x - x0, y - y0), 90: (y - y0, x1 - x), 180: (x1 - x, y1 - y), 270: (y1 - y, x - x0)}
        across, up = turned[self.rotate]
        scale = self.user_unit / POINTS_PER_MM
        return across * scale, up * scale


def page_geometry(
    media_box: Sequence[float] | None, crop_box: Sequence[float] | None, rotate: float, user_unit: float
) -> PageGeometry:
    """Geometry from the (inherited) page entries; what is missing or makes no sense gets the readers' default."""
    media = _usable(media_box) or DEFAULT_MEDIA_BOX
    crop = _usable(crop_box)
    box = (_intersection(media, crop) if crop else None) or media
    turn = int(rotate) % 360 if rotate % 90 == 0 else 0
    return PageGeometry(box, turn, user_unit if user_unit > 0 else 1.0)


def _usable(box: Sequence[float] | None) -> Box | None:
    """The box with its corners sorted, or None when it is missing or empty."""
    if box is None or len(box) != 4:
        return None
    (x0, x1), (y0, y1) = sorted((box[0], box[2])), sorted((box[1], box[3]))
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def _intersection(first: Box, second: Box) -> Box | None:
    return _usable_corners(
        max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])
    )


def _usable_corners(x0: float, y0: float, x1: float, y1: float) -> Box | None:
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None
