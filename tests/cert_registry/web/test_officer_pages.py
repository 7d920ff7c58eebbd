"""/registry: who sees what, acts with reason and basis, issue, grants, bulk, notices; in a browser, checked by axe."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi.testclient import TestClient
from playwright.sync_api import sync_playwright

from cert_registry.app import create_app
from cert_registry.licences.bulk import BulkIssuing, waiting_jobs
from cert_registry.sharing.subscriptions import DEAD, Delivery, Subscription, subscribe
from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.people.departments import Department
from signing_service.people.officers import Officer, RoleGrant
from signing_service.people.rules import GrantState, Role
from signing_service.people.sessions import ACTIVE, OfficerSession, Sessions, session_hash
from signing_service.web.browser_session import BrowserSessions
from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.world import BUREAU, COMPANY, PERSON, SHOP, TRANSPORT, business

ORIGIN = "http://testserver"
HTML = {"Accept": "text/html", "Origin": ORIGIN}
OFFICERS = {
    "clerk": (BUREAU, Role.LICENCE_CLERK), "other-clerk": (TRANSPORT, Role.LICENCE_CLERK),
    "auditor": (TRANSPORT, Role.AUDITOR), "reviewer": (BUREAU, Role.REVIEWER),
}  # fmt: skip
CHROMIUM = "/usr/bin/chromium"
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "registry"
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
As = Callable[[str], TestClient]


def people(registry: Registry) -> None:
    """Departments, officers and their sessions, as log-in would leave them."""
    now = datetime.now(UTC)
    with registry.parts.database.write() as session:
        for body in (BUREAU, TRANSPORT):
            session.add(Department(id=body.code, code=body.code, name=body.name, valid_from=now))
        session.flush()
        for name, (body, role) in OFFICERS.items():
            session.add(Officer(id=name, name=name, department_id=body.code, created_at=now))
            session.flush()
            session.add(
                RoleGrant(
                    officer_id=name, role=role, state=GrantState.ACTIVE, reason="示例", proposed_by="x",
                    proposed_at=now, decided_by="y", decided_at=now,
                )
            )  # fmt: skip
            session.add(
                OfficerSession(
                    id=session_hash(f"cookie-{name}"), officer_id=name, agent="pc", state=ACTIVE, certificate="c",
                    created_at=now, active_since=now, seen_at=now,
                )
            )  # fmt: skip


def with_desk(registry: Registry, origin: str = ORIGIN) -> Any:
    registry.clock.instant = datetime.now(UTC)
    sessions = Sessions(registry.parts.database, registry.clock, AuditLog(), lambda _fingerprint: True)
    return create_app(replace(registry.parts, browsers=BrowserSessions(sessions, origin)))


@pytest.fixture
def sign_in(registry: Registry) -> As:
    """A browser of an officer, on an application with the officers' pages."""
    people(registry)
    app = with_desk(registry)
    return lambda name: TestClient(app, headers=HTML, cookies={"zhengyin": f"cookie-{name}"})


def test_who_sees_what(registry: Registry, sign_in: As) -> None:
    done = registry.issue(business())
    address = f"/registry/licences/{done.identifier}"
    seen = {name: sign_in(name).get(address).status_code for name in OFFICERS}
    assert seen == {"clerk": 200, "other-clerk": 404, "auditor": 200, "reviewer": 403}
    assert sign_in("nobody").get(address, follow_redirects=False).headers["location"] == "/desk/login"
    assert {name: done.number in sign_in(name).get("/registry").text for name in ("clerk", "other-clerk")} == {
        "clerk": True, "other-clerk": False,
    }  # fmt: skip
    acts = {name: sign_in(name).post(f"{address}/acts/suspend").status_code for name in OFFICERS}
    assert acts == {"clerk": 422, "other-clerk": 404, "auditor": 403, "reviewer": 403}
    foreign = sign_in("clerk").post(f"{address}/acts/suspend", headers={"Origin": "https://evil.example.cn"})
    assert foreign.status_code == 403


def test_a_look_is_logged_and_shown_and_numbers_are_masked(registry: Registry, sign_in: As) -> None:
    done = registry.issue(business(holders=[COMPANY]))
    person = registry.issue(business("case-2", type="approval-reply", holders=[PERSON], fields={"content": "同意。"}))
    clerk = sign_in("clerk")
    page = clerk.get(f"/registry/licences/{person.identifier}").text
    assert PERSON.code not in page
    assert "11**************2X" in page
    clerk.get(f"/registry/licences/{done.identifier}")
    found = clerk.post("/registry/search", data={"words": PERSON.code})
    assert (person.number in found.text, PERSON.code in found.text, PERSON.code in str(found.url)) == (
        True,
        False,
        False,
    )
    assert done.number in clerk.post("/registry/search", data={"words": f" {done.number} "}).text
    assert "没有找到" in sign_in("other-clerk").post("/registry/search", data={"words": done.number}).text
    assert "经办人员查看" in clerk.get(f"/registry/licences/{done.identifier}").text


