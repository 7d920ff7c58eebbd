"""The public pages: verify by file, identifier and paper code, without scripts, in both languages."""

from __future__ import annotations

import pytest

from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from signing_service.settings import PUBLIC_LOOK_UPS_A_MINUTE
from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.world import BUREAU, CLERK, COMPANY, business

UNKNOWN = str(LicenceIdentifier("11990000MB0000019F001", BUREAU.code, "0" * 20, 1))
HTML = {"Accept": "text/html"}


def verify(registry: Registry, identifier: str, **headers: str) -> tuple[int, str]:
    reply = registry.client.post("/v/identifier", data={"identifier": identifier}, headers={**HTML, **headers})
    return reply.status_code, reply.text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_form_works_without_scripts_and_in_english(registry: Registry) -> None:
    page = registry.client.get("/v", headers=HTML).text
    assert page.count("<form") == 4
    assert "核验证照和盖章文件" in page
    assert "Verify a licence" in registry.client.get("/v?lang=en", headers=HTML).text


def test_the_bare_address_leads_to_the_verify_page(registry: Registry) -> None:
    reply = registry.client.get("/", headers=HTML, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (307, "/v")


def test_a_valid_licence_shows_its_standing_and_nothing_of_its_holder(registry: Registry) -> None:
    done = registry.issue(business())
    status, page = verify(registry, f" {done.identifier} ")
    assert status == 200
    for shown in ("✔", "真实有效", done.number, BUREAU.name, "有效"):
        assert shown in page
    assert COMPANY.name not in page
    assert COMPANY.code not in page
    entry = registry.call("GET", f"/licences/{done.identifier}/accesses", "bureau").json()["items"][0]
    assert (entry["kind"], entry["department"]) == ("public.verified", "公众")


def test_an_ended_licence_is_red(registry: Registry) -> None:
    done = registry.issue(business())
    with registry.parts.database.write() as session:
        change = Change("revoke", registry.clock.now(), "示例", "示例条例")
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, registry.clock.now())
    _, page = verify(registry, done.identifier)
    assert "✖" in page
    assert "被依法撤销" in page


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        (UNKNOWN, 404, "本系统没有该证照"),
        (UNKNOWN[:-1] + ("A" if UNKNOWN[-1] != "A" else "B"), 422, "校验位不对"),
        ("<script>alert(1)</script>", 422, "这不是证照标识"),
    ],
)
def test_what_is_not_found_is_unsure_and_what_was_typed_is_kept(
    registry: Registry, typed: str, status: int, told: str
) -> None:
    got, page = verify(registry, typed)
    assert (got, told in page) == (status, True)
    assert "<script>" not in page
    assert "伪造" not in page
    if status == 422:
        assert f'value="{typed}"' in page or "&lt;script&gt;" in page


def test_a_file_is_judged_by_the_one_engine(registry: Registry) -> None:
    done = registry.issue(business())
    content = registry.parts.blobs.get(done.digest)
    page = registry.client.post("/v/file", files={"file": ("执照.pdf", content)}, headers=HTML).text
    assert "✔" in page
    assert done.number in page
    tampered = content.replace(b"stream", b"strEam", 1)
    page = registry.client.post("/v/file", files={"file": ("执照.pdf", tampered)}, headers=HTML).text
    assert "✔" not in page
    assert "盖章后内容有变动" in page
    nothing = registry.client.post("/v/file", headers=HTML)
    assert (nothing.status_code, "没有选择文件" in nothing.text) == (400, True)


def test_a_paper_code_leads_to_the_live_status(registry: Registry) -> None:
    done = registry.issue(business())
    page = registry.client.get(f"/c/plain/{done.identifier}", headers=HTML)
    assert (page.status_code, done.number in page.text) == (200, True)
    by_case = registry.client.get("/c/plain/case-1", headers=HTML)
    assert (by_case.status_code, done.number in by_case.text) == (200, True)
    assert registry.client.get("/c/plain/case-2", headers=HTML).status_code == 404
    other = registry.client.get("/c/plain/SOMETHINGELSE", headers=HTML)
    assert (other.status_code, "不是本系统的核验二维码" in other.text) == (422, True)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_identifiers_cannot_be_tried_through(registry: Registry) -> None:
    statuses = [verify(registry, UNKNOWN)[0] for _ in range(PUBLIC_LOOK_UPS_A_MINUTE + 1)]
    assert statuses[-1] == 429
    assert set(statuses[:-1]) == {404}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_api_has_a_page_of_its_own(registry: Registry) -> None:
    page = registry.client.get("/api/docs", headers=HTML).text
    assert "/api/v1/verify/identifier" in page
    assert "https://" not in page
