"""The pages of a document in order, with what they inherit; loops in the page tree are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from signing_service.pdf.errors import PageMissing, PdfUnreadable
from signing_service.pdf.geometry import PageGeometry, page_geometry
from signing_service.pdf.objects import entry, number, numbers, reference_items

_INHERITED = ("/MediaBox", "/CropBox", "/Rotate")
_MOST_NODES = 500_000


@dataclass(frozen=True, slots=True)
class Page:
    """A page's reference and the entries that its ancestors hand down."""

    reference: generic.Reference
    inherited: Mapping[str, Any]

    @property
    def dictionary(self) -> Any:
        return self.reference.get_object()

    @property
    def geometry(self) -> PageGeometry:
        page = self.dictionary
        own = {key: entry(page, key) for key in _INHERITED}
        found = {key: self.inherited.get(key) if value is None else value for key, value in own.items()}
        return page_geometry(
            numbers(found["/MediaBox"]),
            numbers(found["/CropBox"]),
            number(found["/Rotate"], 0.0),
            number(entry(page, "/UserUnit"), 1.0),
        )


def read_pages(reader: PdfFileReader) -> list[Page]:
    """All pages. Raises PdfUnreadable for a looping or empty page tree."""
    pages: list[Page] = []
    above: set[int] = set()  # the nodes on the way from the root
    stack: list[tuple[generic.Reference, Mapping[str, Any], bool]] = []
    stack.append((reader.root.raw_get("/Pages").reference, {}, False))
    for _ in range(_MOST_NODES):
        if not stack:
            break
        reference, inherited, is_leaving = stack.pop()
        if is_leaving:
            above.discard(reference.idnum)
            continue
        if reference.idnum in above:
            raise PdfUnreadable("页面树有循环。", "Its page tree loops.")
        node = reference.get_object()
        if not isinstance(node, generic.DictionaryObject):
            continue
        if "/Kids" not in node:
            pages.append(Page(reference, inherited))
            continue
        above.add(reference.idnum)
        stack.append((reference, inherited, True))
        handed_down = {**inherited, **{key: entry(node, key) for key in _INHERITED if entry(node, key) is not None}}
        stack.extend((kid, handed_down, False) for kid in reversed(reference_items(entry(node, "/Kids"))))
    if not pages or stack:
        raise PdfUnreadable("文件没有页面,或页面过多。", "It has no pages, or too many.")
    return pages


def page_at(pages: list[Page], index: int) -> Page:
    """By number from 0, or negative from the end. Raises PageMissing."""
    try:
        return pages[index]
    except IndexError:
        raise PageMissing(index, len(pages)) from None
