import re

import httpx
import pytest

from signing_service.agent.errors import OriginDiffers, ServerRefused
from signing_service.agent.login import log_in
from signing_service.agent.work import WorkTable
from signing_service.approvals.matter_catalogue import StepPlan
from signing_service.approvals.register import ApprovalCase
from signing_service.errors import Text
from signing_service.kernel.audit_log import AuditEntry
from signing_service.people.notice_outbox import Notice, To, queue_notice


def references(page):
    return re.findall(r'name="reference" value="([^"]+)"', page.text)


def sign_at(office, officer, surface, connection):
    table = WorkTable(connection, office.key_of(officer), surface, office.servers_of(officer), "示例市政印")
    return table.sign_list(table.next_list(wait=0))


def test_a_reviewer_logs_in_reads_signs_and_the_next_step_opens(office, logged_in, paired, scripted):
    office.open_cases(2)
    browser, connection = logged_in("li"), paired("li")
    desk = browser.get("/desk")
    assert desk.text.count("data-item") == 2
    assert "未读" in desk.text
    first = references(desk)[0]
    document = browser.get(f"/desk/documents/{first}")
    assert "spot-layer" in document.text
    picture = browser.get(f"/desk/documents/{first}/pages/1.png")
    assert picture.content.startswith(b"\x89PNG")
    browser.post(f"/desk/documents/{first}/read")
    assert "标为已读" not in browser.get(f"/desk/documents/{first}").text
    batch = browser.post("/desk/batches", data={"reference": references(desk), "opinion": "材料齐全,同意。"})
    code = re.search(r'id="code">([^<]+)<', batch.text)[1]
    surface = scripted()
    assert sign_at(office, "li", surface, connection) == 2
    assert surface.shown[-1][:2] == ("示例市政印", code)
    assert surface.pins_asked == 1
    state = browser.get(f"{batch.url.path}/state").json()
    assert (state["completed"], state["open"]) == (2, 0)
    assert references(browser.get("/desk?which=signed")) == []
    assert browser.get("/desk?which=signed").text.count("data-item") == 2
    assert "材料齐全,同意。" in browser.get("/desk").text
    assert browser.get("/desk").text.count("data-item") == 2


def test_both_steps_are_signed_and_the_case_is_approved(office, logged_in, paired, scripted):
    [case] = office.open_cases(1)
    for officer in ("li", "wang"):
        browser = logged_in(officer)
        pending = references(browser.get("/desk"))
        browser.post("/desk/batches", data={"reference": pending, "opinion": "同意。"})
        assert sign_at(office, officer, scripted(), paired(officer)) == 1
    with office.database.read() as session:
        row = session.get_one(ApprovalCase, case.case_id)
        assert row.state == "approved"
        assert [step.state for step in row.steps] == ["signed", "signed"]


def test_without_a_session_there_is_only_the_log_in_page(office):
    with httpx.Client(base_url=office.origin, headers={"accept": "text/html"}) as stranger:
        assert stranger.get("/desk").headers["location"] == "/desk/login"
        assert stranger.get("/admin").status_code == 303
        api = stranger.get("/desk", headers={"accept": "application/json"})
        assert (api.status_code, api.json()["code"]) == (401, "session_ended")
        assert office.identity.fingerprint in stranger.get("/desk/login").text


def test_the_cookie_is_strict_and_hidden_from_scripts(office, paired):
    address = paired("li").post("/agent/v1/login").json()["address"]
    reply = httpx.get(address)
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "http://127.0.0.1"])
def test_writes_from_elsewhere_do_nothing(office, logged_in, origin):
    office.open_cases(1)
    browser = logged_in("li")
    reference = references(browser.get("/desk"))[0]
    del browser.headers["origin"]
    headers = {} if origin is None else {"origin": origin}
    for path, data in (
        (f"/desk/documents/{reference}/read", {}),
        ("/desk/batches", {"reference": reference}),
        ("/desk/logout", {}),
    ):
        reply = browser.post(path, data=data, headers={**headers, "accept": "application/json"})
        assert (reply.status_code, reply.json()["code"]) == (403, "origin_refused")
    assert "未读" in browser.get("/desk").text


