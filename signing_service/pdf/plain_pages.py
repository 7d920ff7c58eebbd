"""One page of a plain file, found through the page tree without reading the other pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from signing_service.pdf.geometry import PageGeometry, page_geometry
from signing_service.pdf.plain_file import PlainPdf
from signing_service.pdf.plain_tokens import NotPlain, PlainDictionary, numbers, reference, references

_DEEPEST = 32


@dataclass(slots=True)
class PlainPage:
    number: int
    dictionary: PlainDictionary
    geometry: PageGeometry
    page_count: int


def find_page(file: PlainPdf, catalog: PlainDictionary, index: int) -> PlainPage:
    """The page by index from 0, or negative from the end. Raises NotPlain, also when there is no such page."""
    number = reference(catalog.get(b"/Pages"))
    if number is None:
        raise NotPlain("page tree")
    node = file.dictionary(number)
    count = _count(node)
    skip = index if index >= 0 else count + index
    if not 0 <= skip < count:
        raise NotPlain("no such page")
    media, crop, turn = None, None, b"0"
    for _ in range(_DEEPEST):
        media, crop = node.get(b"/MediaBox", media), node.get(b"/CropBox", crop)
        turn = node.get(b"/Rotate", turn)
        if b"/Kids" not in node:
            if node.get(b"/Type") != b"/Page":
                raise NotPlain("page expected")
            return PlainPage(number, node, _geometry(media, crop, turn, node.get(b"/UserUnit", b"1")), count)
        number, node, skip = _child(file, node, skip)
    raise NotPlain("page tree too deep")


def _child(file: PlainPdf, node: PlainDictionary, skip: int) -> tuple[int, PlainDictionary, int]:
    """The kid that holds the page, itself read, and how many pages of it come before."""
    raw = node.get(b"/Kids") or b""
    indirect = reference(raw)
    kids = references(file.source(indirect) if indirect is not None else raw)
    if _count(node) == len(kids):  # every kid is one page
        return kids[skip], file.dictionary(kids[skip]), 0
    for kid in kids:
        child = file.dictionary(kid)
        size = _count(child) if child.get(b"/Kids") is not None else 1
        if skip < size:
            return kid, child, skip
        skip -= size
    raise NotPlain("page count")


def _count(node: PlainDictionary) -> int:
    value = node.get(b"/Count")
    if value is None or not value.strip().isdigit():
        return 1 if node.get(b"/Kids") is None else -1
    return int(value)


@lru_cache(maxsize=256)
def _geometry(media: bytes | None, crop: bytes | None, turn: bytes, unit: bytes) -> PageGeometry:
    """From the entries' sources: most pages have the same."""
    return page_geometry(numbers(media), numbers(crop), float(turn), float(unit))
