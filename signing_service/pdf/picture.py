"""A picture made of vector outlines, as it is painted into a page."""

from __future__ import annotations

from dataclasses import dataclass

POINTS_PER_MM = 72 / 25.4


@dataclass(frozen=True, slots=True)
class VectorPicture:
    """PDF operators in points, origin lower left, box 0 0 width height.

    `content` is self-contained (q ... Q) and needs no resources: paths and colours only.
    """

    content: bytes
    width_mm: float
    height_mm: float

    @property
    def width_pt(self) -> float:
        return self.width_mm * POINTS_PER_MM

    @property
    def height_pt(self) -> float:
        return self.height_mm * POINTS_PER_MM
