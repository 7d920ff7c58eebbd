"""The picture of a seal: true size, red on nothing, every character there, nothing overlapping the frame."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from signing_service.pdf.picture import VectorPicture
from signing_service.seals.picture import (
    SealDesign,
    SealDesignUnusable,
    _one_page,
    draw,
    draw_seal,
    render_png,
    seal_png,
    seal_svg,
)
from signing_service.seals.song_font import SealFontMissing, SealGlyphMissing, song_font

BUREAU = SealDesign("示例市行政审批局", bottom_line="审批专用章", code="9999990000017")


def image(design, dpi=300):
    return Image.open(io.BytesIO(seal_png(design, dpi=dpi)))


def test_png_has_the_true_size_and_says_its_resolution():
    picture = image(BUREAU, dpi=600)
    assert abs(picture.width - 42 / 25.4 * 600) <= 1
    assert picture.size[0] == picture.size[1]
    assert round(picture.info["dpi"][0]) == 600


def test_the_background_is_transparent_and_all_ink_is_red():
    picture = image(BUREAU)
    colours = {pixel[:3] for _, pixel in picture.getcolors(1 << 24) if pixel[3] == 255}
    assert picture.getpixel((0, 0))[3] == 0
    assert colours == {(222, 10, 20)}


def test_the_ring_is_a_closed_circle_and_the_star_is_in_the_middle():
    picture = image(BUREAU, dpi=254).getchannel("A")
    assert all(picture.getpixel(spot) == 255 for spot in ((210, 5), (210, 414), (5, 210), (414, 210), (210, 205)))
    assert picture.getpixel((210, 20)) == 0  # between ring and name


@pytest.mark.parametrize(
    ("shape", "width", "height"), [("round", 42.0, 42.0), ("oval", 40.0, 30.0), ("square", 18.0, 18.0)]
)
def test_each_shape_has_its_size_in_millimetres(shape, width, height):
    picture = draw_seal(SealDesign("示例张印", shape=shape, diameter_mm=width))
    assert (picture.width_mm, picture.height_mm) == (width, height)
    assert round(picture.width_pt, 3) == round(width * 72 / 25.4, 3)


def test_content_is_paths_alone():
    operators = set(re.findall(rb"(?<![\d.])[A-Za-z*]+", draw_seal(BUREAU).content))
    assert operators == {b"q", b"rg", b"m", b"l", b"c", b"h", b"f", b"Q"}


def test_one_figure_for_frame_centre_and_every_character():
    assert len(draw(BUREAU).figures) == 2 + len("示例市行政审批局" + "审批专用章" + "9999990000017")
    without = SealDesign("示例市行政审批局", centre="none")
    assert len(draw(without).figures) == 1 + 8


@pytest.mark.parametrize("count", [2, 5, 9, 14, 22, 30])
def test_no_character_touches_the_ring_or_its_neighbour(count):
    """Ink of the whole equals the sum of the ink of each figure alone, as nothing lies upon anything else."""
    design = SealDesign(("示例市某某区住房和城乡建设管理委员会行政审批服务局办公室综合科" * 2)[:count])
    drawing = draw(design)
    figures = [type(drawing)((figure,), 42.0, 42.0).picture() for figure in drawing.figures]
    covered = Image.new("L", (827, 827))
    for figure in figures:
        alpha = Image.open(io.BytesIO(render_png(figure, dpi=500))).getchannel("A").point(lambda a: 255 * (a > 200))
        clash = Image.composite(alpha, Image.new("L", alpha.size), covered)
        assert clash.getbbox() is None
        covered.paste(255, mask=alpha)


def test_text_stays_clear_of_the_line_below_the_star():
    drawing = draw(SealDesign("示例市示例区住房和城乡建设管理委员会", bottom_line="模拟审批专用章"))
    whole = Image.open(io.BytesIO(render_png(drawing.picture(), dpi=300))).getchannel("A")
    alone = [
        Image.open(io.BytesIO(render_png(type(drawing)((figure,), 42.0, 42.0).picture(), dpi=300))).getchannel("A")
        for figure in drawing.figures
    ]
    ink = sum(sum(part.point(lambda a: a > 128).get_flattened_data()) for part in alone)
    assert abs(ink - sum(whole.point(lambda a: a > 128).get_flattened_data())) < ink * 0.002


def test_emblem_replaces_the_star():
    diamond = SealDesign("示例市行政审批局", centre="M0 0 L100 100 L0 200 L-100 100 Z")
    alpha = image(diamond, dpi=254).getchannel("A")
    assert alpha.getpixel((210, 210)) == 255
    assert alpha.getpixel((260, 160)) == 0  # beside the diamond's edge


@pytest.mark.parametrize(
    "design",
    [
        SealDesign(""),
        SealDesign("示例市行政审批局", diameter_mm=61),
        SealDesign("示例" * 16),
        SealDesign("示例市行政审批局", shape="triangle"),
        SealDesign("示例张印", shape="square", bottom_line="审批专用章"),
        SealDesign("示例市行政审批局", centre="not a path"),
    ],
)
def test_designs_that_no_seal_can_show_are_refused(design):
    with pytest.raises(SealDesignUnusable) as refusal:
        draw_seal(design)
    assert refusal.value.why is not None


def test_a_character_without_outline_is_refused_and_named():
    with pytest.raises(SealGlyphMissing, match="\U0001f600"):
        draw(SealDesign("示例\U0001f600"))


def test_a_missing_font_names_the_package():
    with pytest.raises(SealFontMissing, match="apt-get install fonts-noto-cjk"):
        song_font([Path("/nonexistent/NotoSerifCJK-Bold.ttc")])


def test_the_font_is_read_in_its_simplified_chinese_face():
    assert song_font()._face["name"].getDebugName(6).startswith("NotoSerifCJKsc")


@pytest.mark.skipif(not shutil.which("pdftocairo"), reason="poppler-utils is not installed")
def test_poppler_draws_the_same_as_pdfium(tmp_path):
    source = tmp_path / "seal.pdf"
    source.write_bytes(_one_page(draw_seal(BUREAU)))
    subprocess.run(["pdftocairo", "-png", "-transp", "-r", "300", "-singlefile", source, tmp_path / "seal"], check=True)
    theirs, ours = (
        picture.getchannel("A").resize((31, 31), Image.Resampling.BOX)  # blocks of 1.4 mm: half a character
        for picture in (Image.open(tmp_path / "seal.png"), image(BUREAU))
    )
    assert max(abs(a - b) for a, b in zip(theirs.get_flattened_data(), ours.get_flattened_data(), strict=True)) < 40


def test_svg_is_in_millimetres_and_escapes_its_title():
    svg = seal_svg(SealDesign("示例<市>"))
    assert 'width="42mm"' in svg
    assert "<title>示例&lt;市&gt;</title>" in svg
    assert svg.count("<path") == 2 + 5


def test_a_picture_is_drawn_once():
    assert isinstance(draw_seal(BUREAU), VectorPicture)
    assert draw_seal(SealDesign(**{name: getattr(BUREAU, name) for name in BUREAU.__slots__})) is draw_seal(BUREAU)
