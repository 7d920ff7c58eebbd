"""What is seen: upright, at the displayed spot, at true size, printed, the same in PDFium and poppler."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import Array, Name

from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.pdf.picture import VectorPicture

MakePdf = Callable[..., bytes]
DPI = 127.0  # five pixels a millimetre
PIXELS_PER_MM = DPI / 25.4

# a red frame of 42 mm with a solid quarter in its lower left: its turn can be told
W = 42 * 72 / 25.4
PICTURE = VectorPicture(
    b"q 1 0 0 rg 0 0 %.3f %.3f re f 1 0 0 RG 4 w 2 2 %.3f %.3f re S Q" % (W / 2, W / 2, W - 4, W - 4), 42, 42
)


def poppler(pdf: bytes, folder: Path, *options: str, unit: float = 1.0) -> np.ndarray:
    """The first page; poppler 22 and PDFium both take a user unit for a point, so `unit` enlarges the picture."""
    path = folder / "shown.pdf"
    path.write_bytes(pdf)
    command = ["pdftoppm", "-r", str(DPI * unit), "-f", "1", "-l", "1", *options, str(path)]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    _, size, _, pixels = raw.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(int)


def by_pdfium(pdf: bytes, unit: float = 1.0) -> np.ndarray:
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    shown = document[0].render(scale=DPI / 72 * unit, rev_byteorder=True, may_draw_forms=True).to_numpy()
    return shown[:, :, :3].astype(int)


def red_box(shown: np.ndarray) -> tuple[float, float, float, float]:
    """Left, bottom, width, height in mm of what is red."""
    red = (shown[:, :, 0] > 180) & (shown[:, :, 1] < 90) & (shown[:, :, 2] < 90)
    rows, columns = np.where(red.any(1))[0], np.where(red.any(0))[0]
    height = shown.shape[0]
    return (
        columns[0] / PIXELS_PER_MM,
        (height - rows[-1] - 1) / PIXELS_PER_MM,
        (columns[-1] - columns[0] + 1) / PIXELS_PER_MM,
        (rows[-1] - rows[0] + 1) / PIXELS_PER_MM,
    )


def seal(pki, pdf: bytes, now: datetime, placing: Placing) -> bytes:
    request = SignatureRequest(field="印章", signed_at=now, appearance=SealAppearance(PICTURE), placing=placing)
    return sign(pdf, request, pki.key("示例印章"))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, [50, 120, 520, 700]])
@pytest.mark.parametrize("unit", [1.0, 1.5])
def test_b28_a_seal_stands_upright_where_it_was_placed(
    pki, make_pdf: MakePdf, now: datetime, tmp_path: Path, rotate: int, crop: list[int] | None, unit: float
) -> None:
    entries: dict[str, object] = {"Rotate": rotate, "UserUnit": unit}
    if crop:
        entries["CropBox"] = Array(crop)
    sealed = seal(pki, make_pdf(**entries), now, Placing(0, 25, 35))
    for shown in (poppler(sealed, tmp_path, "-cropbox", unit=unit), by_pdfium(sealed, unit)):
        assert red_box(shown) == pytest.approx((25, 35, 42, 42), abs=0.6)
        # the solid quarter is at the lower left
        height = shown.shape[0]
        spots = [(30, 40), (60, 70)]
        colours = [shown[height - round(y * PIXELS_PER_MM), round(x * PIXELS_PER_MM)] for x, y in spots]
        assert colours[0][1] < 90
        assert colours[1][1] > 180


def test_an_inherited_rotation_counts(pki, now: datetime, tmp_path: Path) -> None:
    document = pikepdf.new()
    document.add_blank_page(page_size=(595.276, 841.89))
    document.Root.Pages.Rotate = 90
    output = io.BytesIO()
    document.save(output)
    sealed = seal(pki, output.getvalue(), now, Placing(0, 25, 35))
    assert red_box(poppler(sealed, tmp_path)) == pytest.approx((25, 35, 42, 42), abs=0.6)


def test_b33_a_seal_is_printed(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path) -> None:
    sealed = seal(pki, make_pdf(), now, Placing(0, 25, 35))
    with pikepdf.open(io.BytesIO(sealed)) as document:
        (widget,) = document.pages[0].Annots
        flags = int(widget.F)
        assert flags & 4
        assert not flags & (1 | 2 | 32)
        form = widget.AP.N
        assert form.Subtype == Name.Form
        assert [float(side) for side in form.BBox] == pytest.approx([0, 0, W, W], abs=1e-3)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(sealed)
    command = ["pdftocairo", "-png", "-r", "72", "-singlefile", str(path), str(tmp_path / "printed")]
    subprocess.run(command, check=True)
    subprocess.run(["pdftops", str(path), str(tmp_path / "printed.ps")], check=True)
    painted = (tmp_path / "printed.ps").read_bytes()
    assert b"1 0 0 rg" in painted or b"[1 0 0]" in painted


def test_a_box_over_the_edge_is_moved_onto_the_page(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path) -> None:
    sealed = seal(pki, make_pdf(), now, Placing(0, 500, -20))
    assert red_box(poppler(sealed, tmp_path)) == pytest.approx((168, 0, 42, 42), abs=0.6)


def test_corners_are_measured_from_their_own_edges(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path) -> None:
    sealed = seal(pki, make_pdf(), now, Placing(0, 10, 15, corner="upper-right"))
    assert red_box(poppler(sealed, tmp_path)) == pytest.approx((210 - 52, 297 - 57, 42, 42), abs=0.6)


def test_a_page_smaller_than_the_seal_gets_it_smaller(pki, now: datetime, tmp_path: Path) -> None:
    document = pikepdf.new()
    document.add_blank_page(page_size=(200, 50))
    output = io.BytesIO()
    document.save(output)
    sealed = seal(pki, output.getvalue(), now, Placing(0, 0, 0))
    assert red_box(poppler(sealed, tmp_path))[3] == pytest.approx(50 / 72 * 25.4, abs=0.6)


LINES = ["签署人:审批员甲", "部门:示例市行政审批局", "100% approved; 50%, ok %(ts)s", "意见:同意 (无附件)\\"]


def text_signed(pki, pdf: bytes, now: datetime, lines: list[str] = LINES, **options: object) -> bytes:
    appearance = TextAppearance(lines, **options)  # type: ignore[arg-type]
    request = SignatureRequest(field="审批", signed_at=now, appearance=appearance, placing=Placing(0, 20, 30, 70, 25))
    return sign(pdf, request, pki.key("审批员甲"))


@pytest.mark.parametrize("face", ["song", "hei"])
def test_b30_b31_chinese_text_is_embedded_and_extracts_literally(
    pki, make_pdf: MakePdf, now: datetime, tmp_path: Path, face: str
) -> None:
    path = tmp_path / "signed.pdf"
    path.write_bytes(text_signed(pki, make_pdf(), now, face=face))
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    assert [line.strip() for line in text.splitlines() if line.strip()] == LINES
    fonts = subprocess.run(["pdffonts", str(path)], capture_output=True, check=True).stdout.decode().splitlines()[2:]
    assert len(fonts) == 1
    assert "CID Type 0C" in fonts[0]
    name, *_ = fonts[0].split()
    assert name[6:7] == "+"
    assert fonts[0].split()[-5:-2] == ["yes", "yes", "yes"]  # embedded, subset, mapped to Unicode
    assert path.stat().st_size < 40_000


def test_text_looks_the_same_to_poppler_and_pdfium(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path) -> None:
    signed = text_signed(pki, make_pdf(), now, framed=False)
    pictures = [255 - shown[-350:, :500, 0] for shown in (poppler(signed, tmp_path), by_pdfium(signed))]
    blurred = [picture.reshape(35, 10, 50, 10).mean((1, 3)) for picture in pictures]
    assert blurred[0].sum() > 2000
    assert np.abs(blurred[0] - blurred[1]).sum() < 0.2 * blurred[0].sum()


def test_long_text_shrinks_to_the_box(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path) -> None:
    signed = text_signed(pki, make_pdf(), now, ["示例市" * 40, *["行"] * 12])
    shown = poppler(signed, tmp_path)
    dark = shown[:, :, 0] < 160
    rows, columns = np.where(dark.any(1))[0], np.where(dark.any(0))[0]
    height = shown.shape[0]
    inside = columns >= 36 * PIXELS_PER_MM  # right of the grey square that the page itself has
    assert columns[inside].max() <= 90.3 * PIXELS_PER_MM
    assert height - rows.min() <= 55.5 * PIXELS_PER_MM


def test_the_same_characters_give_the_same_font_once(pki, make_pdf: MakePdf, now: datetime) -> None:
    from signing_service.pades.fonts import font_subset

    assert font_subset("song", "同意") is font_subset("song", "同意")
    assert font_subset("song", "同意").width("同意") == pytest.approx(2.0)
