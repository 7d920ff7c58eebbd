"""One page of a plain file, found through the page tree without reading the other pages."""

from __future__ import annotations

from dataclasses import dataclass

from signing_service.pdf.geometry import PageGeometry, page_geometry
from signing_service.pdf.plain_file import PlainPdf
from signing_service.pdf.plain_tokens import NotPlain, PlainDictionary, numbers, reference, references

_INHERITED = (b"/MediaBox", b"/CropBox", b"/Rotate")
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
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
    inherited: dict[bytes, bytes] = {}
    for _ in range(_DEEPEST):
        inherited |= {key: value for key in _INHERITED if (value := node.get(key)) is not None}
        if node.get(b"/Kids") is None:
            if node.get(b"/Type") != b"/Page":
                raise NotPlain("page expected")
            return PlainPage(number, node, _geometry(node, inherited), count)
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


def _geometry(page: PlainDictionary, inherited: dict[bytes, bytes]) -> PageGeometry:
    turn, unit = inherited.get(b"/Rotate", b"0"), page.get(b"/UserUnit") or b"1"
    return page_geometry(
        numbers(inherited.get(b"/MediaBox")), numbers(inherited.get(b"/CropBox")), float(turn), float(unit)
    )
