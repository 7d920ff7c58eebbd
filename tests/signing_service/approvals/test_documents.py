"""The layouts: areas where the words are, pages that break well, the mark of simulated documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from io import BytesIO
from itertools import pairwise

import pikepdf
import pypdfium2
import pytest

from signing_service.approvals.areas import Area
from signing_service.approvals.documents import (
    FormContent,
    FormStep,
    ReplyContent,
    TypesetDocument,
    typeset_form,
    typeset_reply,
)
from signing_service.approvals.errors import MatterUnreadable
from signing_service.approvals.matter_catalogue import MatterCatalogue

from .conftest import NOW

FORM = FormContent(
    "行政审批内部审批表", "示办202600000001", "建设项目方案审查", "关于示例项目方案的批复", "示例市行政审批局",
    "示例市行政审批局", "示例建设有限公司", "91990000MA990001X2", "001", NOW, NOW, "2026年12月22日", "2026年12月8日",
    "《示例市建设项目管理办法》第八条", [FormStep("1", "业务审查", "示例市行政审批局", 5)],
)  # fmt: skip
REPLY = ReplyContent(
    "示例市行政审批局", "示审批〔2026〕1号", date(2026, 11, 24), "关于示例项目方案的批复", "示例建设有限公司",
    "你单位的申请收悉。经审查,现批复如下:", ["请严格按照批准的方案组织实施,落实各项要求,依法办理后续手续。"],
    "示办202600000001", "ab" * 32,
)  # fmt: skip


def pages(document: TypesetDocument) -> list[str]:
    shown = pypdfium2.PdfDocument(document.pdf)
    return [page.get_textpage().get_text_range() for page in shown]


def inside(area: Area) -> bool:
    return 0 <= area.x_mm <= 210 - area.width_mm and 0 <= area.y_mm <= 297 - area.height_mm


@pytest.mark.parametrize("count", [1, 4, 9, 20])
def test_each_step_has_its_own_box(count: int):
    steps = [FormStep(str(n), f"环节{n}", "示例市行政审批局", 5) for n in range(count)]
    made = typeset_form(replace(FORM, steps=steps))
    areas = [made.areas[f"step-{n}"] for n in range(count)]
    assert all(inside(area) for area in areas)
    assert max(area.page for area in areas) < len(pages(made))
    places = [(area.page, -area.y_mm) for area in areas]
    assert places == sorted(places)
    for above, below in pairwise(areas):
        assert above.page < below.page or above.y_mm >= below.y_mm + below.height_mm


def test_boxes_are_blank():
    """Nothing is printed where a signature will stand."""
    made = typeset_form(FORM)
    area = made.areas["step-1"]
    grey = pypdfium2.PdfDocument(made.pdf)[area.page].render(scale=2, grayscale=True).to_numpy()
    unit = 2 * 72 / 25.4
    top, left = (297 - area.y_mm - area.height_mm) * unit, area.x_mm * unit
    box = grey[round(top) : round(top + area.height_mm * unit), round(left) : round(left + area.width_mm * unit)]
    assert box.min() == 255


@pytest.mark.parametrize("count", range(1, 14))
def test_seal_never_stands_on_a_page_without_text(count: int):
    made = typeset_reply(replace(REPLY, paragraphs=REPLY.paragraphs * count))
    seal = made.areas["seal"]
    assert inside(seal)
    assert "请严格按照批准的方案" in pages(made)[seal.page]


def test_seal_lies_over_name_and_date():
    made = typeset_reply(REPLY)
    seal = made.areas["seal"]
    page = pypdfium2.PdfDocument(made.pdf)[seal.page].get_textpage()
    unit = 72 / 25.4
    start, length = page.search("2026年11月24日").get_next()
    left, bottom, _, top = page.get_charbox(start)
    _, _, right, _ = page.get_charbox(start + length - 1)
    assert (left + right) / 2 / unit == pytest.approx(seal.centre_mm[0], abs=1)
    assert seal.y_mm < (bottom + top) / 2 / unit < seal.y_mm + seal.height_mm


@pytest.mark.parametrize("issuer", ["示例局", "示例市住房和城乡建设局", "示例市示例区城市管理和综合行政执法局"])
def test_letterhead_stays_on_one_line(issuer: str):
    text = pages(typeset_reply(replace(REPLY, issuer_name=issuer)))[0]
    assert text.splitlines()[0] == f"{issuer}文件"


def test_simulated_is_marked_on_every_page():
    made = typeset_reply(replace(REPLY, paragraphs=REPLY.paragraphs * 14, simulated=True))
    assert len(pages(made)) > 1
    assert all("模拟审批" in text.replace(" ", "") and "不具有行政审批文件的法律效力" in text for text in pages(made))
    assert "模拟" not in "".join(pages(typeset_reply(REPLY)))


def test_pdf_a():
    for made in (typeset_form(FORM), typeset_reply(REPLY)):
        with pikepdf.open(BytesIO(made.pdf)) as document, document.open_metadata() as metadata:
            assert metadata.pdfa_status == "2B"


def test_hostile_text_is_only_text():
    """What an applicant writes is never markup."""
    title = "#panic() *a* $x$ <b> {applicant} \\ ]"
    assert title in "".join(pages(typeset_reply(replace(REPLY, title=title)))).replace("\r\n", "")


def test_unreadable_matter(tmp_path):
    (tmp_path / "wrong.yaml").write_text("code: x")
    with pytest.raises(MatterUnreadable, match=r"wrong\.yaml"):
        MatterCatalogue.read(tmp_path)
