"""骑缝章: the strips sum to the seal, and put side by side they show it again."""

import io
import itertools
import math

import pytest
from PIL import Image, ImageChops

from signing_service.seals.picture import SealDesign, draw_seal, render_png
from signing_service.seals.straddle import StraddlePagesNotPossible, cut_all, strips

SEAL = draw_seal(SealDesign("示例市行政审批局"))


@pytest.mark.parametrize("pages", [2, 3, 7, 42, 499, 500])
def test_widths_sum_to_the_seal_and_every_page_has_one_strip(pages):
    cut = strips(42.0, pages)
    assert [strip.page for strip in cut] == list(range(pages))
    assert math.isclose(sum(strip.width_mm for strip in cut), 42.0, abs_tol=1e-9)
    assert all(math.isclose(strip.width_mm, 42.0 / pages) for strip in cut)


@pytest.mark.parametrize(("pages", "per_seal"), [(5, 4), (9, 4), (41, 20), (500, 30), (3, 2), (2, 1)])
def test_runs_of_pages_each_sum_to_the_seal(pages, per_seal):
    cut = strips(42.0, pages, pages_per_seal=per_seal)
    runs = [*(n for n, strip in enumerate(cut) if strip.left_mm == 0), pages]
    assert len(cut) == pages
    for begin, end in itertools.pairwise(runs):
        assert math.isclose(sum(strip.width_mm for strip in cut[begin:end]), 42.0, abs_tol=1e-9)
        assert 2 <= end - begin <= max(per_seal, 2) + 1


@pytest.mark.parametrize("pages", [0, 1, 501])
def test_one_page_or_too_many_are_refused(pages):
    with pytest.raises(StraddlePagesNotPossible):
        strips(42.0, pages)


@pytest.mark.parametrize("pages", [2, 6])
def test_side_by_side_the_strips_show_the_seal(pages):
    dpi = 25.4 * 12  # twelve pixels a millimetre: each strip ends on a pixel
    whole = Image.open(io.BytesIO(render_png(SEAL, dpi=dpi))).getchannel("A")
    joined, step = Image.new("L", (504, 504)), 504 // pages
    for number, strip in enumerate(cut_all(SEAL, pages)):
        part = Image.open(io.BytesIO(render_png(strip, dpi=dpi))).getchannel("A")
        joined.paste(part.crop((0, 0, step, 504)), (number * step, 0))
    whole, joined = (each.crop((0, 0, 504, 504)).resize((42, 42), Image.Resampling.BOX) for each in (whole, joined))
    assert ImageChops.difference(whole, joined).getextrema()[1] < 40
