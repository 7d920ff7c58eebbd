"""How often a printed code is read back from a damaged page, by two decoders: `python -m bench.paper_code [PAGES]`.

Each page is a whole print copy of a sealed document with a code of its own, rasterised and damaged as paper is. Prints
for each damage and decoder the share of pages whose code came back to the letter; fails below target.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image, ImageFilter

from bench.rows import Row, at_least, print_rows, shown
from signing_service.kernel.typesetting import typeset
from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.decode import decode_page
from signing_service.printing.page_image import grey_pages
from signing_service.printing.paper_code import CodeKey, PaperCode, make_code
from signing_service.printing.print_copy import CopyLabel, make_print_copy

Damage = Callable[[Image.Image, random.Random], Image.Image]
DPIS = (150, 200, 300)
PREFIX = "https://zhengyin.example/c/"
IDENTIFIER = "1.2.156.3005.2.11990100MB000006XP001.11990000MB9900013U.000000001.001.X"
LAYOUT = """#set page(paper: "a4", margin: 28mm)
#set text(font: "Noto Serif CJK SC", size: 16pt)
#for n in range(14) [审批事项说明文字,内容若干。#n #linebreak()]"""


def at_90_percent(page: Image.Image, _chance: random.Random) -> Image.Image:
    """The printer dialogue's "fit to page"."""
    return page.resize((round(page.width * 0.9), round(page.height * 0.9)), Image.Resampling.BICUBIC)


def faint(page: Image.Image, _chance: random.Random) -> Image.Image:
    """Little toner on grey recycled paper: black is 110, white is 200."""
    return page.point(lambda value: 110 + value * 90 // 255)


def skewed(page: Image.Image, chance: random.Random) -> Image.Image:
    """Up to 5 degrees either way."""
    angle = chance.uniform(-5, 5)
    return page.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def blurred(page: Image.Image, _chance: random.Random) -> Image.Image:
    """A scanner out of focus: a radius of 0.1 mm."""
    return page.filter(ImageFilter.GaussianBlur(0.1 / 25.4 * _dpi(page)))


def noised(page: Image.Image, chance: random.Random) -> Image.Image:
    """Gaussian noise of 30 grey levels, and one pixel in five hundred turned over."""
    source = np.random.default_rng(chance.randrange(2**32))
    grey = np.asarray(page, dtype=np.float32) + source.normal(0, 30, (page.height, page.width))
    flipped = source.random((page.height, page.width)) < 0.002
    return Image.fromarray(np.clip(np.where(flipped, 255 - grey, grey), 0, 255).astype(np.uint8))


def jpeg_40(page: Image.Image, _chance: random.Random) -> Image.Image:
    """What a messenger makes of a photo."""
    packed = io.BytesIO()
    page.save(packed, "JPEG", quality=40)
    return Image.open(io.BytesIO(packed.getvalue())).convert("L")


def all_at_once(page: Image.Image, chance: random.Random) -> Image.Image:
    """Skewed, faint, a little out of focus, noised and packed."""
    softened = faint(skewed(page, chance), chance).filter(ImageFilter.GaussianBlur(0.05 / 25.4 * _dpi(page)))
    source = np.random.default_rng(chance.randrange(2**32))
    grey = np.asarray(softened, dtype=np.float32) + source.normal(0, 12, (softened.height, softened.width))
    return jpeg_40(Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)), chance)


DAMAGES: Mapping[str, Damage] = {
    "clean": lambda page, _: page,
    "at 90 %": at_90_percent,
    "faint": faint,
    "skewed": skewed,
    "blurred": blurred,
    "noised": noised,
    "jpeg 40": jpeg_40,
    "all at once": all_at_once,
}


def stained(page: Image.Image, box: tuple[int, int, int, int], chance: random.Random) -> Image.Image:
    """A dark stain over the corner of the code that has no finder pattern: a disc of a quarter of the code's side."""
    left, _, right, bottom = box
    side = right - left
    radius, x, y = side / 8, right - side * chance.uniform(0.1, 0.25), bottom - side * chance.uniform(0.1, 0.25)
    rows, columns = np.ogrid[: page.height, : page.width]
    inside = (columns - x) ** 2 + (rows - y) ** 2 < radius**2
    return Image.fromarray(np.where(inside, np.uint8(90), np.asarray(page)))


def code_box(page: Image.Image) -> tuple[int, int, int, int]:
    """Where the code stands on a clean page, in pixels: left, top, right, bottom."""
    import zxingcpp

    found = zxingcpp.read_barcodes(page)[0].position
    corners = (found.top_left, found.top_right, found.bottom_left, found.bottom_right)
    xs, ys = [corner.x for corner in corners], [corner.y for corner in corners]
    return min(xs), min(ys), max(xs), max(ys)


def zbar(page: Image.Image) -> list[str]:
    """The second decoder, which shares nothing with the first."""
    from pyzbar import pyzbar

    return [code.data.decode() for code in pyzbar.decode(page, symbols=[pyzbar.ZBarSymbol.QRCODE])]


DECODERS: Mapping[str, Callable[[Image.Image], list[str]]] = {"zxing": decode_page, "zbar": zbar}


def printed_page(number: int) -> tuple[PaperCode, bytes]:
    """A print copy with a code of its own."""
    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime(2026, 11, 24, 7, tzinfo=UTC)
    serial = f"{number:012d}"
    claims = Claims(CodeKind.LICENCE, IDENTIFIER, "approval-reply", date(2026, 11, 24), now, bytes(32), serial)
    key = CodeKey(private.public_key(), now - timedelta(days=1))
    code = make_code(claims, key, lambda content: private.sign(content, ec.ECDSA(hashes.SHA256())), PREFIX)
    label = CopyLabel(serial, 1, 5, "2026年11月24日", "zhengyin.example")
    return code, make_print_copy(typeset(LAYOUT, {}), label=label, code=code)


def rates(pages: int) -> dict[str, dict[str, float]]:
    """Share read back, by "DPI damage" and decoder."""
    read: dict[str, dict[str, int]] = {}
    for number in range(pages):
        code, copy = printed_page(number)
        for dpi in DPIS:
            page = Image.fromarray(grey_pages(copy, dpi)[0])
            chance = random.Random(f"{number} {dpi}")  # noqa: S311 - the same damage in every run
            damaged = {name: damage(page, chance) for name, damage in DAMAGES.items()}
            damaged["stained corner"] = stained(page, code_box(page), chance)
            for name, picture in damaged.items():
                counts = read.setdefault(f"{dpi} dpi {name}", dict.fromkeys(DECODERS, 0))
                for decoder, decode in DECODERS.items():
                    counts[decoder] += code.text in decode(picture)
    return {name: {which: count / pages for which, count in counts.items()} for name, counts in read.items()}


def _dpi(page: Image.Image) -> float:
    """Of an A4 page that was rasterised whole."""
    return page.height / (297 / 25.4)


def rows(found: dict[str, dict[str, float]]) -> Iterator[Row]:
    """What is asked of the product's own decoder, and what the second one reads of the same pictures as they are."""
    for name, shares in found.items():
        clean = name == "200 dpi clean"
        yield at_least(1.0 if clean else 0.99, f"{name}, zxing-cpp", shares["zxing"])
        yield at_least(1.0, f"{name}, ZBar", shares["zbar"]) if clean else shown(f"{name}, ZBar", shares["zbar"])


if __name__ == "__main__":
    sys.exit(0 if print_rows(rows(rates(int(sys.argv[1]) if len(sys.argv) > 1 else 20))) else 1)
