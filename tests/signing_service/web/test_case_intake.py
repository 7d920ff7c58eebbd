"""A clerk takes cases in on a page: whoever applies, with data or a file, and everything missing told at once."""

import io
import re
from pathlib import Path

import pikepdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from signing_service.agent.login import log_in
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.audit_log import AuditEntry

NUMBER = "91010119900101123X"
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "desk"
CHROMIUM = "/usr/bin/chromium"
MATERIALS = ["申请书", "授权委托书", "规划总平面图", "建设项目方案", "土地权属证明"]
COMPANY = {
    "name": "示例建设有限公司", "number": "91990000MA990001X2", "number_type": "001", "checked_how": "查验营业执照",
    "field-project_name": "滨河路1号楼", "field-location": "示例区滨河路", "field-content": "新建综合楼一栋",
}  # fmt: skip
PERSON = {**COMPANY, "name": "张示例", "number": NUMBER, "number_type": "111", "checked_how": "查验身份证原件"}
TWO, GIVEN = "/desk/cases/new?matter=project-plan", "/desk/cases/new?matter=given-document"


@pytest.fixture
def clerk(office, logged_in):
    return logged_in("chen")


@pytest.fixture
def one_page():
    made, kept = pikepdf.new(), io.BytesIO()
    made.add_blank_page(page_size=(595, 842))
    made.save(kept)
    return kept.getvalue()


def take_in(clerk, address=TWO, files=None, **typed):
    key = re.search(r'name="key" value="([0-9a-f]+)"', clerk.get(address).text)[1]
    return clerk.post(address, data={"key": key, "received": MATERIALS, **typed}, files=files or {"none": b""})


def cases(office):
    with office.database.read() as session:
        return session.query(ApprovalCase).order_by(ApprovalCase.received_at).all()


def test_matter_route_and_materials_are_shown_and_a_complete_case_is_taken_in(office, clerk):
    assert 'href="/desk/cases/new"' in clerk.get("/desk/cases").text
    assert TWO in clerk.get("/desk/cases/new").text
    form = clerk.get(TWO).text
    assert all(words in form for words in ("负责人审批", "建设地点", *MATERIALS))
    page = take_in(clerk, **COMPANY)
    (case,) = cases(office)
    assert (case.state, case.number in page.text, case.real_name_check) == ("received", True, "查验营业执照")
    assert re.search(r'id="query-code">[0-9A-Z]{4}-[0-9A-Z]{4}<', page.text)
    assert [step.title for step in case_steps(office, case)] == ["业务审查", "负责人审批"]
    assert "一次性告知" not in page.text


def case_steps(office, case):
    with office.database.read() as session:
        return list(session.get_one(ApprovalCase, case.id).steps)


def test_all_that_is_missing_is_told_at_once(office, clerk):
    page = take_in(clerk, received=MATERIALS[:3], more="消防设计文件\n\n", **COMPANY)
    assert re.findall(r"<li>([^<]+)</li>", page.text) == ["建设项目方案", "土地权属证明", "消防设计文件"]
    (case,) = cases(office)
    course = clerk.get(f"/desk/cases/{case.id}").text
    assert ("待补正" in course, "消防设计文件" in course, "二次告知" in course) == (True, True, False)


def test_a_persons_number_is_in_the_body_alone_and_sealed(office, clerk):
    """B54: a personal number is on no page."""
    page = take_in(clerk, **PERSON)
    (case,) = cases(office)
    assert office.vault.open(case.applicant_code_sealed, case.id) == NUMBER
    assert NUMBER not in page.text + str(page.url) + clerk.get(f"/desk/cases/{case.id}").text
    with office.database.read() as session:
        assert not [row for row in session.query(AuditEntry) if NUMBER in f"{row.subject}{row.details}{row.reason}"]


