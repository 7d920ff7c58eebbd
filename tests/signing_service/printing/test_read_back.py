"""Printed pages read back after what happens to paper; the rates of many pages are measured by bench/paper_code.py."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from signing_service.printing.page_image import grey_pages

from .conftest import second_reading

BENCH = Path(__file__).parents[3] / "bench" / "paper_code.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The measurement itself: its pages and damages are these tests' too."""
    spec = importlib.util.spec_from_file_location("paper_code_bench", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def printed(bench: ModuleType):
    return bench.printed_page(7)


@pytest.mark.parametrize("dpi", [150, 200, 300])
def test_clean_pages_by_two_decoders(printed, dpi: int):
    code, copy = printed
    page = Image.fromarray(grey_pages(copy, dpi)[0])
    assert second_reading(page) == [code.text]


@pytest.mark.parametrize("name", ["clean", "at 90 %", "faint", "skewed", "blurred", "noised", "jpeg 40", "all at once"])
def test_damaged_pages(bench: ModuleType, printed, name: str):
    code, copy = printed
    damage = bench.DAMAGES[name]
    for dpi in (150, 200):
        page = Image.fromarray(grey_pages(copy, dpi)[0])
        assert code.text in bench.decode_page(damage(page, random.Random(1))), dpi


def test_stained_corner(bench: ModuleType, printed):
    code, copy = printed
    page = Image.fromarray(grey_pages(copy, 200)[0])
    assert code.text in bench.decode_page(bench.stained(page, bench.code_box(page), random.Random(1)))
