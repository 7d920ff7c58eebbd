"""A scan of a printed copy against what was handed out, through the page; the rates are in bench/scan_compare.py."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pypdfium2
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page

from .browsing import assert_good_page, phone
from .conftest import Demo


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with phone(browser) as context:
        yield context.new_page()


def scan_of(demo: Demo) -> Image.Image:
    """The print copy's page at 200 dpi, as a scanner sees it: a little turned, on a light ground."""
    picture = pypdfium2.PdfDocument(demo.file("print_copy"))[0].render(scale=200 / 72).to_pil().convert("L")
    return picture.rotate(1.2, Image.Resampling.BICUBIC, expand=True, fillcolor=235)


def sent(page: Page, served: str, scan: Image.Image, folder: Path) -> None:
    path = folder / "scan.jpg"
    scan.save(path, "JPEG", quality=80, dpi=(200, 200))
    page.goto(f"{served}/v/compare")
    page.set_input_files("#scan", path)
    page.click("form[action='/v/compare'] button")
    page.wait_for_selector("img.compared")


def test_an_honest_scan_and_an_altered_one(page: Page, served: str, demo: Demo, tmp_path: Path) -> None:
    page.goto(f"{served}/v/compare")
    assert_good_page(page, "compare")
    scan = scan_of(demo)
    sent(page, served, scan, tmp_path)
    assert page.inner_text("h1") == "✔ 没有发现不同"
    assert_good_page(page, "compared-clean")
    left, top = scan.width * 3 // 5, scan.height // 4
    ImageDraw.Draw(scan).rectangle((left, top, left + 24, top + 5), fill=30)  # a stroke of 3 mm
    sent(page, served, scan, tmp_path)
    assert page.inner_text("h1") == "✖ 有 1 处与存档不同"
    assert_good_page(page, "compared-altered")


def test_without_our_code_there_is_nothing_to_compare_with(served: str) -> None:
    client = httpx.Client(base_url=served, headers={"accept": "text/html", "accept-language": "zh"}, timeout=90)
    blank = io.BytesIO()
    Image.new("L", (800, 1100), 255).save(blank, "PNG")
    reply = client.post("/v/compare", files={"scan": ("s.png", blank.getvalue())})
    assert (reply.status_code, "这不是核验二维码" in reply.text) == (400, True)
    client.close()
