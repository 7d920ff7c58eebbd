"""Annotations (ISO 32000-2, 12.5): which of them leave the page as readable as it was."""

from __future__ import annotations

from collections.abc import Sequence

from signing_service.verification.document import Document
from signing_service.verification.syntax import Dictionary

_NOTES = {"Text", "Highlight", "Underline", "Squiggly", "StrikeOut", "Caret", "Popup", "Link"}
_OUTLINES = {"Circle", "Square"}
_MOVES = {"URI", "GoTo"}
_LARGEST, _NEAR, _THICKEST, _DARKEST = 50 * 50, 12.0, 5.0, 0.5
_LEAST_OUTLINE = 30.0  # points; a smaller one could stand among the text as a letter or a nought
Box = tuple[float, float, float, float]


def harmless_annotation(document: Document, annotation: Dictionary) -> bool:
    """A note or a marking that leaves the text beneath it readable and does nothing by itself."""
    kind = annotation.get("Subtype")
    if kind not in _NOTES and not (kind in _OUTLINES and _only_outline(document, annotation)):
        return False
    if not _acts_harmlessly(document, annotation) or _border(document, annotation) > _THICKEST:
        return False
    if kind == "Highlight" and _lightness(document, annotation) < _DARKEST:
        return False
    return not document.dictionary(annotation.get("AP")) or _area(_box(document, annotation)) <= _LARGEST


def _only_outline(document: Document, annotation: Dictionary) -> bool:
    """A ring or a frame around something: not filled, and too large to be read as a character."""
    left, bottom, right, top = _box(document, annotation)
    return not document.array(annotation.get("IC")) and min(right - left, top - bottom) >= _LEAST_OUTLINE


def harmless_together(document: Document, annotations: Sequence[Dictionary]) -> bool:
    """Do their drawings stay small where they lie side by side? (Many small ones cover as much as a large one.)"""
    boxes = [_box(document, one) for one in annotations if document.dictionary(one.get("AP"))]
    merged = True
    while merged:
        merged = False
        for index, first in enumerate(boxes):
            close = next((other for other in boxes[index + 1 :] if _touches(first, other)), None)
            if close is not None:
                boxes.remove(close)
                boxes[index] = _around(first, close)
                merged = True
                break
    return all(_area(box) <= _LARGEST for box in boxes)


def is_visible(document: Document, widget: Dictionary) -> bool:
    """Would a viewer draw it? (A size, something to draw, not hidden.)"""
    flags = document.resolve(widget.get("F"))
    hidden = type(flags) is int and bool(flags & 0b10)
    looks = document.dictionary(widget.get("MK"))
    drawn = "AP" in widget or any(document.array(looks.get(key)) for key in ("BG", "BC"))
    return drawn and _area(_box(document, widget)) > 0 and not hidden


def _acts_harmlessly(document: Document, annotation: Dictionary) -> bool:
    action = document.dictionary(annotation.get("A"))
    if "AA" in annotation or (annotation.get("Subtype") != "Link" and "A" in annotation):
        return False
    return not action or (document.resolve(action.get("S")) in _MOVES and "Next" not in action)


def _border(document: Document, annotation: Dictionary) -> float:
    """Its width in points; 1 where nothing is said."""
    style = document.resolve(document.dictionary(annotation.get("BS")).get("W"))
    old = [document.resolve(item) for item in document.array(annotation.get("Border"))]
    widths = [value for value in (style, *old[2:3]) if isinstance(value, int | float)]
    return max(map(abs, widths), default=1.0)


def _lightness(document: Document, annotation: Dictionary) -> float:
    """0 black to 1 white, of /C in grey, RGB or CMYK; a marking without a colour is drawn in the viewer's own."""
    colour = [document.resolve(item) for item in document.array(annotation.get("C"))]
    if not all(isinstance(part, int | float) for part in colour):
        return 0.0
    if len(colour) == 4:
        colour = [(1 - part) * (1 - colour[3]) for part in colour[:3]]
    if len(colour) == 3:
        return float(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])
    return float(colour[0]) if len(colour) == 1 else 1.0


def _box(document: Document, annotation: Dictionary) -> Box:
    """Left, bottom, right, top; the whole plane when the rectangle is none."""
    corners = [document.resolve(item) for item in document.array(annotation.get("Rect"))]
    if len(corners) != 4 or not all(isinstance(number, int | float) for number in corners):
        return (float("-inf"), float("-inf"), float("inf"), float("inf"))
    x, y, other_x, other_y = map(float, corners)
    return min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _touches(one: Box, other: Box) -> bool:
    return all(one[axis] - _NEAR <= other[axis + 2] and other[axis] - _NEAR <= one[axis + 2] for axis in (0, 1))


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
