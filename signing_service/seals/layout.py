"""Where everything on a seal goes, by shape: pure geometry in millimetres, origin in the lower-left corner.

Proportions follow 国发〔1999〕25号 and the customary sheets: name along the upper arc from left to right, star in the
centre, a purpose in a straight line below it, the registration code along the lower arc.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.seals.outlines import Figure, along_ellipse, frame, ring, star
from signing_service.seals.song_font import SongFont

RING = 0.028  # everything below is relative to the diameter
GAP = 0.024
NAME_HEIGHT = 0.16
NAME_HEIGHT_OVAL = 0.12
CODE_HEIGHT = 0.036
STAR_RADIUS = 0.165
LINE_HEIGHT = 0.088
NAME_ARC = 250  # degrees between the middle of the first and of the last character, at most
NAME_ARC_ABOVE_LINE = 215  # the same, where a line of text stands below the star
NAME_PITCH = 31  # degrees from character to character, at most
NARROWEST = 0.5  # width over height of a character


@dataclass(frozen=True, slots=True)
class Oval:
    """The frame of a round or oval seal."""

    rx: float
    ry: float
    ring: float

    @property
    def size(self) -> float:
        return 2 * self.rx

    def inner(self, inset: float) -> tuple[float, float]:
        return self.rx - inset, self.ry - inset


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one character: its middle, the direction of its top (unit vector), width and height of the em."""

    x: float
    y: float
    up: tuple[float, float]
    width: float
    height: float


def draw_text(font: SongFont, text: str, slots: Sequence[Slot]) -> list[Figure]:
    """One figure for each character that is not a space."""
    figures = []
    for character, slot in zip(text, slots, strict=True):
        if character.isspace():
            continue
        figure, (ux, uy) = Figure(), slot.up
        a, b, c, d = slot.width * uy, -slot.width * ux, slot.height * ux, slot.height * uy
        half = font.advance(character) / 2
        font.draw(character, figure, (a, b, c, d, slot.x - half * a - c / 2, slot.y - half * b - d / 2))
        figures.append(figure)
    return figures


def oval_frame(oval: Oval) -> Figure:
    return ring(oval.rx, oval.ry, oval.rx, oval.ry, oval.ring)


def name_slots(oval: Oval, count: int, *, above_line: bool = False) -> list[Slot]:
    """Characters along the upper arc, tops outward. Long names get narrower, then smaller, characters."""
    widest = NAME_ARC_ABOVE_LINE if above_line else NAME_ARC
    height = oval.size * (NAME_HEIGHT if oval.rx == oval.ry else NAME_HEIGHT_OVAL)
    while True:
        rx, ry = oval.inner(oval.ring + oval.size * GAP + height / 2)
        lengths = list(along_ellipse(rx, ry))
        around = lengths[-1][0]
        pitch = min(NAME_PITCH / 360, widest / 360 / max(count - 1, 1)) * around
        at_feet = pitch * (1 - height / (rx + ry))  # characters stand closer together at their feet
        width = min(height * 0.86, at_feet * 0.96)
        if width >= height * NARROWEST or height < oval.size * 0.05:
            break
        height *= 0.96
    first = -pitch * (count - 1) / 2
    return [_arc_slot(oval, (rx, ry), _angle_at(lengths, first + pitch * n), width, height, 1) for n in range(count)]


def code_slots(oval: Oval, advances: Sequence[float]) -> list[Slot]:
    """The code along the lower arc, tops inward, read from left to right."""
    height = max(oval.size * CODE_HEIGHT, 1.1)
    rx, ry = oval.inner(oval.ring + oval.size * GAP * 0.8 + height / 2)
    lengths = list(along_ellipse(rx, ry))
    pitch = [advance * height * 1.35 for advance in advances]
    place, slots = sum(pitch) / 2 + lengths[-1][0] / 2, []
    for step in pitch:
        slots.append(_arc_slot(oval, (rx, ry), _angle_at(lengths, place - step / 2), height, height, -1))
        place -= step
    return slots


def line_slots(oval: Oval, advances: Sequence[float], *, middle: float, room: float, height: float) -> list[Slot]:
    """A straight line of text centred at the height `middle`, at most `room` wide."""
    width = min(height * 0.86, room / max(sum(advances), 1))
    place, slots = oval.rx - sum(advances) * width / 2, []
    for advance in advances:
        slots.append(Slot(place + advance * width / 2, middle, (0.0, 1.0), width * 0.96, height))
        place += advance * width
    return slots


def bottom_line_place(oval: Oval, *, has_centre: bool) -> tuple[float, float, float]:
    """(middle, room, height) of the line below the star, or in the centre of a seal that has none."""
    inside_x, inside_y = oval.inner(oval.ring + oval.size * GAP)
    below = inside_y * (0.58 if has_centre else 0.1)
    height = oval.size * LINE_HEIGHT
    half = inside_x * math.sqrt(max(0.0, 1 - ((below + height / 2) / inside_y) ** 2))
    name = 0.0 if has_centre else oval.size * NAME_HEIGHT_OVAL
    return oval.ry - below, 2 * (half - name) * 0.94, height


def centre_star(oval: Oval) -> Figure:
    radius = STAR_RADIUS * min(oval.size, 2 * oval.ry)
    return star(oval.rx, oval.ry + radius * 0.05, radius)


def square_slots(side: float, count: int, line: float) -> list[Slot]:
    """Columns from right to left, each read downwards, as on personal-name seals."""
    columns = max(1, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    inside = side - 2 * line * 1.8
    slots = []
    for n in range(count):
        column, row = divmod(n, rows)
        in_column = min(rows, count - column * rows)
        width, height = inside / columns, inside / in_column
        x = side - line * 1.8 - width * (column + 0.5)
        y = side - line * 1.8 - height * (row + 0.5)
        slots.append(Slot(x, y, (0.0, 1.0), width * 0.96, height * 0.96))
    return slots


def square_frame(side: float, line: float) -> Figure:
    return frame(0, 0, side, side, line)


def _arc_slot(oval: Oval, radii: tuple[float, float], angle: float, width: float, height: float, outward: int) -> Slot:
    rx, ry = radii
    x, y = rx * math.sin(angle), ry * math.cos(angle)
    normal = (x / rx**2, y / ry**2)
    length = math.hypot(*normal)
    up = (outward * normal[0] / length, outward * normal[1] / length)
    return Slot(oval.rx + x, oval.ry + y, up, width, height)


def _angle_at(lengths: Sequence[tuple[float, float]], place: float) -> float:
    """Parameter angle at an arc length clockwise from the top (negative: the other way)."""
    around = lengths[-1][0]
    wanted = place % around
    index = min(int(wanted / around * (len(lengths) - 1)), len(lengths) - 2)
    while index and lengths[index][0] > wanted:
        index -= 1
    while index < len(lengths) - 2 and lengths[index + 1][0] < wanted:
        index += 1
    (low, low_angle), (high, high_angle) = lengths[index], lengths[index + 1]
    return low_angle + (high_angle - low_angle) * ((wanted - low) / (high - low) if high > low else 0)