def test_a_ticket_opens_one_page_once_and_not_for_long(office, paired):
    address = paired("li").post("/agent/v1/login").json()["address"]
    assert httpx.get(address).status_code == 303
    assert httpx.get(address).status_code == 410
    late = paired("li").post("/agent/v1/login").json()["address"]
    office.clock.advance(seconds=31)
    assert httpx.get(late).status_code == 410


def test_a_ticket_that_another_site_links_to_logs_nobody_in(office, paired):
    address = paired("li").post("/agent/v1/login").json()["address"]
    lured = httpx.get(address, headers={"sec-fetch-site": "cross-site"})
    assert (lured.status_code, "set-cookie" in lured.headers) == (403, False)
    assert httpx.get(address, headers={"sec-fetch-site": "none"}).status_code == 303


def test_a_relaying_site_gets_no_session(office, paired, scripted):
    """Another site shows the officer a code of its own: of a page that the officer's agent did not open."""
    attacker = httpx.Client(base_url=office.origin, follow_redirects=True)
    ticket_of_attacker = paired("wang").post("/agent/v1/login").json()["address"]
    code = re.search(r'id="code">([^<]+)<', attacker.get(ticket_of_attacker).text)[1]
    surface = scripted()
    surface.code = code
    with pytest.raises(ServerRefused) as refused:
        log_in(paired("li"), office.key_of("li"), surface, lambda address: None)
    assert refused.value.server_code == "login_code_wrong"
    assert surface.pins_asked == 0
    assert attacker.get("/desk/login/state").json()["state"] == "waiting"


def test_a_server_that_asks_for_a_log_in_elsewhere_gets_no_signature(office, paired, scripted):
    """A relaying server answers with the challenge of the site that it wants to enter."""
    connection, surface = paired("li"), scripted()
    surface.code = "ABCDEF"

    class Relay:
        origin = connection.origin

        def post(self, path, content=None):
            class Answer:
                def json(self):
                    return {
                        "address": f"{connection.origin}/desk/login?ticket=x",
                        "origin": "https://bank.example", "session": "0" * 64, "nonce": "1" * 64,
                    }  # fmt: skip

            return Answer()

    with pytest.raises(OriginDiffers, match="bank"):
        log_in(Relay(), office.key_of("li"), surface, lambda address: None)
    assert surface.pins_asked == 0


def test_wrong_codes_end_the_page(office, paired, scripted):
    connection = paired("li")
    page = httpx.Client(base_url=office.origin, follow_redirects=True)
    code = re.search(r'id="code">([^<]+)<', page.get(connection.post("/agent/v1/login").json()["address"]).text)[1]
    for _ in range(5):
        with pytest.raises(ServerRefused, match="login_code_wrong"):
            connection.post("/agent/v1/login/code", {"code": "WRONG2"})
    with pytest.raises(ServerRefused, match="login_code_wrong"):
        connection.post("/agent/v1/login/code", {"code": code})
    assert page.get("/desk/login/state").json()["state"] == "ended"


def test_sessions_end_idle_after_ten_hours_and_with_the_certificate(office, logged_in):
    idle = logged_in("li")
    office.clock.advance(minutes=29)
    assert idle.get("/desk").status_code == 200
    office.clock.advance(minutes=30)
    assert idle.get("/desk").url.path == "/desk/login"
    steady = logged_in("li")
    for _ in range(20):
        office.clock.advance(minutes=29)
        assert steady.get("/desk").url.path == "/desk"
    office.clock.advance(minutes=29)
    assert steady.get("/desk").url.path == "/desk/login"
    revoked = logged_in("li")
    office.revoke(office.ring["li"].login)
    assert revoked.get("/desk").url.path == "/desk/login"


