"""Bars as SVG values, where people would rather look than read; the numbers stand in a table too. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, FOOT, GAP = 720, 160, 22, 0.2


@dataclass(frozen=True, slots=True)
class Bar:
    """In the picture's own units. `label` is drawn below where it is not empty."""

    x: float
    y: float
    width: float
    height: float
    label: str
    name: str
    value: int


def bars(values: Sequence[tuple[str, int]], *, every: int = 1) -> list[Bar]:
    """One bar for each (name, value), the highest as high as the picture; every so many is labelled."""
    if not values:
        return []
    most, step = max((value for _, value in values), default=0) or 1, WIDTH / len(values)
    made = []
    for place, (name, value) in enumerate(values):
        height = (HEIGHT - FOOT - 4) * value / most
        label = name if place % every == 0 else ""
        made.append(
            Bar(
                round(place * step + step * GAP / 2, 2),
                round(HEIGHT - FOOT - height, 2),
                round(step * (1 - GAP), 2),
                round(height, 2),
                label,
                name,
                value,
            )
        )
    return made
