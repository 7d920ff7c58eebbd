"""A signature looks the same in pdf.js, PDFium and poppler: all three are run, and their pictures are compared.

Compared are means over squares of two millimetres, so that only smoothing of edges may differ.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.placing import AnyPlacing, Placing, SeamPlacing
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.seals.picture import SealDesign, draw_seal
from tests.signing_service.pades.viewers import PDFJS, PIXELS_PER_MM, PdfJs, by_pdfium, by_poppler, pdfjs_in_chromium

MakePdf = Callable[..., bytes]
Look = Callable[..., list[np.ndarray]]
SQUARE = round(2 * PIXELS_PER_MM)
INK, TOLERANCE, STROKES = 40.0, 0.12, 0.25  # thin strokes are smoothed in more ways
LINES = ["审批人:审批员甲", "部门:示例市行政审批局", "意见:同意(无附件)", "2026-11-25 09:00:00 +08:00"]


@pytest.fixture(scope="module")
def pdfjs() -> Iterator[PdfJs]:
    if not (PDFJS / "node_modules" / "pdfjs-dist").is_dir():
        why = PDFJS / "why-missing.txt"
        pytest.skip(f"pdf.js is not installed: {why.read_text() if why.exists() else 'run scripts/setup test'}")
    with pdfjs_in_chromium() as opened:
        yield opened


@pytest.fixture
def look(pdfjs: PdfJs, tmp_path: Path) -> Look:
    def look(pdf: bytes, page: int = 0, unit: float = 1.0) -> list[np.ndarray]:
        return [pdfjs.show(pdf, page), by_pdfium(pdf, page, unit), by_poppler(pdf, page, tmp_path, unit)]

    return look


def darkness(shown: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Mean ink of every square, of each colour, over the part that both pictures have."""
    height, width = (min(sides) // SQUARE * SQUARE for sides in zip(shown.shape[:2], like.shape[:2], strict=True))
    part = 255 - shown[:height, :width]
    return part.reshape(height // SQUARE, SQUARE, width // SQUARE, SQUARE, 3).mean((1, 3))


def inside(shown: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """What stands in a box (left, bottom, width, height in mm), without its frame."""
    left, bottom, width, height = (round(side * PIXELS_PER_MM) for side in box)
    margin, floor = round(PIXELS_PER_MM), shown.shape[0] - bottom
    return shown[floor - height + margin : floor - margin, left + margin : left + width - margin]


def compared(one: np.ndarray, other: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Both as ink of squares; the second is moved by a pixel where they agree so: viewers round a page's size."""
    pairs = []
    for down, right in product((0, -1, 1), repeat=2):
        moved = np.roll(other, (down, right), (0, 1)) if down or right else other
        pairs.append((darkness(one, moved), darkness(moved, one)))
        if apart(*pairs[-1]) < tolerance:
            return pairs[-1]
    return pairs[0]


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """The part of the ink that stands elsewhere, from 0 to 2."""
    return float(np.abs(first / max(first.sum(), 1) - second / max(second.sum(), 1)).sum())


def require_alike(pictures: list[np.ndarray], tolerance: float = TOLERANCE) -> None:
    """Same size within a pixel or two, about as much ink, and that at the same places but for a part of it."""
    for one, other in combinations(pictures, 2):
        assert np.abs(np.subtract(one.shape, other.shape)).max() <= 2
        first, second = compared(one, other, tolerance)
        less, more = sorted((first.sum(), second.sum()))
        assert less > INK
        assert more < (1 + 2 * tolerance) * less
        assert apart(first, second) < tolerance


def red_box(shown: np.ndarray) -> tuple[float, float, float, float]:
    """Left, bottom, width, height in mm of what is red."""
    red = (shown[:, :, 0] > 180) & (shown[:, :, 1] < 110) & (shown[:, :, 2] < 110)
    rows, columns = np.where(red.any(1))[0], np.where(red.any(0))[0]
    assert len(rows), "nothing is red"
    return (
        columns[0] / PIXELS_PER_MM,
        (shown.shape[0] - rows[-1] - 1) / PIXELS_PER_MM,
        (columns[-1] - columns[0] + 1) / PIXELS_PER_MM,
        (rows[-1] - rows[0] + 1) / PIXELS_PER_MM,
    )


def require_seal_at(pictures: list[np.ndarray], box: tuple[float, float, float, float]) -> None:
    require_alike(pictures)
    for shown in pictures:
        assert red_box(shown) == pytest.approx(box, abs=0.8)


def seal(pki, pdf: bytes, now: datetime, placing: AnyPlacing, field: str = "印章") -> bytes:
    picture = draw_seal(SealDesign("示例市行政审批局", bottom_line="审批专用章", code="9999990000017"))
    request = SignatureRequest(field=field, signed_at=now, appearance=SealAppearance(picture), placing=placing)
    return sign(pdf, request, pki.key("示例印章"))


def write(pki, pdf: bytes, now: datetime, field: str, placing: Placing) -> bytes:
    request = SignatureRequest(field=field, signed_at=now, appearance=TextAppearance(LINES), placing=placing)
    return sign(pdf, request, pki.key("审批员甲"))


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(("crop", "unit"), [(None, 1.0), ([50, 120, 520, 700], 1.0), ([50, 120, 520, 700], 1.5)])
def test_a_seal_on_turned_cut_and_enlarged_pages(
    pki, make_pdf: MakePdf, now: datetime, look: Look, rotate: int, crop: list[int] | None, unit: float
) -> None:
    entries: dict[str, object] = {"Rotate": rotate, "UserUnit": unit}
    if crop:
        entries["CropBox"] = Array(crop)
    sealed = seal(pki, make_pdf(**entries), now, Placing(0, 25, 35))
    require_seal_at(look(sealed, unit=unit), (25, 35, 42, 42))


@pytest.mark.parametrize("turn", [0, 90])
def test_a_seal_across_pages(pki, make_pdf: MakePdf, now: datetime, look: Look, turn: int) -> None:
    sealed = seal(pki, make_pdf(pages=3, Rotate=turn), now, SeamPlacing(bottom_mm=100))
    width = 297.0 if turn else 210.0
    for number in range(3):
        pictures = look(sealed, number)
        require_alike(pictures)
        for shown in pictures:
            left, bottom, across, _ = red_box(shown)
            assert left + across == pytest.approx(width, abs=0.8)
            assert left >= width - 14.8
            assert bottom >= 99.2


def test_text_of_several_signers_on_several_pages(pki, make_pdf: MakePdf, now: datetime, look: Look) -> None:
    boxes = [(60.0, 40.0 + 20 * number, 70.0, 25.0) for number in range(3)]
    signed = make_pdf(pages=3)
    for number, box in enumerate(boxes):
        signed = write(pki, signed, now, f"审批{number}", Placing(number, *box))
    for number, box in enumerate(boxes):
        pictures = look(signed, number)
        require_alike(pictures, STROKES)
        require_alike([inside(shown, box) for shown in pictures], STROKES)


def _without(change: Callable[[pikepdf.Pdf, pikepdf.Object], None]) -> Callable[[bytes], bytes]:
    def changed(pdf: bytes) -> bytes:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            change(document, document.pages[0].Annots[0])
            output = io.BytesIO()
            document.save(output)
        return output.getvalue()

    return changed


def _drop_appearance(document: pikepdf.Pdf, widget: pikepdf.Object) -> None:
    del widget["/AP"]


def _drop_turn(document: pikepdf.Pdf, widget: pikepdf.Object) -> None:
    del widget.AP.N["/Matrix"]


def _cut(document: pikepdf.Pdf, widget: pikepdf.Object) -> None:
    widget.AP.N.BBox = Array([0, 0, 60, 60])


def _hide(document: pikepdf.Pdf, widget: pikepdf.Object) -> None:
    widget.F = 2


@pytest.mark.parametrize("harm", [_drop_appearance, _cut, _hide, _drop_turn])
def test_a_broken_seal_is_noticed(
    pki, make_pdf: MakePdf, now: datetime, look: Look, harm: Callable[[pikepdf.Pdf, pikepdf.Object], None]
) -> None:
    """Where all three agree on what is wrong, it differs from the sound one."""
    sealed = seal(pki, make_pdf(Rotate=90), now, Placing(0, 25, 35))
    sound, broken = look(sealed), look(_without(harm)(sealed))
    with pytest.raises(AssertionError):
        require_seal_at([sound[0], *broken], (25, 35, 42, 42))


def test_text_in_a_font_that_is_not_embedded_is_noticed(pki, make_pdf: MakePdf, now: datetime, look: Look) -> None:
    """Each viewer then takes a font of its own, or none."""

    def unembed(document: pikepdf.Pdf, widget: pikepdf.Object) -> None:
        widget.AP.N.Resources.Font.F0 = Dictionary(
            Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/Unknown"), Encoding=Name.WinAnsiEncoding
        )

    box = (60.0, 40.0, 70.0, 25.0)
    signed = write(pki, make_pdf(), now, "审批", Placing(0, *box))
    with pytest.raises(AssertionError):
        require_alike([inside(shown, box) for shown in look(_without(unembed)(signed))], STROKES)
