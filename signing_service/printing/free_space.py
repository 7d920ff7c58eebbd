"""Where a page is free: boxes without any ink, measured on the rendered page. Pure, over grey pictures.

Millimetres are from the lower-left corner of the page as displayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from signing_service.printing.page_image import GreyPage

CELL_MM = 0.5
DPI = 25.4 / CELL_MM * 2
"""Two pixels a cell: hairlines stay visible."""
INK_BELOW = 245
EDGE_MM = 5.0
"""What home printers leave blank along each edge."""
CLEARANCE_MM = 1.0
RANK_MM = 6.0
"""How much nearer to its edge a later side has to be than an earlier one to be taken instead."""
Side = Literal["bottom", "top", "left", "right", "inside"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A free box. `side`: the margin that it lies in."""

    left_mm: float
    bottom_mm: float
    width_mm: float
    height_mm: float
    side: Side


class PageSpace:
    """The cells of one page; boxes that are given out are no longer free."""

    def __init__(self, grey: GreyPage) -> None:
        rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
        cells = grey[: rows * 2, : columns * 2].reshape(rows, 2, columns, 2).min(axis=(1, 3))
        self._ink = np.flipud(cells < INK_BELOW).copy()
        edge = round(EDGE_MM / CELL_MM)
        self._ink[:edge] = self._ink[-edge:] = True
        self._ink[:, :edge] = self._ink[:, -edge:] = True

    @property
    def width_mm(self) -> float:
        return float(self._ink.shape[1] * CELL_MM)

    @property
    def height_mm(self) -> float:
        return float(self._ink.shape[0] * CELL_MM)

    def take(self, width_mm: float, height_mm: float, sides: Sequence[Side]) -> Spot | None:
        """The free box of this size nearest to an edge, earlier sides preferred; None when there is none.

        "inside" is for what finds room in no margin: the outer quarter along an edge.
        """
        pad = round(CLEARANCE_MM / CELL_MM)
        high, wide = (int(np.ceil(size / CELL_MM)) + 2 * pad for size in (height_mm, width_mm))
        free = self._free_positions(high, wide)
        if free is None or not free.any():
            return None
        rows, columns = np.nonzero(free)
        place, side = self._nearest(rows, columns, high, wide, sides)
        if place is None:
            return None
        row, column = int(rows[place]), int(columns[place])
        self._ink[row : row + high, column : column + wide] = True
        return Spot((column + pad) * CELL_MM, (row + pad) * CELL_MM, width_mm, height_mm, side)

    def _free_positions(self, high: int, wide: int) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """For each cell: is the box with its lower-left corner there free of ink?"""
        if high > self._ink.shape[0] or wide > self._ink.shape[1]:
            return None
        total = np.pad(self._ink.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        inked = total[high:, wide:] - total[:-high, wide:] - total[high:, :-wide] + total[:-high, :-wide]
        return np.asarray(inked == 0)

    def _nearest(
        self,
        rows: np.ndarray[Any, Any],
        columns: np.ndarray[Any, Any],
        high: int,
        wide: int,
        sides: Sequence[Side],
    ) -> tuple[int | None, Side]:
        """Index and side of the best position: near its edge and, along the edge, near a corner."""
        height, width = self._ink.shape
        distances = {
            "bottom": rows,
            "top": height - rows - high,
            "left": columns,
            "right": width - columns - wide,
            "inside": np.minimum.reduce([rows, height - rows - high, columns, width - columns - wide]),
        }
        best: tuple[float, int | None, Side] = (np.inf, None, "inside")
        for rank, side in enumerate(sides):
            distance = distances[side]
            limit = max(height, width) if side == "inside" else (height if side in ("bottom", "top") else width) // 4
            near = np.nonzero(distance <= limit)[0]
            if not near.size:
                continue
            along = columns if side in ("bottom", "top") else rows
            cost = distance[near] + along[near] * 0.01 + rank * RANK_MM / CELL_MM
            place = int(np.argmin(cost))
            if cost[place] < best[0] and not (side == "inside" and best[1] is not None):
                best = (float(cost[place]), int(near[place]), side)
        return best[1], best[2]