def test_acts_need_reason_and_basis_and_ending_needs_the_number(registry: Registry, sign_in: As) -> None:
    done = registry.issue(business())
    clerk, address = sign_in("clerk"), f"/registry/licences/{done.identifier}"
    refused = clerk.post(f"{address}/acts/suspend", data={"reason": "限期整改"})
    assert (refused.status_code, 'value="限期整改"' in refused.text) == (422, True)
    given = {"reason": "限期整改", "basis": "示例条例第十条", "effective": "2026-11-24"}
    assert "暂扣" in clerk.post(f"{address}/acts/suspend", data=given).text
    entry = re.search(r"acts/void\?entry=(\d+)", clerk.get(address).text)
    assert entry
    back = clerk.post(f"{address}/acts/void", data={"reason": "录错", "voids": entry[1]})
    assert "已更正" in back.text
    assert clerk.post(f"{address}/acts/revoke", data={**given, "typed": "x"}).status_code == 400
    page = clerk.post(f"{address}/acts/revoke", data={**given, "typed": done.number}).text
    assert "被依法撤销" in page
    assert clerk.post(f"{address}/acts/suspend", data=given).status_code == 409
    with registry.parts.database.read() as session:
        kinds = [(one.kind, one.result) for one in entries_about(session, f"licence:{done.identifier}")]
    assert kinds.count(("licence.operation", "allowed")) == 3
    assert kinds.count(("licence.operation", "refused")) == 2
    assert "被拒绝" not in clerk.get(address).text


def test_a_licence_is_issued_from_the_catalogues_form(registry: Registry, sign_in: As) -> None:
    clerk = sign_in("clerk")
    form = clerk.get("/registry/new", params={"type": "food-licence"}).text
    assert "主体业态" in form
    given = {
        "type": "food-licence", "case": "2026-7", "holder-name-0": SHOP.name, "holder-code-0": SHOP.code,
        "holder-kind-0": "001", "field-legal_representative": "张示例", "field-place": "示例路",
        "field-business_form": "餐饮服务经营者", "field-items": "热食\n冷食",
    }  # fmt: skip
    wrong = clerk.post("/registry/new", data={**given, "holder-code-0": "92990100MA0000023X"})
    assert (wrong.status_code, "示例路" in wrong.text) == (422, True)
    page = clerk.post("/registry/new", data=given)
    assert (page.status_code, "热食、冷食" in page.text, "有效" in page.text) == (200, True, True)
    again = clerk.post("/registry/new", data=given)
    assert (again.status_code, "已" in again.text) == (409, True)
    assert "没有登记可以颁发" not in sign_in("other-clerk").get("/registry/new").text
    not_mine = sign_in("other-clerk").post("/registry/new", data=given)
    assert not_mine.status_code == 400


def test_grants_are_given_and_withdrawn_for_own_types_alone(registry: Registry, sign_in: As) -> None:
    done = registry.issue(business())
    with registry.parts.database.write() as session:
        session.add(Department(id="housing", code="h", name="示例市住房和城乡建设局", valid_from=registry.clock.now()))
    clerk, body = sign_in("clerk"), {**PURPOSE, "identifier": done.identifier}
    given = {
        "department": "housing", "type": "business-licence", "actions": ["verify"], "matters": "M1、M2",
        "until": "2027-12-31", "basis": "示例办法",
    }  # fmt: skip
    assert registry.call("POST", "/verify/identifier", json=body).status_code == 404
    assert clerk.post("/registry/grants", data={**given, "fields": "no_such"}).status_code == 400
    assert "示例市住房和城乡建设局" in clerk.post("/registry/grants", data=given).text
    assert registry.call("POST", "/verify/identifier", json=body).status_code == 200
    assert sign_in("other-clerk").post("/registry/grants", data=given).status_code == 400
    grant_id = registry.call("GET", "/grants").json()["items"][0]["id"]
    end = f"/registry/grants/{grant_id}/withdraw"
    assert sign_in("other-clerk").post(end, data={"reason": "x"}).status_code == 404
    assert sign_in("auditor").post(end, data={"reason": "x"}).status_code == 403
    assert clerk.post(end, data={"reason": ""}).status_code == 400
    assert "已结束" in clerk.post(end, data={"reason": "不再需要"}).text
    assert registry.call("POST", "/verify/identifier", json=body).status_code == 404


HEAD = "holder_name,holder_code,legal_representative,place,business_form,items\n"
ROW = f"{SHOP.name},{SHOP.code},张示例,示例路,餐饮服务经营者,热食\n"


