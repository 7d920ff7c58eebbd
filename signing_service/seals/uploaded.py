"""An uploaded picture of a seal (scan, PNG or SVG), cleaned to red outlines at true size on nothing."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
from fontTools.pens.boundsPen import ControlBoundsPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import SVGPath
from PIL import Image, UnidentifiedImageError

from signing_service.seals.errors import SealError, Text
from signing_service.seals.outlines import number
from signing_service.seals.picture import SealDesign
from signing_service.seals.tracing import outlines

LARGEST_BYTES = 16 * 1024 * 1024
LARGEST_PIXELS = 6000 * 6000
TRACED_PIXELS = 1200  # across; a scan that is larger is reduced first
LEAST_INK, MOST_INK = 0.01, 0.75
TOLERANCE_PIXELS = 0.35


class SealPictureUnusable(SealError):
    code = "seal_picture_unusable"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("无法使用这张印章图样。", "This picture of a seal cannot be used."),
            why=Text(zh, en),
            advice=Text(
                "请上传白底红印、分辨率不低于 300 dpi 的 PNG,或单色 SVG。",
                "Upload a PNG of the red seal on white at 300 dpi or more, or a plain SVG.",
            ),
        )


def design_from_upload(content: bytes, name: str, width_mm: float) -> SealDesign:
    """A design that draws the uploaded picture, `width_mm` wide from ink to ink. Raises SealPictureUnusable."""
    if len(content) > LARGEST_BYTES:
        raise SealPictureUnusable("文件太大。", f"It has more than {LARGEST_BYTES} bytes.")
    pen = _traced(content) if not content.lstrip().startswith(b"<") else _svg(content)
    bounds = ControlBoundsPen(None)
    pen.replay(bounds)
    if bounds.bounds is None or bounds.bounds[0] == bounds.bounds[2]:
        raise SealPictureUnusable("图样是空的。", "It is empty.")
    left, top, right, bottom = bounds.bounds
    scale = width_mm / (right - left)
    written = SVGPathPen(None, ntos=number)
    pen.replay(TransformPen(written, (scale, 0, 0, scale, -left * scale, -top * scale)))
    height = round((bottom - top) * scale, 3)
    design = SealDesign(name, diameter_mm=width_mm, outline=written.getCommands(), outline_height_mm=height)
    design.check()
    return design


def _traced(content: bytes) -> Any:
    """Outlines of the ink of a PNG or JPEG, in pixels, y downwards."""
    ink = _ink(_opened(content))
    level = _level(ink)
    share = float((ink >= level).mean())
    if not LEAST_INK <= share <= MOST_INK:
        raise SealPictureUnusable("看不出印迹与底色。", "Ink and paper cannot be told apart.")
    pen = RecordingPen()
    for ring in outlines(ink, level, TOLERANCE_PIXELS):
        pen.moveTo(ring[0])
        for point in ring[1:]:
            pen.lineTo(point)
        pen.closePath()
    return pen


def _opened(content: bytes) -> Image.Image:
    try:
        opened = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        if opened.width * opened.height > LARGEST_PIXELS:
            raise SealPictureUnusable("像素太多。", "It has too many pixels.")
        image = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as failure:
        raise SealPictureUnusable("不是 PNG、JPEG 或 SVG。", "It is no PNG, JPEG or SVG.") from failure
    if min(image.size) < 100:
        raise SealPictureUnusable("分辨率太低。", "Its resolution is too low.")
    image.thumbnail((TRACED_PIXELS, TRACED_PIXELS), Image.Resampling.LANCZOS)
    return image


def _ink(image: Image.Image) -> Any:
    """0 for paper to 1 for ink: what is missing of green and blue, where the picture is opaque."""
    pixels = np.asarray(image, dtype=float) / 255
    return (1 - (pixels[..., 1] + pixels[..., 2]) / 2) * pixels[..., 3]


def _level(ink: Any) -> float:
    """The level that parts ink from paper best (Otsu: greatest variance between the two)."""
    counts, edges = np.histogram(ink, bins=64, range=(0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between)) if np.isfinite(between).any() else np.array([31])
    return float(edges[int(best.mean()) + 1])


def _svg(content: bytes) -> Any:
    """All shapes of an SVG, in its own units, y downwards. No document type, so no entities."""
    if re.search(rb"<!(DOCTYPE|ENTITY)", content, re.IGNORECASE):
        raise SealPictureUnusable("SVG 含有文档类型声明。", "The SVG has a document type.")
    pen = RecordingPen()
    try:
        SVGPath.fromstring(content).draw(pen)
    except Exception as failure:  # the parser raises whatever its XML library does
        raise SealPictureUnusable("SVG 无法解析。", "The SVG cannot be parsed.") from failure
    return pen
