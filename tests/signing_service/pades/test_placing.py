"""Finding the place: keywords of the text and free spots, on turned pages too."""

from __future__ import annotations

import io
from datetime import datetime

import pikepdf
import pytest

from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.errors import PlacingRefused
from signing_service.pades.finding import resolve_placing
from signing_service.pades.placing import AnchorPlacing, FreeSpotPlacing, Placing
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.pdf.opening import open_pdf
from signing_service.pdf.picture import VectorPicture

SEAL = SealAppearance(VectorPicture(b"q 1 0 0 rg 0 0 85 85 re f Q", 30, 30))


@pytest.fixture
def written(pki, now: datetime):
    """A page with 盖章处 written at a given place: the text of a signature is text like any other."""

    def make(x_mm: float, y_mm: float, rotate: int = 0) -> bytes:
        document = pikepdf.new()
        for _ in range(2):
            document.add_blank_page(page_size=(595.276, 841.89))
            document.pages[-1].obj.Rotate = rotate
        output = io.BytesIO()
        document.save(output)
        text = TextAppearance(["盖章处"], size_pt=12, framed=False)
        signed = sign(
            output.getvalue(),
            SignatureRequest(field="文", signed_at=now, appearance=text, placing=Placing(1, x_mm, y_mm, 16, 8)),
            pki.key("审批员甲"),
        )
        with pikepdf.open(io.BytesIO(signed)) as flat:
            flat.generate_appearance_streams()
            flat.flatten_annotations("all")
            if "/AcroForm" in flat.Root:
                del flat.Root.AcroForm
            output = io.BytesIO()
            flat.save(output)
        return output.getvalue()

    return make


@pytest.mark.parametrize("rotate", [0, 90, 270])
def test_a_seal_is_centred_on_the_keyword(written, rotate: int) -> None:
    opened = open_pdf(written(100, 80, rotate))
    page, box = resolve_placing(opened, AnchorPlacing("盖章处"), SEAL.natural_size_mm)
    assert page == 1
    centre = (box.left_mm + box.width_mm / 2, box.bottom_mm + box.height_mm / 2)
    assert centre == pytest.approx((100 + 1 + 6.4, 84), abs=2.5)
    assert (box.width_mm, box.height_mm) == (30, 30)


@pytest.mark.parametrize("placing", [AnchorPlacing("没有的字"), AnchorPlacing("盖章处", occurrence=3)])
def test_a_keyword_that_is_missing_is_refused(written, placing: AnchorPlacing, pki, now: datetime) -> None:
    request = SignatureRequest(field="印章", signed_at=now, appearance=SEAL, placing=placing)
    key = pki.key("示例印章")
    with pytest.raises(PlacingRefused):
        sign(written(100, 80), request, key)
    assert key.uses == 0


@pytest.mark.parametrize("rotate", [0, 90, 180])
def test_the_free_spot_has_no_ink(now: datetime, pki, rotate: int) -> None:
    document = pikepdf.new()
    document.add_blank_page(page_size=(595.276, 841.89))
    page = document.pages[0]
    # ink everywhere but in a window of 50 x 50 mm
    side, x, y = 50 * 72 / 25.4, 300, 400
    window = b"0 g 0 0 595 842 re %f %f %f %f re f*" % (x, y, side, side)
    page.Contents = document.make_stream(window)
    page.obj.Rotate = rotate
    output = io.BytesIO()
    document.save(output)
    opened = open_pdf(output.getvalue())
    _, box = resolve_placing(opened, FreeSpotPlacing(0), SEAL.natural_size_mm)
    found = opened.pages[0].geometry.user_rectangle(box.left_mm, box.bottom_mm, box.width_mm, box.height_mm)
    assert x - 2 <= found[0]
    assert y - 2 <= found[1]
    assert found[2] <= x + side + 2
    assert found[3] <= y + side + 2


def test_a_second_seal_does_not_cover_the_first(pki, now: datetime) -> None:
    document = pikepdf.new()
    document.add_blank_page(page_size=(595.276, 841.89))
    output = io.BytesIO()
    document.save(output)
    pdf = output.getvalue()
    boxes = []
    for name in ("甲", "乙"):
        opened = open_pdf(pdf)
        boxes.append(resolve_placing(opened, FreeSpotPlacing(0), SEAL.natural_size_mm)[1])
        request = SignatureRequest(field=name, signed_at=now, appearance=SEAL, placing=FreeSpotPlacing(0))
        pdf = sign(pdf, request, pki.key("示例印章"))
    apart = abs(boxes[0].left_mm - boxes[1].left_mm) >= 30 or abs(boxes[0].bottom_mm - boxes[1].bottom_mm) >= 30
    assert apart
    assert boxes[0].left_mm > 105  # lower right first
    assert boxes[0].bottom_mm < 100


def test_no_size_is_a_mistake(pki, now: datetime) -> None:
    document = pikepdf.new()
    document.add_blank_page()
    output = io.BytesIO()
    document.save(output)
    request = SignatureRequest(field="a", signed_at=now, appearance=SEAL, placing=Placing(0, width_mm=-3, height_mm=10))
    with pytest.raises(PlacingRefused):
        sign(output.getvalue(), request, pki.key("示例印章"))
