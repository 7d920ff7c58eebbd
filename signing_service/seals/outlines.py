"""Outlines in millimetres, and their two written forms: PDF operators and SVG path data.

A drawing is a list of figures; each is filled on its own by the non-zero rule, so a hole runs the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fontTools.pens.basePen import BasePen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen

from signing_service.pdf.picture import POINTS_PER_MM

KAPPA = 4 / 3 * (math.sqrt(2) - 1)  # control distance of a quarter circle drawn as one cubic


class Figure(RecordingPen):  # type: ignore[misc]  # fontTools is untyped
    """One closed shape, in millimetres, y upwards; a pen that can be replayed into another."""


class PdfPathPen(BasePen):  # type: ignore[misc]
    """Writes path construction operators (ISO 32000-2, 8.5.2), in points with three decimals."""

    def __init__(self) -> None:
        super().__init__(None)
        self.operators: list[str] = []

    def _moveTo(self, pt: tuple[float, float]) -> None:  # noqa: N802 - fontTools' name
        self._write("m", pt)

    def _lineTo(self, pt: tuple[float, float]) -> None:  # noqa: N802
        self._write("l", pt)

    def _curveToOne(self, *points: tuple[float, float]) -> None:  # noqa: N802
        self._write("c", *points)

    def _closePath(self) -> None:  # noqa: N802
        self.operators.append("h")

    def _write(self, operator: str, *points: tuple[float, float]) -> None:
        numbers = " ".join(number(value * POINTS_PER_MM) for point in points for value in point)
        self.operators.append(f"{numbers} {operator}")


def number(value: float) -> str:
    """Three decimals at most, no exponent, no trailing zeros, no minus zero."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def pdf_path(figure: Figure) -> str:
    """Path operators of one figure, without the painting operator."""
    pen = PdfPathPen()
    figure.replay(pen)
    return "\n".join(pen.operators)


def svg_path(figure: Figure, height_mm: float) -> str:
    """Path data of one figure with SVG's downward y axis; units are millimetres."""
    pen = SVGPathPen(None, ntos=number)
    figure.replay(TransformPen(pen, (1, 0, 0, -1, 0, height_mm)))
    return str(pen.getCommands())


def ellipse(pen: Any, x: float, y: float, rx: float, ry: float, *, clockwise: bool = False) -> None:
    """A closed ellipse about (x, y)."""
    turn = -1 if clockwise else 1
    kx, ky = rx * KAPPA, ry * KAPPA * turn
    ry *= turn
    pen.moveTo((x + rx, y))
    pen.curveTo((x + rx, y + ky), (x + kx, y + ry), (x, y + ry))
    pen.curveTo((x - kx, y + ry), (x - rx, y + ky), (x - rx, y))
    pen.curveTo((x - rx, y - ky), (x - kx, y - ry), (x, y - ry))
    pen.curveTo((x + kx, y - ry), (x + rx, y - ky), (x + rx, y))
    pen.closePath()


def ring(x: float, y: float, rx: float, ry: float, width: float) -> Figure:
    """An elliptical band whose outer edge has the radii rx, ry."""
    figure = Figure()
    ellipse(figure, x, y, rx, ry)
    ellipse(figure, x, y, rx - width, ry - width, clockwise=True)
    return figure


def frame(x: float, y: float, width: float, height: float, line: float) -> Figure:
    """A rectangular band with its lower-left outer corner at (x, y)."""
    figure = Figure()
    _rectangle(figure, x, y, width, height)
    _rectangle(figure, x + line, y + height - line, width - 2 * line, -(height - 2 * line))
    return figure


def star(x: float, y: float, radius: float) -> Figure:
    """The five-pointed star, one point upwards; inner radius as in the regular pentagram."""
    inner = radius * math.cos(math.radians(72)) / math.cos(math.radians(36))
    figure = Figure()
    for step in range(10):
        angle, reach = math.radians(90 + 36 * step), (radius, inner)[step % 2]
        point = (x + reach * math.cos(angle), y + reach * math.sin(angle))
        if step:
            figure.lineTo(point)
        else:
            figure.moveTo(point)
    figure.closePath()
    return figure


def along_ellipse(rx: float, ry: float, steps: int = 2880) -> Iterator[tuple[float, float]]:
    """(arc length, parameter angle) clockwise from the top, once round; for spacing text evenly on an oval."""
    length, previous = 0.0, (0.0, ry)
    for step in range(steps + 1):
        angle = 2 * math.pi * step / steps
        point = (rx * math.sin(angle), ry * math.cos(angle))
        length += math.dist(previous, point)
        previous = point
        yield length, angle


def _rectangle(pen: Any, x: float, y: float, width: float, height: float) -> None:
    pen.moveTo((x, y))
    pen.lineTo((x + width, y))
    pen.lineTo((x + width, y + height))
    pen.lineTo((x, y + height))
    pen.closePath()
