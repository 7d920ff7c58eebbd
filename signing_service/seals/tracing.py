"""From pixels to outlines: marching squares along a level, then as few points as the tolerance allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Point = tuple[float, float]
# Corners of a cell: top-left 8, top-right 4, bottom-right 2, bottom-left 1. Each segment goes from one edge to another
# with the inside on its right, so that outlines close and holes run the other way round.
_SEGMENTS: dict[int, tuple[tuple[str, str], ...]] = {
    1: (("L", "B"),), 2: (("B", "R"),), 3: (("L", "R"),), 4: (("R", "T"),), 5: (("R", "T"), ("L", "B")),
    6: (("B", "T"),), 7: (("L", "T"),), 8: (("T", "L"),), 9: (("T", "B"),), 10: (("T", "L"), ("B", "R")),
    11: (("T", "R"),), 12: (("R", "L"),), 13: (("R", "B"),), 14: (("B", "L"),),
}  # fmt: skip
_Edge = tuple[str, int, int]


def outlines(field: Any, level: float, tolerance: float) -> list[list[Point]]:
    """Closed outlines of where a two-dimensional field is at least `level`; coordinates in pixels, y downwards.

    Points are interpolated between pixels; those that change an outline by less than `tolerance` pixels are left out.
    """
    padded = np.pad(np.asarray(field, dtype=float), 1)
    following = _segments(padded, level)
    found = []
    while following:
        start, edge = following.popitem()
        ring = [start]
        while edge != start:
            ring.append(edge)
            edge = following.pop(edge)
        points = [_crossing(padded, level, each) for each in ring]
        simple = _simplified(points, tolerance)
        if len(simple) > 2:
            found.append([(x - 1, y - 1) for x, y in simple])
    return found


def _segments(padded: Any, level: float) -> dict[_Edge, _Edge]:
    """Where each crossed edge's outline goes next."""
    inside = padded >= level
    codes = inside[:-1, :-1] * 8 + inside[:-1, 1:] * 4 + inside[1:, 1:] * 2 + inside[1:, :-1] * 1
    following: dict[_Edge, _Edge] = {}
    for row, column in np.argwhere((codes > 0) & (codes < 15)).tolist():
        edges: dict[str, _Edge] = {
            "T": ("h", row, column), "B": ("h", row + 1, column),
            "L": ("v", row, column), "R": ("v", row, column + 1),
        }  # fmt: skip
        for begin, end in _SEGMENTS[int(codes[row, column])]:
            following[edges[begin]] = edges[end]
    return following


def _crossing(padded: Any, level: float, edge: _Edge) -> Point:
    kind, row, column = edge
    across = (row, column + 1) if kind == "h" else (row + 1, column)
    here, there = float(padded[row, column]), float(padded[across])
    part = 0.5 if here == there else (level - here) / (there - here)
    return (column + part, float(row)) if kind == "h" else (float(column), row + part)


def _simplified(ring: Sequence[Point], tolerance: float) -> list[Point]:
    """Douglas-Peucker on a closed ring, cut at its two points that are farthest apart from the first."""
    points = np.asarray(ring)
    far = int(np.argmax(((points - points[0]) ** 2).sum(axis=1)))
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, far]] = True
    pending = [(0, far), (far, len(points))]
    while pending:
        begin, end = pending.pop()
        if end - begin < 2:
            continue
        distances = _distances(points[begin + 1 : end], points[begin], points[end % len(points)])
        worst = int(np.argmax(distances))
        if distances[worst] > tolerance:
            middle = begin + 1 + worst
            keep[middle] = True
            pending += [(begin, middle), (middle, end)]
    return [(float(x), float(y)) for x, y in points[keep]]


def _distances(points: Any, begin: Any, end: Any) -> Any:
    """From each point to the line through begin and end, or to begin where they are one."""
    along, away = end - begin, points - begin
    length = float(np.hypot(*along))
    if length == 0:
        return np.hypot(away[:, 0], away[:, 1])
    return np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length
