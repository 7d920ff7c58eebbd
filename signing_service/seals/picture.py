"""The picture of a seal: a design drawn as outlines in real millimetres, red, with PDF, SVG and PNG forms."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import parse_path
from pypdfium2.raw import FPDFBitmap_BGRA

from signing_service.pdf.pdfium import opened_in_pdfium
from signing_service.pdf.picture import VectorPicture
from signing_service.seals import layout
from signing_service.seals.errors import SealError, Text
from signing_service.seals.outlines import Figure, number, pdf_path, svg_path
from signing_service.seals.song_font import SongFont, song_font

Shape = Literal["round", "oval", "square"]
OFFICIAL_DIAMETERS_MM = (60.0, 50.0, 45.0, 42.0, 40.0, 38.0, 30.0, 20.0, 18.0)
SMALLEST_MM, LARGEST_MM = 10.0, 60.0
LONGEST_NAME, LONGEST_LINE, LONGEST_CODE = 30, 14, 20
RED = (0.87, 0.04, 0.08)  # sRGB; the colour of official ink paste
OVAL_RATIO = 0.75  # 40 x 30 mm


class SealDesignUnusable(SealError):
    code = "seal_design_unusable"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("无法按此设计绘制印章。", "A seal cannot be drawn from this design."),
            why=why,
            advice=Text("请修改印章设计后重试。", "Change the seal's design and try again."),
        )


@dataclass(frozen=True, slots=True)
class SealDesign:
    """What a seal shows. `diameter_mm` is the width; an oval is three quarters as high, a square as high as wide.

    `centre` is a star, nothing, or an emblem given as SVG path data, which is scaled into the star's place.
    `outline`, where given, is the whole picture instead (an upload, see `uploaded`): SVG path data in millimetres,
    `outline_height_mm` high.
    """

    name: str
    shape: Shape = "round"
    centre: str = "star"
    bottom_line: str = ""
    code: str = ""
    diameter_mm: float = 42.0
    outline: str = ""
    outline_height_mm: float = 0.0

    @property
    def height_mm(self) -> float:
        if self.outline:
            return self.outline_height_mm
        return self.diameter_mm * (OVAL_RATIO if self.shape == "oval" else 1)

    def check(self) -> None:
        """Raises SealDesignUnusable for what no seal can show."""
        if self.shape not in ("round", "oval", "square"):
            raise SealDesignUnusable(Text(f"形状“{self.shape}”不存在。", f"There is no shape “{self.shape}”."))
        if not SMALLEST_MM <= self.diameter_mm <= LARGEST_MM:
            raise SealDesignUnusable(
                Text(
                    f"直径 {self.diameter_mm} 毫米不在 {SMALLEST_MM} 至 {LARGEST_MM} 毫米之间。",
                    f"A diameter of {self.diameter_mm} mm is not between {SMALLEST_MM} and {LARGEST_MM} mm.",
                )
            )
        _check_length("名称", "name", self.name, LONGEST_NAME, least=1)
        _check_length("下横文字", "bottom line", self.bottom_line, LONGEST_LINE)
        _check_length("印章编码", "code", self.code, LONGEST_CODE)
        if self.outline and not SMALLEST_MM / 2 <= self.outline_height_mm <= LARGEST_MM:
            raise SealDesignUnusable(Text("图样的高度不合适。", "The picture is too high or too low."))
        if self.shape == "square" and (self.bottom_line or self.code):
            raise SealDesignUnusable(
                Text("方形印章只有名称。", "A square seal bears a name alone, no bottom line and no code.")
            )


@dataclass(frozen=True, slots=True)
class SealDrawing:
    """Red figures in a box of `width_mm` x `height_mm`, origin lower left."""

    figures: tuple[Figure, ...]
    width_mm: float
    height_mm: float

    def picture(self) -> VectorPicture:
        """The PDF form: every figure filled on its own."""
        colour = " ".join(number(part) for part in RED)
        body = "\n".join(f"{pdf_path(figure)}\nf" for figure in self.figures)
        return VectorPicture(f"q\n{colour} rg\n{body}\nQ".encode("ascii"), self.width_mm, self.height_mm)

    def svg(self, title: str) -> str:
        """A standalone SVG in true millimetres."""
        red = "#" + "".join(f"{round(part * 255):02x}" for part in RED)
        paths = "\n".join(f'<path d="{svg_path(figure, self.height_mm)}"/>' for figure in self.figures)
        width, height = number(self.width_mm), number(self.height_mm)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
            f'viewBox="0 0 {width} {height}" fill="{red}"><title>{escape(title)}</title>\n{paths}\n</svg>\n'
        )


def draw(design: SealDesign, font: SongFont | None = None) -> SealDrawing:
    """The figures of a design. Raises SealDesignUnusable, SealFontMissing, SealGlyphMissing."""
    design.check()
    if design.outline:
        figure = _parsed(design.outline, (1, 0, 0, -1, 0, design.height_mm))
        return SealDrawing((figure,), design.diameter_mm, design.height_mm)
    face = font or song_font()
    figures = _square(design, face) if design.shape == "square" else _oval(design, face)
    return SealDrawing(tuple(figures), design.diameter_mm, design.height_mm)


@functools.lru_cache(maxsize=64)
def draw_seal(design: SealDesign) -> VectorPicture:
    """The PDF form of a design, cached: one Form XObject a seal. Raises as `draw` does."""
    return draw(design).picture()


def seal_svg(design: SealDesign) -> str:
    """The design as SVG, in true millimetres."""
    return draw(design).svg(design.name + design.bottom_line)


def seal_png(design: SealDesign, *, dpi: int = 600) -> bytes:
    """The design as PNG at true size (the file says its resolution), background transparent."""
    return render_png(draw_seal(design), dpi=dpi)


def render_png(picture: VectorPicture, *, dpi: int = 600) -> bytes:
    """A picture rendered through PDFium, so that what is exported is what a page shows."""
    with opened_in_pdfium(_one_page(picture)) as document:
        shown = document[0].render(scale=dpi / 72, fill_color=(255, 255, 255, 0), force_bitmap_format=FPDFBitmap_BGRA)
        image = shown.to_pil().copy()  # the pixels belong to PDFium's bitmap
        shown.close()
    output = io.BytesIO()
    image.save(output, "PNG", dpi=(dpi, dpi), optimize=True)
    return output.getvalue()


def _oval(design: SealDesign, font: SongFont) -> list[Figure]:
    oval = layout.Oval(design.diameter_mm / 2, design.height_mm / 2, design.diameter_mm * layout.RING)
    figures = [layout.oval_frame(oval)]
    if design.centre == "star":
        figures.append(layout.centre_star(oval))
    elif design.centre != "none":
        figures.append(_emblem(design.centre, oval))
    above_line = bool(design.bottom_line) and design.centre != "none"
    figures += layout.draw_text(font, design.name, layout.name_slots(oval, len(design.name), above_line=above_line))
    if design.bottom_line:
        middle, room, height = layout.bottom_line_place(oval, has_centre=design.centre != "none")
        advances = _advances(font, design.bottom_line)
        slots = layout.line_slots(oval, advances, middle=middle, room=room, height=height)
        figures += layout.draw_text(font, design.bottom_line, slots)
    if design.code:
        figures += layout.draw_text(font, design.code, layout.code_slots(oval, _advances(font, design.code)))
    return figures


def _square(design: SealDesign, font: SongFont) -> list[Figure]:
    line = design.diameter_mm * 0.05
    slots = layout.square_slots(design.diameter_mm, len(design.name), line)
    return [layout.square_frame(design.diameter_mm, line), *layout.draw_text(font, design.name, slots)]


def _emblem(path_data: str, oval: layout.Oval) -> Figure:
    """SVG path data scaled into the star's circle, y axis turned upwards."""
    raw = _parsed(path_data, (1, 0, 0, 1, 0, 0))
    points = [point for _, args in raw.value for point in args if point is not None]
    if len(points) < 3:
        raise SealDesignUnusable(Text("图案是空的。", "The emblem is empty."))
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    extent = math.hypot(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    scale = 2 * layout.STAR_RADIUS * min(oval.size, 2 * oval.ry) / extent
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    placed = (scale, 0, 0, -scale, oval.rx - scale * middle_x, oval.ry + scale * middle_y)
    figure = Figure()
    raw.replay(TransformPen(figure, placed))
    return figure


def _parsed(path_data: str, placed: tuple[float, float, float, float, float, float]) -> Figure:
    figure = Figure()
    try:
        parse_path(path_data, TransformPen(figure, placed))
    except (ValueError, IndexError, TypeError) as failure:
        why = Text(f"图案路径无法解析:{failure}。", f"The emblem's path cannot be parsed: {failure}.")
        raise SealDesignUnusable(why) from failure
    return figure


def _advances(font: SongFont, text: str) -> Sequence[float]:
    return [font.advance(character) for character in text]


def _check_length(zh: str, en: str, text: str, most: int, *, least: int = 0) -> None:
    if not least <= len(text.strip()) <= most or len(text) > most:
        raise SealDesignUnusable(
            Text(f"{zh}应为 {least} 至 {most} 个字。", f"The {en} must have {least} to {most} characters.")
        )


def _one_page(picture: VectorPicture) -> bytes:
    """The smallest PDF that shows the picture, for rendering only."""
    box = f"[0 0 {number(picture.width_pt)} {number(picture.height_pt)}]"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox{box}/Resources<<>>/Contents 4 0 R>>".encode("ascii"),
        f"<</Length {len(picture.content)}>>stream\n".encode("ascii") + picture.content + b"\nendstream",
    ]
    output, offsets = b"%PDF-1.7\n", []
    for index, content in enumerate(objects, 1):
        offsets.append(len(output))
        output += b"%d 0 obj\n" % index + content + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = b"xref\n0 5\n0000000000 65535 f \n" + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n"
    return output + tail + b"%d\n%%%%EOF\n" % len(output)
