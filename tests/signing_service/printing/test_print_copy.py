"""Print copies: what is kept, what is gone, where the marks go, and that the code comes back from the picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from signing_service.kernel.typesetting import typeset
from signing_service.pdf.picture import POINTS_PER_MM
from signing_service.printing.decode import decode_page
from signing_service.printing.errors import CopyRefused
from signing_service.printing.free_space import PageSpace
from signing_service.printing.page_image import grey_pages
from signing_service.printing.print_copy import make_print_copy

from .conftest import LABEL, CodeMaker, sheet


def colour(pdf: bytes, page: int = 0, dpi: float = 100) -> np.ndarray:
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()
    return np.asarray(document[page].render(scale=dpi / 72, may_draw_forms=True).to_pil().convert("RGB")).astype(int)


def red_box_mm(picture: np.ndarray, dpi: float = 100) -> tuple[float, ...]:
    """Left, top, right, bottom in mm of what is red."""
    red = (picture[..., 0] > 150) & (picture[..., 1] < 100) & (picture[..., 2] < 100)
    rows, columns = np.nonzero(red)
    return tuple(value / dpi * 25.4 for value in (columns.min(), rows.min(), columns.max(), rows.max()))


def codes_on(pdf: bytes, dpi: float = 200) -> list[list[str]]:
    return [decode_page(Image.fromarray(grey)) for grey in grey_pages(pdf, dpi)]


def text_of(pdf: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


@pytest.fixture
def sealed(seal: Callable[..., bytes]) -> bytes:
    return seal(sheet(210, 297, lines=20))


def test_unsigned_and_seal_painted_in(sealed: bytes, maker: CodeMaker):
    copy = make_print_copy(sealed, label=LABEL, code=maker.code())
    with pikepdf.open(io.BytesIO(copy)) as document:
        assert "/AcroForm" not in document.Root
        assert "/Annots" not in document.pages[0].obj
        assert b"/Sig" not in copy
    before, after = red_box_mm(colour(sealed)), red_box_mm(colour(copy))
    assert after == pytest.approx(before, abs=0.3)
    assert after[2] - after[0] == pytest.approx(42, abs=0.6)


def test_content_stays_as_it_was(sealed: bytes, maker: CodeMaker):
    """Where the original has ink, the copy has the same; the marks stand on blank paper."""
    copy = make_print_copy(sealed, label=LABEL, code=maker.code())
    before, after = grey_pages(sealed, 100)[0].astype(int), grey_pages(copy, 100)[0].astype(int)
    inked = before < 120
    assert np.abs(before - after)[inked].max() <= 30


def test_it_says_that_it_is_a_copy(sealed: bytes, maker: CodeMaker):
    code = maker.code()
    text = text_of(make_print_copy(sealed, label=LABEL, code=code))
    for words in (
        "打印件（副本）",
        "编号 0123456789AB",
        "第 2 份，共 5 份",
        "办理施工手续",
        "zhengyin.example",
        "100 mm",
    ):
        assert words in text
    assert code.short_code in text


def test_code_comes_back(sealed: bytes, maker: CodeMaker):
    code = maker.code()
    copy = make_print_copy(sealed, label=LABEL, code=code)
    assert codes_on(copy) == [[code.text]]
    left_third = grey_pages(copy, 200)[0][:, :500]
    assert left_third.min() == 0, "the code is full black"


def test_rule_is_100_mm(sealed: bytes, maker: CodeMaker):
    """The longest straight dark run in the lower margin."""
    grey = grey_pages(make_print_copy(sealed, label=LABEL, code=maker.code()), 300)[0]
    low = grey[-round(20 / 25.4 * 300) :] < 160
    longest = max(_longest_run(row) for row in low)
    assert longest / 300 * 25.4 == pytest.approx(100, abs=0.5)


def _longest_run(row: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
    return int(max(edges[1::2] - edges[::2], default=0))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotated_pages(seal: Callable[..., bytes], maker: CodeMaker, turn: int):
    with pikepdf.open(io.BytesIO(sheet(210, 297, lines=20))) as document:
        document.pages[0].obj["/Rotate"] = turn
        turned = io.BytesIO()
        document.save(turned)
    sealed, code = seal(turned.getvalue(), 30, 30), maker.code()
    copy = make_print_copy(sealed, label=LABEL, code=code)
    shown, made = pypdfium2.PdfDocument(sealed)[0].get_size(), pypdfium2.PdfDocument(copy)[0].get_size()
    assert made == pytest.approx(shown, abs=0.1)
    assert red_box_mm(colour(copy)) == pytest.approx(red_box_mm(colour(sealed)), abs=0.3)
    assert codes_on(copy) == [[code.text]]


def test_cropped_page_in_other_units(seal: Callable[..., bytes], maker: CodeMaker):
    with pikepdf.open(io.BytesIO(sheet(210, 297, lines=20))) as document:
        page = document.pages[0].obj
        page["/MediaBox"] = pikepdf.Array([-50, -60, 700, 900])
        page["/CropBox"] = pikepdf.Array([-20, -30, 600, 850])
        page["/TrimBox"] = pikepdf.Array([100, 100, 300, 300])
        page["/UserUnit"] = 1.25
        cropped = io.BytesIO()
        document.save(cropped)
    sealed, code = seal(cropped.getvalue(), 30, 30), maker.code()
    copy = make_print_copy(sealed, label=LABEL, code=code)
    width, height = pypdfium2.PdfDocument(copy)[0].get_size()
    assert (width, height) == pytest.approx((620 * 1.25, 880 * 1.25), abs=0.1)
    left, _, right, bottom = red_box_mm(colour(copy))
    assert right - left == pytest.approx(42, abs=0.6)
    assert left == pytest.approx(30, abs=1)
    assert height / POINTS_PER_MM - bottom == pytest.approx(30, abs=1)
    assert codes_on(copy) == [[code.text]]


@pytest.mark.parametrize("size", [(148, 210), (297, 210), (420, 297), (120, 400)])
def test_odd_sizes(seal: Callable[..., bytes], maker: CodeMaker, size: tuple[float, float]):
    code = maker.code()
    copy = make_print_copy(seal(sheet(*size, lines=8), 20, 20), label=LABEL, code=code)
    assert codes_on(copy)[0] == [code.text]


def test_full_page_gets_an_extra_sheet(maker: CodeMaker):
    full = typeset("#set page(width: 210mm, height: 297mm, fill: luma(200))", {})
    code = maker.code()
    copy = make_print_copy(full, label=LABEL, code=code)
    found = codes_on(copy)
    assert found[-1] == [code.text]
    assert "附页" in text_of(copy)


@pytest.mark.parametrize("free", ["bottom", "top", "left", "right"])
def test_each_margin_is_used_when_it_alone_is_free(maker: CodeMaker, free: str):
    """Measured on the rendered page: the margin lines, the rule and the code stand on paper that was white."""
    inset = dict.fromkeys(("bottom", "top", "left", "right"), 0) | {free: 60}
    pads = ", ".join(f"{side}: {size}mm" for side, size in inset.items())
    dark = f"#pad({pads})[#rect(width: 100%, height: 100%, fill: luma(60))]"
    page = typeset(f"#set page(width: 210mm, height: 297mm, margin: 0mm)\n{dark}", {})
    code = maker.code()
    copy = make_print_copy(page, label=LABEL, code=code)
    before, after = grey_pages(page, 200)[0].astype(int), grey_pages(copy, 200)[0].astype(int)
    assert codes_on(copy) == [[code.text]]
    assert np.abs(before - after)[before < 100].max() <= 30
    new = (after < 160) & (before > 200)
    rows, columns = np.nonzero(new)
    height, width = new.shape
    near = {"bottom": rows.min() > height * 0.8, "top": rows.max() < height * 0.2,
            "left": columns.max() < width * 0.3, "right": columns.min() > width * 0.7}  # fmt: skip
    assert near[free]
    lines = new if free in ("bottom", "top") else new.T
    assert max(_longest_run(line) for line in lines) / 200 * 25.4 == pytest.approx(100, abs=0.6)


def test_every_page_is_marked(maker: CodeMaker):
    code = maker.code()
    copy = make_print_copy(sheet(210, 297, lines=20, pages=3), label=LABEL, code=code)
    assert codes_on(copy) == [[code.text]] * 3
    for number in (1, 2, 3):
        assert f"第 {number}/3 页" in text_of(copy)


def test_hidden_layer_stays_hidden(maker: CodeMaker):
    with pikepdf.open(io.BytesIO(sheet(210, 297, lines=1))) as document:
        layer = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="草稿"))
        document.Root["/OCProperties"] = pikepdf.Dictionary(
            OCGs=[layer], D=pikepdf.Dictionary(OFF=[layer], Order=[layer])
        )
        page = document.pages[0]
        page.contents_add(b"/OC /L0 BDC 1 0 0 rg 200 300 200 200 re f EMC")
        page.obj["/Resources"]["/Properties"] = pikepdf.Dictionary(L0=layer)
        layered = io.BytesIO()
        document.save(layered)
    picture = colour(make_print_copy(layered.getvalue(), label=LABEL, code=maker.code()))
    assert not ((picture[..., 0] > 150) & (picture[..., 1] < 100)).any()


def test_seal_without_print_flag_is_painted(sealed: bytes, maker: CodeMaker):
    """B33: a seal is on the paper even when whoever put it there forgot the print flag."""
    with pikepdf.open(io.BytesIO(sealed)) as document:
        document.pages[0].obj.Annots[0]["/F"] = 0
        changed = io.BytesIO()
        document.save(changed)
    picture = colour(make_print_copy(changed.getvalue(), label=LABEL, code=maker.code()))
    assert red_box_mm(picture)[0] == pytest.approx(120, abs=1)


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.7\n%%EOF"])
def test_unreadable(content: bytes, maker: CodeMaker):
    with pytest.raises(CopyRefused):
        make_print_copy(content, label=LABEL, code=maker.code())


def test_tiny_page_gets_an_extra_sheet(maker: CodeMaker):
    code = maker.code()
    assert codes_on(make_print_copy(sheet(30, 30, margin_mm=2, lines=1), label=LABEL, code=code)) == [[], [code.text]]


def test_taken_space_is_not_given_twice():
    space = PageSpace(np.full((1188, 840), 255, np.uint8))
    first, second = (space.take(100, 20, ("bottom",)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert second.bottom_mm >= first.bottom_mm + first.height_mm or second.left_mm >= first.left_mm + first.width_mm


@pytest.mark.corpora
def test_messy_files(corpora: Path, maker: CodeMaker):
    """Every messy file that can be signed can be printed, with the code on its first or its extra sheet."""
    with (corpora / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        rows = [row for row in csv.DictReader(manifest, delimiter="\t") if row.get("sign_expected") == "sign"]
    assert rows
    code, failed = maker.code(), []
    for row in rows:
        path = corpora / row["path"]
        if path.stat().st_size > 1_000_000:
            continue
        try:
            copy = make_print_copy(path.read_bytes(), label=LABEL, code=code)
        except CopyRefused as refusal:
            failed.append((path.name, str(refusal)))
            continue
        if not any(code.text in decode_page(Image.fromarray(grey)) for grey in grey_pages(copy, 200)):
            failed.append((path.name, "no code"))
    assert not failed
