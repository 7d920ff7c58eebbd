"""骑缝章: one seal cut into upright strips, one a page; fanned out, the pages show the whole seal again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.pdf.picture import POINTS_PER_MM, VectorPicture
from signing_service.seals.errors import SealError, Text
from signing_service.seals.outlines import number

FEWEST_PAGES, MOST_PAGES = 2, 500


class StraddlePagesNotPossible(SealError):
    code = "straddle_pages_not_possible"

    def __init__(self, pages: int) -> None:
        super().__init__(
            Text(f"{pages} 页的文件不能加盖骑缝章。", f"A straddle seal cannot be put on {pages} pages."),
            why=Text(
                f"须为 {FEWEST_PAGES} 至 {MOST_PAGES} 页。", f"There must be {FEWEST_PAGES} to {MOST_PAGES} pages."
            ),
            advice=Text("请拆分文件,或改用普通印章。", "Split the document, or use a seal on one page."),
        )


@dataclass(frozen=True, slots=True)
class Strip:
    """One page's part: from `left_mm` of the seal, `width_mm` wide. `page` counts from 0."""

    page: int
    left_mm: float
    width_mm: float


def strips(width_mm: float, pages: int, *, pages_per_seal: int | None = None) -> list[Strip]:
    """Strips for every page in order; the widths of each run of pages sum to the seal's.

    One seal over all pages, unless `pages_per_seal` starts a new one after so many (the runs are made even, so a last
    page alone never bears a whole seal). Raises StraddlePagesNotPossible.
    """
    if not FEWEST_PAGES <= pages <= MOST_PAGES:
        raise StraddlePagesNotPossible(pages)
    longest = max(FEWEST_PAGES, pages_per_seal or pages)
    runs = min(-(-pages // longest), pages // FEWEST_PAGES)
    cut: list[Strip] = []
    for run in range(runs):
        first, last = pages * run // runs, pages * (run + 1) // runs
        count = last - first
        edges = [width_mm * n / count for n in range(count + 1)]
        cut += [Strip(first + n, edges[n], edges[n + 1] - edges[n]) for n in range(count)]
    return cut


def cut_out(picture: VectorPicture, strip: Strip) -> VectorPicture:
    """The strip as a picture of its own: the whole seal moved and clipped."""
    left, width = strip.left_mm * POINTS_PER_MM, strip.width_mm * POINTS_PER_MM
    clip = f"q\n0 0 {_fine(width)} {number(picture.height_pt)} re W n\n1 0 0 1 {_fine(-left)} 0 cm\n"
    return VectorPicture(clip.encode("ascii") + picture.content + b"\nQ", strip.width_mm, picture.height_mm)


def cut_all(picture: VectorPicture, pages: int, *, pages_per_seal: int | None = None) -> Sequence[VectorPicture]:
    """The strips of a seal for every page in order."""
    return [cut_out(picture, strip) for strip in strips(picture.width_mm, pages, pages_per_seal=pages_per_seal)]


def _fine(value: float) -> str:
    """Six decimals: five hundred strips of one seal must still meet."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