def test_log_out_here_and_everywhere(office, logged_in):
    first, second = logged_in("li"), logged_in("li")
    first.post("/desk/logout")
    assert first.get("/desk").url.path == "/desk/login"
    assert second.get("/desk").url.path == "/desk"
    third = logged_in("li")
    second.post("/desk/logout-everywhere")
    assert third.get("/desk").url.path == "/desk/login"


def test_nobody_sees_the_documents_of_others(office, logged_in, paired, scripted):
    office.open_cases(1)
    reference = references(logged_in("li").get("/desk"))[0]
    stranger = logged_in("admin-1")
    for path in ("", "/pages/1.png", "/file.pdf"):
        assert stranger.get(f"/desk/documents/{reference}{path}").status_code == 404
    assert stranger.post("/desk/batches", data={"reference": reference, "opinion": "同意。"}).status_code == 404
    for bad in ("x", "x.y.z", "../../etc/passwd", f"{reference}9", "a.1.1"):
        assert stranger.get(f"/desk/documents/{bad}").status_code == 404


def test_an_agent_is_ended_by_its_officer_alone(office, logged_in, paired):
    connection = paired("li")
    agent = connection.credentials.partition(":")[0]
    assert logged_in("wang").post("/desk/agents/end", data={"agent": agent}).status_code == 401
    assert connection.get("/agent/v1/work?wait=0").json() == {"batch": None}
    assert logged_in("li").post("/desk/agents/end", data={"agent": agent}).status_code == 200
    with pytest.raises(ServerRefused, match="agent_unknown"):
        connection.get("/agent/v1/work?wait=0")


def test_a_role_takes_two_administrators_on_the_pages(office, logged_in):
    first, second = logged_in("admin-1"), logged_in("admin-2")
    form = {"id": "wang", "role": "seal_holder", "reason": "新任"}
    assert "新任" in first.post("/admin/grants", data=form).text
    action = re.search(r'action="(/admin/grants/\d+/confirm)"', first.get("/admin").text)[1]
    assert first.post(action).status_code == 409
    assert second.post(action).status_code == 200
    assert second.get("/admin").text.count("用印人") > first.get("/admin?lang=en").text.count("用印人")
    assert logged_in("li").get("/admin").status_code == 403
    assert logged_in("li").post("/admin/grants", data=form).status_code == 403


def test_officers_are_added_and_leave_with_a_typed_confirmation(office, logged_in):
    administrator = logged_in("admin-1")
    new = {"id": "zhao", "name": "审批员丙", "department": "housing"}
    assert "审批员丙" in administrator.post("/admin/officers", data=new).text
    assert administrator.post("/admin/officers", data=new).status_code == 409
    reviewer = logged_in("wang")
    leaving = {"id": "wang", "typed": "wan", "reason": "退休"}
    assert administrator.post("/admin/officers/leave", data=leaving).status_code == 400
    assert administrator.post("/admin/officers/leave", data={**leaving, "typed": "wang"}).status_code == 200
    assert reviewer.get("/desk").url.path == "/desk/login"


def test_a_case_is_returned_with_a_reason_and_the_next_one_opens(office, logged_in):
    office.open_cases(2)
    browser = logged_in("li")
    first, second = references(browser.get("/desk"))
    empty = browser.post(f"/desk/documents/{first}/return", data={"reason": "  "})
    assert empty.status_code == 400
    after = browser.post(f"/desk/documents/{first}/return", data={"reason": "面积与图纸不符"})
    assert after.url.path == f"/desk/documents/{second}"
    assert references(browser.get("/desk")) == [second]
    assert browser.get("/desk?which=returned").text.count("data-item") == 1