def test_a_refused_form_keeps_what_was_typed_but_not_the_number(office, clerk):
    page = take_in(clerk, **{**PERSON, "field-location": " "})
    assert (page.status_code, "缺少 建设地点" in page.text, 'value="张示例"' in page.text) == (422, True, True)
    assert NUMBER not in page.text
    assert cases(office) == []
    with office.database.read() as session:
        refused = session.query(AuditEntry).where(AuditEntry.actor == "chen", AuditEntry.result == "refused").one()
    assert (refused.kind, refused.reason) == ("case.open", "request_incomplete")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "缺少申请人名称或证件号"), ({"number": ""}, "缺少申请人名称或证件号"),
        ({"checked_how": ""}, "请写明如何核验身份"), ({"number_type": "x"}, "请选择证件种类"),
        ({"sms": "no telephone"}, "联系方式的格式不对"), ({"simulated": "yes"}, "缺少待签署的文件或承诺书"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_in_is_said(office, clerk, change, said):
    page = take_in(clerk, **{**COMPANY, **change})
    assert (page.status_code, said in page.text, cases(office)) == (422, True, [])


def test_a_file_is_taken_in_and_one_that_cannot_be_opened_is_not(office, clerk, one_page):
    refused = take_in(clerk, GIVEN, {"document": ("来文.pdf", b"no file of that kind")}, **COMPANY)
    assert (refused.status_code, cases(office)) == (422, [])
    assert take_in(clerk, GIVEN, **COMPANY).status_code == 422
    assert "查询码" in take_in(clerk, GIVEN, {"document": ("来文.pdf", one_page)}, **COMPANY).text
    (case,) = cases(office)
    address = re.search(r'href="(/desk/cases/[^"]+\.pdf)"', clerk.get(f"/desk/cases/{case.id}").text)[1]
    assert clerk.get(address).content == one_page


def test_an_encrypted_file_is_named_while_the_applicant_is_still_there(office, clerk, one_page):
    """B20: it says that a password is needed."""
    locked = io.BytesIO()
    with pikepdf.open(io.BytesIO(one_page)) as document:
        document.save(locked, encryption=pikepdf.Encryption(owner="example-owner", user="example-user"))
    page = take_in(clerk, GIVEN, {"document": ("来文.pdf", locked.getvalue())}, **COMPANY)
    assert (page.status_code, "密码" in page.text, cases(office)) == (422, True, [])


def test_a_form_that_is_sent_twice_opens_one_case(office, clerk):
    """B47: one application is one case."""
    typed = {"key": "a" * 32, "received": MATERIALS, **COMPANY}
    assert clerk.post(TWO, data=typed).status_code == 200
    again = clerk.post(TWO, data=typed)
    assert (again.status_code, len(cases(office))) == (422, 1)
    assert cases(office)[0].number in again.text


def test_only_a_clerk_takes_in_and_only_matters_of_the_own_department(office, clerk, logged_in):
    reviewer = logged_in("li")
    assert reviewer.get(TWO).status_code == 403
    assert reviewer.post(TWO, data=COMPANY).status_code == 422
    unknown = clerk.get("/desk/cases/new?matter=nonsense")
    assert (unknown.status_code, "nonsense" in unknown.text) == (422, True)
    assert clerk.post(TWO, data=COMPANY, headers={"origin": "https://evil.example"}).status_code == 403
    assert cases(office) == []


def test_by_keyboard_on_a_phone_in_both_languages_and_accessible(office, paired, scripted):
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN").new_page()
        surface = scripted()
        surface.code = lambda: page.inner_text("#code")
        log_in(paired("chen"), office.key_of("chen"), surface, page.goto)
        expect(page).to_have_url(f"{office.origin}/desk", timeout=20_000)
        for language in ("zh", "en"):
            page.goto(f"{office.origin}{TWO}&lang={language}")
            look(page, f"new-case-phone-{language}")
        fill_in_by_keyboard(page)
        expect(page.locator("#query-code")).to_be_visible()
        look(page, "case-taken-in-phone")
        browser.close()
    assert [case.state for case in cases(office)] == ["material_missing"]


def look(page, name):
    """Kept as a picture; nothing sticks out to the side, and axe finds nothing."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [(each["id"], each["nodes"][0]["html"]) for each in Axe().run(page).response["violations"]] == []


def fill_in_by_keyboard(page):
    page.focus("#f-name")
    order = ["name", None, "number", "checked_how", "sms", "mail", "project_name", "location", "content"]
    typed = {**COMPANY, "project_name": "滨河路1号楼", "location": "示例区", "content": "新建"}
    for name in order:
        page.keyboard.type(typed.get(name, "") if name else "")
        page.keyboard.press("Tab")
    page.focus("#take-in")
    page.keyboard.press("Enter")
