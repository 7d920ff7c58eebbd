"""The symbol: sizes, forms, read back by two independent decoders."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from PIL import Image

from signing_service.kernel.typesetting import typeset
from signing_service.pdf.picture import VectorPicture
from signing_service.printing.decode import PictureUnreadable, decode_page
from signing_service.printing.errors import CodeTooLarge
from signing_service.printing.marks import PageMarks, Pen, write_marks
from signing_service.printing.symbol import LARGEST_VERSION, SMALLEST_MODULE_MM, draw_symbol

from .conftest import CodeMaker, second_reading


def rendered(picture: VectorPicture, dpi: float) -> Image.Image:
    """The picture alone on a page of its size."""
    marks = PageMarks(picture.width_pt, picture.height_pt, picture.content)
    page = pypdfium2.PdfDocument(write_marks([marks], Pen(["空"]).font))[0]
    return page.render(scale=dpi / 72).to_pil()


def test_limits(maker: CodeMaker):
    symbol = draw_symbol(maker.code())
    assert symbol.version <= LARGEST_VERSION
    assert symbol.module_mm >= SMALLEST_MODULE_MM
    assert symbol.side_mm < 36
    with pytest.raises(ValueError, match=r"0\.4 mm"):
        draw_symbol(maker.code(), module_mm=0.3)


def test_too_long_is_refused(maker: CodeMaker):
    with pytest.raises(CodeTooLarge):
        draw_symbol(maker.code(subject="1" * 500))
    with pytest.raises(CodeTooLarge):
        draw_symbol(maker.code(subject="1" * 4000))


@pytest.mark.parametrize("dpi", [150, 200, 300])
def test_pdf_form(maker: CodeMaker, dpi: float):
    code = maker.code()
    image = rendered(draw_symbol(code).picture, dpi)
    assert decode_page(image) == [code.text]
    assert second_reading(image) == [code.text]


def test_png_form(maker: CodeMaker):
    code = maker.code()
    symbol = draw_symbol(code)
    png = symbol.png(pixels_per_module=4)
    assert decode_page(png) == [code.text]
    assert Image.open(io.BytesIO(png)).width == symbol.modules * 4


def test_svg_form(maker: CodeMaker):
    """As Typst draws it."""
    code = maker.code()
    pdf = typeset(
        '#set page(width: 60mm, height: 60mm, margin: 5mm)\n#image("code.svg", width: 34mm)',
        {},
        files={"code.svg": draw_symbol(code).svg},
    )
    assert decode_page(pypdfium2.PdfDocument(pdf)[0].render(scale=200 / 72).to_pil()) == [code.text]


def test_what_is_no_picture():
    with pytest.raises(PictureUnreadable):
        decode_page(b"%PDF-1.7")
    assert decode_page(Image.new("L", (50, 50), 255)) == []