def test_a_signature_is_withdrawn_until_the_next_step_takes_it_up(office, logged_in, paired, scripted):
    office.open_cases(1)
    browser = logged_in("li")
    [reference] = references(browser.get("/desk"))
    browser.post("/desk/batches", data={"reference": reference, "opinion": "同意。"})
    sign_at(office, "li", scripted(), paired("li"))
    assert "撤回签名" in browser.get(f"/desk/documents/{reference}").text
    assert browser.post(f"/desk/documents/{reference}/withdraw", data={"reason": "看错了"}).status_code == 200
    [again] = [each for each in references(browser.get("/desk")) if each.split(".")[1] == reference.split(".")[1]]
    assert again != reference
    browser.post("/desk/batches", data={"reference": again, "opinion": "再审后同意。"})
    assert sign_at(office, "li", scripted(), paired("li")) == 1
    other = logged_in("wang")
    [step] = references(other.get("/desk"))
    other.post(f"/desk/documents/{step}/read")
    assert "撤回签名" not in browser.get(f"/desk/documents/{again}").text
    assert browser.post(f"/desk/documents/{again}/withdraw", data={"reason": "晚了"}).status_code == 409


def test_a_colleague_signs_within_the_days_of_a_delegation(office, logged_in, paired, scripted):
    office.open_cases(1)
    browser = logged_in("li")
    [reference] = references(browser.get("/desk"))
    days = {"first": "2026-11-24", "last": "2026-11-26", "reason": "出差"}
    nobody = browser.post(f"/desk/documents/{reference}/delegate", data={"to": "nobody", **days})
    assert nobody.status_code == 404
    assert browser.post(f"/desk/documents/{reference}/delegate", data={"to": "wang", **days}).status_code == 200
    colleague = logged_in("wang")
    assert "代" in colleague.get("/desk").text
    colleague.post("/desk/batches", data={"reference": reference, "opinion": "同意。"})
    assert sign_at(office, "wang", scripted(), paired("wang")) == 1
    assert colleague.get("/desk?which=signed").text.count("data-item") == 1


def test_what_must_be_read_first_is_not_frozen_unread(office, logged_in):
    route = [StepPlan(1, "审查", "approvals", "reviewer", 5)]
    office.open_cases(1, matter="joint-review", route=route)
    browser = logged_in("li")
    [reference] = references(browser.get("/desk"))
    form = {"reference": reference, "opinion": "同意。"}
    unread = browser.post("/desk/batches", data=form)
    assert (unread.status_code, "尚未阅读" in unread.text) == (409, True)
    browser.post(f"/desk/documents/{reference}/read")
    assert "/desk/batches/" in browser.post("/desk/batches", data=form).url.path


def test_departments_addresses_and_dead_notices_are_the_administrators(office, logged_in):
    admin, reviewer = logged_in("admin-1"), logged_in("li")
    page = admin.post("/admin/departments", data={"id": "water", "name": "示例市水务局", "code": "11990000MB99000398"})
    assert page.status_code == 422, "the check character is wrong"
    for browser, status in ((reviewer, 403), (admin, 200)):
        renamed = {"id": "housing", "name": "示例市住房保障局", "legal_basis": "示例市机构改革方案"}
        assert browser.post("/admin/departments/rename", data=renamed).status_code == status
    assert "示例市住房保障局" in admin.get("/admin").text
    contact = {"id": "li", "channel": "mail", "address": "li@zw.example.cn"}
    assert reviewer.post("/admin/contacts", data=contact).status_code == 403
    assert "li@zw.example.cn" not in admin.post("/admin/contacts", data=contact).text
    now = office.clock.now()
    with office.database.write() as session:
        queue_notice(session, "k", "deadline", To("mail", "li@zw.example.cn"), Text("办件1到期", "Case 1 is due"), now)
        session.query(Notice).one().state = "dead"
    assert "办件1到期" in admin.get("/admin/notices").text
    assert reviewer.get("/admin/notices").status_code == 403
    notice = re.search(r"/admin/notices/(\d+)/replay", admin.get("/admin/notices").text)[1]
    assert reviewer.post(f"/admin/notices/{notice}/replay").status_code == 403
    assert "办件1到期" not in admin.post(f"/admin/notices/{notice}/replay").text
    with office.database.read() as session:
        assert session.query(Notice).one().state == "pending"
        logged = session.query(AuditEntry).where(AuditEntry.kind == "notice.replay").all()
    assert sorted((entry.actor, entry.result) for entry in logged) == [("admin-1", "allowed"), ("li", "refused")]
