"""Where the marked places of a layout lie: for signatures, for the seal. In mm, from the page's lower-left corner."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import typst

from signing_service.kernel.typesetting import LayoutFailed

A4_HEIGHT_MM = 297.0


@dataclass(frozen=True, slots=True)
class Area:
    """A marked box on a typeset page. `page` counts from 0; x and y are the box's lower-left corner in mm."""

    page: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float

    @property
    def centre_mm(self) -> tuple[float, float]:
        return self.x_mm + self.width_mm / 2, self.y_mm + self.height_mm / 2

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, float]) -> Area:
        return cls(int(entries["page"]), *(float(entries[name]) for name in ("x_mm", "y_mm", "width_mm", "height_mm")))


def find_areas(sources: Mapping[str, bytes], data: Mapping[str, Any]) -> dict[str, Area]:
    """The areas that `marked-area` of frame.typ left in the layout `main`, by name. Raises LayoutFailed."""
    query: Callable[..., str] = typst.query  # its stub leaves out the documented dictionary form
    try:
        found = query(
            dict(sources),
            "<area>",
            field="value",
            font_paths=_fonts(),
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        )
    except typst.TypstError as failure:
        raise LayoutFailed(str(failure)) from failure
    return {entry["name"]: _area(entry) for entry in json.loads(found)}


def _area(entry: Mapping[str, Any]) -> Area:
    x, top, width, height = (float(entry[name]) for name in ("x", "y", "w", "h"))
    return Area(int(entry["page"]) - 1, x, A4_HEIGHT_MM - top - height, width, height)


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=True)
