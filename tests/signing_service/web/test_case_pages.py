"""A clerk's pages over a running server: the table, the course of a case, every act of the window."""

import csv
import io
import re

import pytest

from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.returning import return_case
from signing_service.approvals.rules import Actor
from signing_service.kernel.audit_log import AuditEntry
from signing_service.web import case_pages

CLERK = Actor("clerk", "approvals", frozenset({"window"}))


def open_case(office, name="示例建设有限公司", **more):
    fields = {"project_name": "滨河路1号楼", "location": "示例区滨河路", "content": "新建综合楼一栋"}
    request = CaseRequest("project-plan", Applicant(name, "91990000MA990001X2"), fields, **more)
    return intake.open_case(office.work, request, CLERK)


def state_of(page):
    return re.search(r'id="state">([^<]+)<', page.text)[1]


def act(browser, case, name, **fields):
    return browser.post(f"/desk/cases/{case.case_id}/{name}", data=fields)


@pytest.fixture
def clerk(office, logged_in):
    return logged_in("chen")


def test_from_receipt_to_acceptance_with_one_notice_and_a_marked_second(office, clerk):
    case = open_case(office)
    assert state_of(clerk.get(f"/desk/cases/{case.case_id}")) == "已收件"
    page = act(clerk, case, "ask", items="总平面图\n\n消防设计文件\n")
    assert state_of(page) == "待补正"
    assert page.text.count("<li>") == 2
    assert "二次告知" not in page.text
    assert state_of(act(clerk, case, "supplement")) == "已收件"
    page = act(clerk, case, "ask", items="土地证明")
    assert "这是第二次告知" in page.text
    assert "二次告知" in clerk.get("/desk/cases").text
    act(clerk, case, "supplement")
    assert state_of(act(clerk, case, "accept")) == "审批中"
    with office.database.read() as session:
        kinds = [row.kind for row in session.query(AuditEntry).where(AuditEntry.actor == "chen")]
    assert [kind for kind in kinds if kind == "case.accept"] == ["case.accept"]


def test_the_clock_is_stopped_and_extended_with_reason_and_basis(office, clerk):
    case = open_case(office)
    act(clerk, case, "accept")
    page = act(clerk, case, "pause", reason="专家评审", legal_basis="")
    assert page.status_code == 422
    assert 'value="专家评审"' in page.text, "nothing typed is lost"
    page = act(clerk, case, "pause", reason="专家评审", legal_basis="《示例办法》第十条")
    assert "特别程序" in page.text
    assert "恢复计时" in page.text
    before = re.search(r"承诺期限</dt><dd>([^<]+)", act(clerk, case, "resume").text)[1]
    page = act(clerk, case, "extend", days="5", reason="案情复杂", legal_basis="《示例办法》第十一条")
    assert re.search(r"承诺期限</dt><dd>([^<]+)", page.text)[1] != before


def test_cards_are_shown_in_the_table_and_on_the_course(office, clerk, logged_in):
    case = open_case(office)
    act(clerk, case, "accept")
    office.clock.advance(days=40)
    again = logged_in("chen")
    assert "红牌:已超期" in again.get(f"/desk/cases/{case.case_id}").text
    assert case.number in again.get("/desk/cases?card=red").text
    assert case.number not in again.get("/desk/cases?card=yellow").text


def test_the_table_filters_sorts_and_exports(office, clerk):
    first, second = open_case(office), open_case(office, "=HYPERLINK(示例)")
    act(clerk, first, "accept")
    assert second.number not in clerk.get("/desk/cases?state=in_review").text
    assert first.number not in clerk.get("/desk/cases?text=HYPERLINK").text
    page = clerk.get("/desk/cases?sort=number").text
    assert page.index(first.number) < page.index(second.number)
    answer = clerk.get("/desk/cases.csv?sort=number")
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert "filename*=UTF-8''%E5%8A%9E%E4%BB%B6-" in disposition, "B51: a Chinese name"
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["办件编号", first.number, second.number]
    assert rows[2][2] == "'=HYPERLINK(示例)", "a spreadsheet must not run a cell"


def test_the_table_has_pages(office, clerk, monkeypatch):
    monkeypatch.setattr(case_pages, "PAGE", 2)
    cases = [open_case(office) for _ in range(3)]
    page = clerk.get("/desk/cases?sort=number")
    assert cases[1].number in page.text
    assert cases[2].number not in page.text
    assert cases[2].number in clerk.get("/desk/cases?sort=number&page=2").text


def test_versions_are_downloaded_and_a_returned_case_goes_back_into_review(office, clerk):
    case = open_case(office)
    act(clerk, case, "accept")
    reviewer = Actor("li", "approvals", frozenset({"reviewer"}))
    return_case(office.work, case.case_id, case.step_ids[0], reviewer, "面积不符")
    page = clerk.get(f"/desk/cases/{case.case_id}")
    assert state_of(page) == "已退回"
    (address,) = re.findall(r'href="(/desk/cases/[^"]+\.pdf)"', page.text)
    assert clerk.get(address).content.startswith(b"%PDF-")
    assert state_of(act(clerk, case, "resubmit")) == "审批中"


def test_what_cannot_be_undone_is_typed(office, clerk):
    case = open_case(office)
    assert state_of(act(clerk, case, "refuse", reason="不属于本部门")) == "不予受理"
    page = act(clerk, case, "recall", reason="错发", typed="x")
    assert page.status_code == 422
    assert "请输入办件编号以确认" in page.text


def test_a_lost_query_code_is_replaced_and_shown_once(office, clerk):
    case = open_case(office)
    page = act(clerk, case, "query-code", reason="查验身份证原件")
    assert re.search(r"新的查询码 [0-9A-Z]{4}-[0-9A-Z]{4}", page.text)
    assert "新的查询码" not in clerk.get(f"/desk/cases/{case.case_id}").text


def test_only_a_clerk_of_the_department_acts_and_the_refusal_is_logged(office, clerk, logged_in):
    case = open_case(office)
    reviewer = logged_in("li")
    page = reviewer.get(f"/desk/cases/{case.case_id}")
    assert page.status_code == 200
    assert "do-accept" not in page.text
    assert act(reviewer, case, "accept").status_code == 422
    assert state_of(clerk.get(f"/desk/cases/{case.case_id}")) == "已收件"
    with office.database.read() as session:
        refused = session.query(AuditEntry).where(AuditEntry.actor == "li", AuditEntry.result == "refused").all()
    assert [entry.reason for entry in refused] == ["role_missing"]
    assert act(clerk, case, "nonsense").status_code == 404
    assert clerk.get("/desk/cases/" + "0" * 32).status_code == 404


def test_another_departments_case_is_not_there(office, clerk):
    case = open_case(office)
    with office.database.write() as session:
        found = course.find_case(session, case.case_id)
        found.department = "housing"
        for step in found.steps:
            step.department = "housing"
    assert clerk.get(f"/desk/cases/{case.case_id}").status_code == 404
    assert act(clerk, case, "accept").status_code == 404
    assert case.number not in clerk.get("/desk/cases").text


def test_acts_that_come_from_another_site_do_nothing(office, clerk):
    case = open_case(office)
    answer = clerk.post(f"/desk/cases/{case.case_id}/accept", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert state_of(clerk.get(f"/desk/cases/{case.case_id}")) == "已收件"
