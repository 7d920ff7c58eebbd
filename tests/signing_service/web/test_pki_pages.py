"""The certificate pages with real log-ins: who sees what, two persons for a certificate, and a typed confirmation."""

import re

import httpx
import pytest

from signing_service.pki.register import Holder
from signing_service.pki.rules import Actor


def listing(browser, text="", state=""):
    page = browser.get("/pki", params={"text": text, "state": state})
    assert page.status_code == 200
    return page.text.partition('role="search"')[2]


@pytest.fixture
def asked(logged_in):
    """A request of the operator for a new certificate of li."""
    page = logged_in("wang").post("/pki/requests", data={"owner": "li", "profile": "officer-signing"})
    assert "待审批" in page.text
    return page.url.path.rpartition("/")[2]


def test_an_officer_sees_his_own_and_no_others(logged_in):
    li, wang = logged_in("li"), logged_in("wang")
    assert len(re.findall(r"/pki/certificates/", listing(li))) == 2
    assert "admin-1" in listing(wang)
    theirs = set(re.findall(r"/pki/certificates/([0-9a-f]{32})", listing(wang, "admin-1")))
    assert len(theirs) == 2
    for reference in theirs:
        assert li.get(f"/pki/certificates/{reference}").status_code == 404
        assert li.post(f"/pki/certificates/{reference}/suspend", data={"reason": "x"}).status_code == 404


def test_a_second_person_approves(logged_in, asked):
    operator, li, administrator = logged_in("wang"), logged_in("li"), logged_in("admin-1")
    address = f"/pki/certificates/{asked}"
    assert "/approve" not in operator.get(address).text
    assert "/approve" not in li.get(address).text
    for refused in (operator, li):
        assert refused.post(f"{address}/approve").status_code == 409
    assert "待审批的申请" in administrator.get("/pki").text
    assert "已批准,待制证" in administrator.post(f"{address}/approve").text
    assert "approved, to be made" in administrator.get(address, params={"lang": "en"}).text


def test_a_request_is_refused_with_a_reason(logged_in, asked):
    administrator = logged_in("admin-1")
    address = f"/pki/certificates/{asked}"
    assert administrator.post(f"{address}/refuse", data={"reason": " "}).status_code == 409
    page = administrator.post(f"{address}/refuse", data={"reason": "不在岗"}).text
    assert "已拒绝" in page
    assert "不在岗" in page


def test_hold_release_and_revocation_with_a_typed_confirmation(office, logged_in):
    operator = logged_in("wang")
    li_signing = next(
        reference
        for reference in re.findall(r"/pki/certificates/([0-9a-f]{32})", listing(operator, "li"))
        if "人员签名" in operator.get(f"/pki/certificates/{reference}").text.partition("</h1>")[0]
    )
    address = f"/pki/certificates/{li_signing}"
    assert "已暂停" in operator.post(f"{address}/suspend", data={"reason": "休假"}).text
    assert "有效" in operator.post(f"{address}/release", data={"reason": "返岗"}).text
    lost = {"reason": "遗失", "code": "key_compromise", "lost_on": "2026-11-20"}
    assert operator.post(f"{address}/revoke", data=lost | {"typed": "wang"}).status_code == 400
    assert operator.post(f"{address}/revoke", data=lost | {"typed": "li", "code": "sold"}).status_code == 400
    assert operator.post(f"{address}/revoke", data=lost | {"typed": "li", "lost_on": "yesterday"}).status_code == 400
    assert "已吊销" in operator.post(f"{address}/revoke", data=lost | {"typed": "li"}).text
    with office.database.read() as session:
        row = office.certificates.find(session, li_signing)
        assert (row.state, row.reason) == ("revoked", 1)
        assert row.invalid_from.isoformat() == "2026-11-19T16:00:00+00:00"  # midnight of the 20th in China


def test_who_may_ask_for_what(logged_in):
    li = logged_in("li")
    own = {"owner": "li", "profile": "officer-signing"}
    assert li.post("/pki/requests", data=own).status_code == 200
    assert li.post("/pki/requests", data=own | {"owner": "wang"}).status_code == 403
    assert li.post("/pki/requests", data=own | {"profile": "issuing-ca"}).status_code == 400
    operator = logged_in("wang")
    assert operator.post("/pki/requests", data=own | {"owner": "nobody"}).status_code == 404
    assert operator.post("/pki/certificates/" + "0" * 32 + "/issue").status_code == 404


def test_only_the_pages_own_steps_are_taken(logged_in, asked):
    assert logged_in("admin-1").post(f"/pki/certificates/{asked}/issue").status_code == 400


def test_endings_are_shown_to_the_holder_and_lead_to_a_renewal(office, logged_in):
    with office.database.write() as session:
        for row in office.certificates.active(session, "li", "officer-signing"):
            row.not_after = office.clock.now().replace(hour=23)
    li = logged_in("li")
    page = li.get("/pki").text
    assert "剩余不到 1 天" in page
    assert "剩余不到 1 天" not in logged_in("wang").get("/pki", params={"lang": "en"}).text
    address = re.search(r'class="notice unsure".*?href="(/pki/certificates/[0-9a-f]{32})"', page, re.DOTALL)[1]
    certificate = li.get(address).text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', certificate))
    assert form["replaces"] == address.rpartition("/")[2]
    assert "待审批" in li.post("/pki/requests", data=form).text


def test_strangers_are_sent_to_the_login(office):
    with httpx.Client(base_url=office.origin, headers={"Accept": "text/html"}) as stranger:
        assert stranger.get("/pki").status_code == 303
        assert stranger.post("/pki/requests", headers={"Origin": office.origin}).status_code in (401, 422)


def test_the_list_is_paged_and_searched(office, logged_in):
    with office.database.write() as session:
        for number in range(60):
            office.certificates.add_request(
                session, "officer-signing", Holder(f"officer-{number:02}"), f"CN=试{number}", Actor("wang")
            )
    operator = logged_in("wang")
    first = listing(operator, "officer-")
    assert len(set(re.findall(r"/pki/certificates/[0-9a-f]{32}", first))) == 50
    following = re.search(r'href="(/pki\?[^"]*before=\d+)"', first)[1].replace("&amp;", "&")
    rest = operator.get(following).text.partition('role="search"')[2]
    assert len(set(re.findall(r"/pki/certificates/[0-9a-f]{32}", rest))) == 10
    assert listing(operator, "100%_").count("/pki/certificates/") == 0