def test_a_bulk_file_is_reported_by_row_or_issued(registry: Registry, sign_in: As) -> None:
    clerk = sign_in("clerk")

    def upload(text: str, name: str = "rows.csv") -> Any:
        files = {"file": (name, io.BytesIO(text.encode()))}
        return clerk.post("/registry/bulk", data={"type": "food-licence"}, files=files)

    wrong = upload(HEAD + ROW + ROW.replace(SHOP.code, "92990100MA0000023X"))
    assert (wrong.status_code, '<td data-label="行">2</td>' in wrong.text) == (422, True)
    assert "92990100MA0000023X" not in wrong.text
    assert upload(HEAD + ROW, "rows.doc").status_code == 400
    page = upload(HEAD + ROW * 3)
    assert (page.status_code, "0 / 3" in page.text, "可以离开此页" in page.text) == (200, True, True)
    (job,) = waiting_jobs(registry.parts.issuing)
    assert sign_in("other-clerk").get(f"/registry/bulk/{job}").status_code == 404
    assert "0 / 3" in sign_in("auditor").get("/registry/bulk").text
    BulkIssuing(registry.parts.issuing, registry.parts.paper_code, registry.parts.seal).run(job)
    assert "全部颁发完毕" in clerk.get(f"/registry/bulk/{job}").text


def test_dead_letters_are_seen_and_sent_again(registry: Registry, sign_in: As) -> None:
    with registry.parts.database.write() as session:
        row = Subscription(
            client_id="c", department="housing", matter="M1", url="https://housing.example.cn/hook?secret=1", types=[],
            issuers=["119901"],
        )  # fmt: skip
        name = subscribe(session, row, "client:c", registry.clock.now())
        session.flush()
        now = registry.clock.now()
        session.add(
            Delivery(subscription_id=name, event_number=7, state=DEAD, due_at=now, attempts=6, last_error="HTTP 500")
        )
    page = sign_in("clerk").get("/registry/webhooks").text
    assert ("HTTP 500" in page, "housing.example.cn" in page, "secret" in page) == (True, True, False)
    assert sign_in("auditor").post(f"/registry/webhooks/{name}/replay").status_code == 403
    assert "HTTP 500" not in sign_in("clerk").post(f"/registry/webhooks/{name}/replay").text
    with registry.parts.database.read() as session:
        assert [one.kind for one in entries_about(session, f"subscription:{name}")][-1] == "sharing.replayed"


def test_the_bodies_concerned_are_told_of_merged_certificates(registry: Registry, sign_in: As) -> None:
    food = {"legal_representative": "张示例", "place": "示例路", "business_form": "餐饮服务经营者", "items": ["热食"]}
    registry.issue(business("case-1", type="food-licence", fields=food))
    registry.issue(business("case-2", absorbs=["food-licence"]))
    page = sign_in("clerk").get("/registry").text
    number = re.search(r"/registry/notices/(\d+)/read", page)
    assert number
    assert "多证合一" in page
    assert "多证合一" not in sign_in("other-clerk").get("/registry").text
    assert sign_in("other-clerk").post(f"/registry/notices/{number[1]}/read").status_code == 404
    assert "多证合一" not in sign_in("clerk").post(f"/registry/notices/{number[1]}/read").text


@pytest.mark.slow
def test_in_a_browser_on_desk_and_phone(registry: Registry, tmp_path: Path) -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    people(registry)
    done = registry.issue(business())
    server = uvicorn.Server(uvicorn.Config(with_desk(registry), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    origin = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    licence = f"/registry/licences/{done.identifier}"
    pages = {
        "search": "/registry", "licence": licence, "act": f"{licence}/acts/revoke", "choose": "/registry/new",
        "issue": "/registry/new?type=business-licence", "grants": "/registry/grants", "bulk": "/registry/bulk",
        "webhooks": "/registry/webhooks", "connect": "/connect",
    }  # fmt: skip
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for width, language in ((1280, "zh"), (360, "zh"), (1280, "en"), (360, "en")):
                context = browser.new_context(viewport={"width": width, "height": 800})
                context.add_cookies([{"name": "zhengyin", "value": "cookie-clerk", "url": origin}])
                page = context.new_page()
                for name, address in pages.items():
                    page.goto(f"{origin}{address}{'&' if '?' in address else '?'}lang={language}")
                    found = Axe().run(page).response["violations"]
                    shown = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]
                    assert (name, width, shown) == (name, width, [])
                    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                    assert (name, width, wide <= 0) == (name, width, True)
                    ARTEFACTS.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=ARTEFACTS / f"{name}-{width}-{language}.png", full_page=True)
                context.close()
            browser.close()
    finally:
        server.should_exit = True
        thread.join()
