"""骑缝章: strips on every page, whose widths sum to the seal, under one signature."""

from __future__ import annotations

import io
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.errors import PlacingRefused
from signing_service.pades.placing import SeamPlacing
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.pdf.errors import EarlierSignatureWouldBreak, PageMissing
from signing_service.pdf.picture import VectorPicture

PIXELS_PER_MM = 4
W = 42 * 72 / 25.4
# a red triangle, so that every strip differs: full height at the left, nothing at the right
PICTURE = VectorPicture(b"q 1 0 0 rg 0 0 m 0 %.3f l %.3f 0 l f Q" % (W, W), 42, 42)


def blank(pages: int, *, turned: bool = False) -> bytes:
    document = pikepdf.new()
    for number in range(pages):
        document.add_blank_page(page_size=(595.276, 841.89))
        if turned:
            document.pages[-1].obj.Rotate = number % 4 * 90
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()


def across(now: datetime, placing: SeamPlacing, **options: object) -> SignatureRequest:
    return SignatureRequest(
        field="骑缝章", signed_at=now, appearance=SealAppearance(PICTURE), placing=placing, **options
    )  # type: ignore[arg-type]


def shown(pdf: bytes, folder: Path) -> list[np.ndarray]:
    (folder / "pages.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(25.4 * PIXELS_PER_MM), str(folder / "pages.pdf"), str(folder / "page")]
    subprocess.run(command, check=True)
    pictures = []
    for path in sorted(folder.glob("page-*.ppm")):
        _, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        pictures.append(np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(int))
    return pictures


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_strips_make_up_the_seal(pki, now: datetime, tmp_path: Path, pdfsig, side, turned: bool) -> None:
    pages = 4
    pdf = blank(pages, turned=turned)
    signed = sign(pdf, across(now, SeamPlacing(bottom_mm=100, side=side)), pki.key("示例印章"))
    assert signed.startswith(pdf)
    assert set(pdfsig(signed)) == {"Signature is Valid."}
    assert len(PdfFileReader(io.BytesIO(signed)).embedded_signatures) == 1
    strip = 42 * PIXELS_PER_MM // pages
    parts = []
    for page in shown(signed, tmp_path):
        red = (page[:, :, 0] > 200) & (page[:, :, 1] < 100)
        columns = np.where(red.any(0))[0]
        start = columns.min()  # every strip of the triangle is highest at its left
        margin = page.shape[1] - (start + strip) if side == "right" else start
        assert abs(margin) <= 2
        assert columns.max() - start + 1 <= strip + 2
        piece = np.pad(red, ((0, 0), (0, strip)))[:, start : start + strip]
        lower = page.shape[0] - 100 * PIXELS_PER_MM
        parts.append(piece[lower - 42 * PIXELS_PER_MM : lower])
    heights = np.hstack(parts).sum(0)
    expected = np.linspace(42 * PIXELS_PER_MM, 0, len(heights))
    assert np.abs(heights - expected).max() < 8


@pytest.mark.parametrize("pages", [2, 3, 41, pytest.param(500, marks=pytest.mark.slow)])
def test_from_two_to_five_hundred_pages(pki, now: datetime, pages: int, pdfsig) -> None:
    signed = sign(blank(pages), across(now, SeamPlacing(), lock=True), pki.key("示例印章"))
    assert set(pdfsig(signed)) == {"Signature is Valid."}
    with pikepdf.open(io.BytesIO(signed)) as document:
        (field,) = document.Root.AcroForm.Fields
        assert len(field.Kids) == pages
        widths = [float(kid.Rect[2]) - float(kid.Rect[0]) for kid in field.Kids]
        assert sum(widths) == pytest.approx(W, abs=0.01 * pages)
        assert [len(page.obj.Annots) for page in document.pages] == [1] * pages


def test_nothing_follows_a_locking_seam(pki, now: datetime) -> None:
    signed = sign(blank(2), across(now, SeamPlacing(), lock=True), pki.key("示例印章"))
    with pytest.raises(EarlierSignatureWouldBreak):
        sign(signed, SignatureRequest(field="其后", signed_at=now), pki.key("审批员甲"))


def test_a_range_of_pages(pki, now: datetime) -> None:
    signed = sign(blank(6), across(now, SeamPlacing(1, -2)), pki.key("示例印章"))
    with pikepdf.open(io.BytesIO(signed)) as document:
        assert [("/Annots" in page.obj) for page in document.pages] == [False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("pages", "placing"), [(1, SeamPlacing()), (501, SeamPlacing()), (5, SeamPlacing(3, 3)), (5, SeamPlacing(4, 1))]
)
def test_too_few_or_too_many_pages_are_refused(pki, now: datetime, pages: int, placing: SeamPlacing) -> None:
    with pytest.raises(PlacingRefused):
        sign(blank(pages), across(now, placing), pki.key("示例印章"))


def test_pages_that_are_not_there_and_text_are_refused(pki, now: datetime) -> None:
    with pytest.raises(PageMissing):
        sign(blank(3), across(now, SeamPlacing(0, 9)), pki.key("示例印章"))
    for shown in (TextAppearance(["字"]), None):
        request = SignatureRequest(field="a", signed_at=now, appearance=shown, placing=SeamPlacing())
        with pytest.raises(PlacingRefused):
            sign(blank(3), request, pki.key("示例印章"))
