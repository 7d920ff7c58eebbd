"""Uploaded pictures: a noisy scan becomes clean red outlines at true size; what is no seal is refused."""

import io

import numpy as np
import pytest
from PIL import Image, ImageChops

from signing_service.seals.picture import SealDesign, draw_seal, render_png, seal_png, seal_svg
from signing_service.seals.uploaded import SealPictureUnusable, design_from_upload

SEAL = SealDesign("示例市行政审批局", bottom_line="审批专用章")


def alpha(picture, dpi=300):
    return Image.open(io.BytesIO(render_png(picture, dpi=dpi))).getchannel("A")


def scan(kind="PNG"):
    """The seal as a scanner sees it: on yellowish paper, with a margin, noise and uneven light. Always the same."""
    seal = Image.open(io.BytesIO(seal_png(SEAL, dpi=400)))
    paper = Image.new("RGB", (800, 760), (240, 238, 225))
    paper.paste(seal, (60, 50), seal)
    pixels = np.asarray(paper, dtype=float)
    noise = np.random.default_rng(1).normal(0, 9, pixels.shape)
    light = np.linspace(0.85, 1.0, paper.width)[None, :, None]
    output = io.BytesIO()
    Image.fromarray(np.clip(pixels * light + noise, 0, 255).astype("uint8")).save(output, kind)
    return output.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_scan_is_cleaned_to_the_seal_itself(kind):
    design = design_from_upload(scan(kind), "示例市行政审批局", 42.0)
    picture = draw_seal(design)
    assert picture.width_mm == 42.0
    assert abs(picture.height_mm - 42.0) < 0.2
    ours, theirs = (alpha(each).resize((125, 125), Image.Resampling.BOX) for each in (draw_seal(SEAL), picture))
    difference = np.asarray(ImageChops.difference(ours, theirs), dtype=float)
    assert difference.mean() < 6
    assert np.percentile(difference, 99.5) < 90
    corner = alpha(picture).crop((0, 0, 60, 60))
    assert corner.getbbox() is None  # no specks of paper


def test_a_transparent_png_keeps_its_holes():
    ring = draw_seal(design_from_upload(seal_png(SEAL, dpi=300), "示例市行政审批局", 40.0))
    assert alpha(ring).getpixel((80, 400)) == 0 or alpha(ring).getpixel((236, 130)) == 0
    assert alpha(ring).getpixel((236, 236)) == 255  # the star
    assert alpha(ring).getpixel((236, 3)) == 255  # the ring


def test_an_svg_is_brought_to_true_size():
    picture = draw_seal(design_from_upload(seal_svg(SEAL).encode(), "示例市行政审批局", 30.0))
    assert (picture.width_mm, picture.height_mm) == (30.0, 30.0)
    ours = alpha(draw_seal(SEAL), 300).resize((100, 100), Image.Resampling.BOX)
    theirs = alpha(picture, 420).resize((100, 100), Image.Resampling.BOX)
    assert np.asarray(ImageChops.difference(ours, theirs), dtype=float).max() < 40


def png(image):
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n broken",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<svg><path d='M'/></svg",
        b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0L1 1L1 0Z'/></svg>",
        png(Image.new("RGB", (300, 300), "white")),
        png(Image.new("RGB", (300, 300), (220, 0, 0))),
        png(Image.new("RGB", (40, 40), "white")),
    ],
)
def test_what_is_no_picture_of_a_seal_is_refused(content):
    with pytest.raises(SealPictureUnusable):
        design_from_upload(content, "示例市行政审批局", 42.0)
