"""Annotations (ISO 32000-2, 12.5): which of them leave the page as readable as it was."""

from __future__ import annotations

from signing_service.verification.document import Document
from signing_service.verification.syntax import Dictionary

_NOTES = {"Text", "Highlight", "Underline", "Squiggly", "StrikeOut", "Caret", "Popup", "Link"}


def harmless_annotation(document: Document, annotation: Dictionary) -> bool:
    """A note or a marking that leaves the text beneath it readable; anything with a large drawing of its own is not."""
    if annotation.get("Subtype") not in _NOTES:
        return False
    if document.dictionary(annotation.get("AP")):
        return _area(document, annotation) <= 50 * 50
    return ("A" not in annotation and "AA" not in annotation) or annotation.get("Subtype") == "Link"


def _area(document: Document, annotation: Dictionary) -> float:
    corners = [document.resolve(item) for item in document.array(annotation.get("Rect"))]
    if len(corners) != 4 or not all(isinstance(number, int | float) for number in corners):
        return float("inf")
    return float(abs(corners[2] - corners[0]) * abs(corners[3] - corners[1]))


def is_visible(document: Document, widget: Dictionary) -> bool:
    """Would a viewer draw it? (A size, an appearance, not hidden.)"""
    flags = document.resolve(widget.get("F"))
    hidden = type(flags) is int and bool(flags & 0b10)
    return "AP" in widget and _area(document, widget) > 0 and not hidden
