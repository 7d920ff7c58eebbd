"""Reading, issuing, operations, copies, grants and events through the API."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from cert_registry.licences.events import sequence
from cert_registry.licences.register import Licence
from cert_registry.sharing.access import Action
from cert_registry.sharing.consents import (
    ConsentUnknown,
    Use,
    consent_given,
    consents_to,
    give_consent,
    uses_of,
    withdraw_consent,
)
from cert_registry.sharing.event_feed import hash_of
from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.world import BUREAU, BUSINESS_FIELDS, COMPANY, PERSON, SHOP, TRANSPORT, business

HOUSE = {
    "shared_ownership": "单独所有", "location": "示例市示例路2号", "unit_number": "990100000001GB00001F00010001",
    "right_type": "国有建设用地使用权", "right_nature": "出让", "usage": "住宅", "area": "88.5㎡",
}  # fmt: skip


def issue_body(approval_id: str = "2026-1", **changes: Any) -> dict[str, Any]:
    return {
        **PURPOSE, "approval_id": approval_id, "type": "business-licence", "fields": BUSINESS_FIELDS,
        "issuer": {"code": BUREAU.code, "name": BUREAU.name}, "issued_on": "2026-11-24",
        "holders": [{"name": COMPANY.name, "code": COMPANY.code}], **changes,
    }  # fmt: skip


def post(registry: Registry, path: str, body: dict[str, Any], who: str = "bureau", key: str = "") -> Any:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return registry.call("POST", path, who, json=body, headers=headers)


def test_reading_shows_granted_fields_and_masked_numbers(registry: Registry) -> None:
    done = registry.issue(business(type="real-estate-certificate", fields=HOUSE, holders=[PERSON]))
    registry.grant("housing", Action.READ, fields=["location"])
    answer = registry.call("GET", f"/licences/{done.identifier}").json()
    assert answer["fields"] == {"location": HOUSE["location"]}
    assert answer["holders"][0]["code"] == "11**************2X"
    assert answer["metadata"]["ZZBS"] == done.identifier
    assert PERSON.code not in str(answer)
    assert registry.open_evidence(answer["evidence"])["answer"]["number"] == done.number


def test_an_unchanged_licence_is_not_sent_again_but_the_reading_is_logged(registry: Registry) -> None:
    done = registry.issue(business())
    first = registry.call("GET", f"/licences/{done.identifier}", "bureau")
    held = {"If-None-Match": first.headers["etag"]}
    assert registry.call("GET", f"/licences/{done.identifier}", "bureau", headers=held).status_code == 304
    items = registry.call("GET", f"/licences/{done.identifier}/accesses", "bureau").json()["items"]
    assert [item["kind"] for item in items] == ["api.read", "api.read"]


def test_a_download_has_the_sealed_bytes_and_a_chinese_name(registry: Registry) -> None:
    done = registry.issue(business())
    reply = registry.call("GET", f"/licences/{done.identifier}/file", "bureau")
    assert reply.content == registry.parts.blobs.get(done.digest)
    assert "filename*=UTF-8''%E8%90%A5%E4%B8%9A%E6%89%A7%E7%85%A7-" in reply.headers["content-disposition"]
    assert reply.headers["etag"] == f'"{done.digest}"'


def test_search_by_holder_gives_pages_of_granted_types_only(registry: Registry) -> None:
    for number in range(3):
        registry.issue(business(f"case-{number}"))
    registry.issue(business("case-shop", holders=[SHOP]))
    body = {**PURPOSE, "holder": {"code": COMPANY.code}, "limit": 2}
    assert registry.call("POST", "/licences/search", json=body).json()["items"] == []
    code = registry.parts.catalogue.get("business-licence").code
    registry.grant("housing", Action.SEARCH, type_code=code)
    first = registry.call("POST", "/licences/search", json=body).json()
    second = registry.call("POST", "/licences/search", json={**body, "after": first["next"]}).json()
    found = [item["identifier"] for item in first["items"] + second["items"]]
    assert (len(first["items"]), len(set(found)), second["next"]) == (2, 3, None)
    refused = registry.call("POST", "/licences/search", json={**body, "types": ["food-licence"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "grant_missing")
    broken = registry.call("POST", "/licences/search", json={**body, "after": "xyz"})
    assert (broken.status_code, broken.json()["code"]) == (400, "request_invalid")


def test_a_consent_code_opens_what_the_grant_asks_it_for(registry: Registry) -> None:
    done, other = registry.issue(business("case-1")), registry.issue(business("case-2"))
    registry.grant("housing", Action.READ, consent_needed=True)
    now = registry.clock.now()
    with registry.parts.database.write() as session:
        until = now + timedelta(days=1)
        code = give_consent(session, done.identifier, "housing", matter="M1", at=now, until=until, actor="code:1")
        elsewhere = give_consent(session, done.identifier, "stranger", matter="*", at=now, until=until, actor="code:1")
        another = give_consent(session, done.identifier, "housing", matter="M2", at=now, until=until, actor="code:1")
    path = f"/licences/{done.identifier}"

    def read(address: str, consent: str) -> str:
        answer = registry.call("GET", address, headers={"Zhengyin-Consent": consent} if consent else {}).json()
        return str(answer.get("code", answer.get("reason")))

    assert read(path, "") == read(path, elsewhere) == read(path, another) == "consent_needed"
    assert read(path, code) == read(path, f" {code.lower()} ") == "passed"
    assert read(f"/licences/{other.identifier}", code) == "consent_needed"
    with registry.parts.database.read() as session:
        given = consent_given(session, code, done.identifier, "housing", "M1", now)
        assert given is not None
        used = uses_of(session, done.identifier, [one.reference for one in consents_to(session, done.identifier)])
    assert used == {given.reference: Use(2, now)}
    with registry.parts.database.write() as session:
        anew = give_consent(session, done.identifier, "housing", matter="*", at=now, until=until, actor="code:1")
        withdraw_consent(session, done.identifier, given.reference, at=now, actor="code:1")
        with pytest.raises(ConsentUnknown):
            withdraw_consent(session, other.identifier, given.reference, at=now, actor="code:1")
    assert (read(path, code), read(path, anew)) == ("consent_needed", "passed")
    registry.clock.instant += timedelta(days=1)
    assert read(path, anew) == "consent_needed"


def test_issuing_through_the_api_seals_and_registers(registry: Registry) -> None:
    reply = post(registry, "/licences", issue_body())
    assert reply.status_code == 201
    content = registry.parts.blobs.get(reply.json()["sha256"])
    files = {"file": ("x.pdf", content)}
    assert registry.call("POST", "/verify/file", data=PURPOSE, files=files).json()["reason"] == "passed"


def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(registry: Registry) -> None:
    first = post(registry, "/licences", issue_body(), key="key-00001")
    again = post(registry, "/licences", issue_body(), key="key-00001")
    assert first.json() == again.json()
    other = post(registry, "/licences", issue_body("2026-2"), key="key-00001")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert registry.call("POST", "/licences", "bureau", json=issue_body()).status_code == 400


def test_one_key_at_once_from_many_threads_works_once(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _n: post(registry, "/licences", issue_body(), key="key-00009"), range(8)))
    codes = {reply.json().get("code", "done") for reply in replies}
    assert {"done"} <= codes <= {"done", "request_in_progress"}
    assert len({reply.json()["identifier"] for reply in replies if reply.status_code == 201}) == 1


def test_a_failed_call_may_be_repeated_with_its_key(registry: Registry) -> None:
    assert post(registry, "/licences", issue_body(fields={}), key="key-00010").status_code == 422
    assert post(registry, "/licences", issue_body(), key="key-00010").status_code == 201


def test_without_evidence_or_log_there_is_no_answer(registry: Registry) -> None:
    done = registry.issue(business())
    path = f"/licences/{done.identifier}"
    key, registry.trust.evidence.private = registry.trust.evidence.private, _Removed()  # type: ignore[assignment]
    try:
        reply = registry.call("GET", path, "bureau")
    finally:
        registry.trust.evidence.private = key
    assert (reply.status_code, reply.json()["code"]) == (503, "evidence_unavailable")
    with registry.parts.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_entry RENAME TO audit_lost")
    try:
        reply = registry.call("GET", path, "bureau")
    finally:
        with registry.parts.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE audit_lost RENAME TO audit_entry")
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")
    assert done.number not in reply.text


class _Removed:
    """A token that is gone."""

    def sign(self, *_arguments: object) -> bytes:
        raise OSError("token removed")


def test_two_clerks_of_one_system_give_one_licence_and_one_conflict(registry: Registry) -> None:
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _n: post(registry, "/licences", issue_body()), range(2)))
    assert sorted(reply.status_code for reply in replies) == [201, 409]
    conflict = next(reply.json() for reply in replies if reply.status_code == 409)
    assert conflict["code"] == "already_issued"
    assert conflict["identifier"] == next(r.json()["identifier"] for r in replies if r.status_code == 201)


def test_fifty_parallel_writers_all_succeed(registry: Registry) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda n: post(registry, "/licences", issue_body(f"2026-{n}")), range(50)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["number"] for reply in replies}) == 50
    with registry.parts.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Licence)) == 50


def test_nobody_issues_for_another_body(registry: Registry) -> None:
    for who in ("transport", "housing", "stranger"):
        reply = post(registry, "/licences", issue_body(), who)
        assert (reply.status_code, reply.json()["code"]) == (403, "not_an_issuer")


def test_wrong_content_names_every_field(registry: Registry) -> None:
    reply = post(registry, "/licences", issue_body(fields={"colour": "红"}))
    assert reply.status_code == 422
    assert {"colour", "business_scope"} <= set(reply.json()["problems"])


def test_operations_are_recorded_by_the_issuer_with_reason_and_basis(registry: Registry) -> None:
    done = registry.issue(business())
    path = f"/licences/{done.identifier}/operations"
    body = {**PURPOSE, "operation": "suspend"}
    assert post(registry, path, body).json()["code"] == "legal_basis_missing"
    reply = post(registry, path, {**body, "reason": "示例违法", "legal_basis": "示例条例第3条"})
    assert reply.json()["reason"] == "licence_suspended"
    assert post(registry, path, {**PURPOSE, "operation": "return"}).json()["usable_now"] == "yes"
    history = registry.call("GET", f"/licences/{done.identifier}/history", "bureau").json()["items"]
    assert [(item["operation"], item["legal_basis"]) for item in history] == [
        ("issue", ""), ("suspend", "示例条例第3条"), ("return", ""),
    ]  # fmt: skip
    registry.grant("housing", Action.VERIFY, Action.READ)
    assert post(registry, path, body, "housing").json()["code"] == "grant_missing"
    assert post(registry, path, body, "stranger").status_code == 404


def test_a_mistaken_record_is_taken_back_and_both_stay(registry: Registry) -> None:
    done = registry.issue(business())
    path = f"/licences/{done.identifier}"
    cancel = {**PURPOSE, "operation": "cancel", "reason": "示例", "legal_basis": "示例"}
    assert post(registry, f"{path}/operations", cancel).json()["status"] == "cancelled"
    entry = registry.call("GET", f"{path}/history", "bureau").json()["items"][-1]["entry"]
    void = {**PURPOSE, "operation": "void", "voids": entry}
    assert post(registry, f"{path}/operations", void).json()["code"] == "legal_basis_missing"
    assert post(registry, f"{path}/operations", {**void, "reason": "录入错误"}).json()["status"] == "valid"
    assert post(registry, f"{path}/operations", {**void, "reason": "再次"}).json()["code"] == "fields_invalid"
    assert len(registry.call("GET", f"{path}/history", "bureau").json()["items"]) == 3


def copy_of(registry: Registry, identifier: str, who: str = "housing", **changes: Any) -> Any:
    until = (registry.clock.now() + timedelta(days=7)).isoformat()
    return post(registry, f"/licences/{identifier}/copies", {**PURPOSE, "until": until, **changes}, who)


def test_a_purpose_bound_copy_is_held_to_recipient_matter_and_expiry(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.COPY)
    made = copy_of(registry, done.identifier)
    assert made.status_code == 201
    content = registry.call("GET", made.json()["file"].removeprefix("/api/v1")).content
    assert registry.call("GET", made.json()["file"].removeprefix("/api/v1"), "stranger").status_code == 404

    def judged(who: str, matter: str = "M1") -> tuple[str, str, str]:
        form = {"purpose": "核验", "matter": matter}
        answer = registry.call("POST", "/verify/file", who, data=form, files={"file": ("c.pdf", content)}).json()
        return answer["verdict"], answer["usable_now"], answer["reason"]

    assert judged("housing") == ("passed", "yes", "passed")
    assert judged("stranger") == ("passed", "no", "copy_wrong_recipient")
    assert judged("housing", "M2") == ("passed", "no", "copy_wrong_recipient")
    registry.clock.instant += timedelta(days=8)
    assert judged("housing") == ("passed", "no", "copy_expired")
    kinds = [
        row["kind"] for row in registry.call("GET", f"/licences/{done.identifier}/accesses", "bureau").json()["items"]
    ]
    assert kinds.count("api.verify_file") == 4


def test_no_copy_of_a_licence_that_may_not_be_used_nor_for_ever(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.COPY)
    assert copy_of(registry, done.identifier, until="2036-01-01T00:00:00+08:00").json()["code"] == "fields_invalid"
    assert copy_of(registry, done.identifier, until="2036-01-01T00:00:00").json()["code"] == "request_invalid"
    cancel = {**PURPOSE, "operation": "cancel", "reason": "示例", "legal_basis": "示例"}
    post(registry, f"/licences/{done.identifier}/operations", cancel)
    reply = copy_of(registry, done.identifier)
    assert (reply.status_code, reply.json()["code"]) == (409, "licence_ended")


def test_my_grants_are_mine(registry: Registry) -> None:
    mine = registry.grant("housing", Action.VERIFY)
    registry.grant("stranger", Action.READ)
    items = registry.call("GET", "/grants").json()["items"]
    assert [item["id"] for item in items] == [mine]


def test_the_feed_has_no_gap_and_can_be_rebuilt(registry: Registry) -> None:
    road = {"address": "示例路3号", "business_scope": ["普通货运"]}
    registry.issue(business("case-1"))
    registry.issue(business("case-2", type="road-transport-licence", fields=road, issuer=TRANSPORT))
    registry.issue(business("case-3"))
    sequence(registry.parts.database)
    code = registry.parts.catalogue.get("business-licence").code
    registry.grant("housing", Action.EVENTS, type_code=code)
    kept: list[dict[str, Any]] = []
    after = 0
    while page := registry.call("GET", f"/events?after={after}&limit=2").json()["items"]:
        kept, after = kept + page, page[-1]["number"]
    assert [item["number"] for item in kept] == [1, 2, 3]
    assert [item["visible"] for item in kept] == [True, False, True]
    assert registry.call("GET", "/events").json()["hash"] == hash_of(kept)
    seen = registry.call("GET", "/events", "transport").json()["items"]
    assert [item["visible"] for item in seen] == [False, True, False]


def test_who_looked_is_told_to_the_issuer_alone_and_by_pages(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY, Action.READ)
    for _ in range(3):
        registry.call("GET", f"/licences/{done.identifier}")
    path = f"/licences/{done.identifier}/accesses"
    assert registry.call("GET", path).status_code == 403
    assert registry.call("GET", path, "stranger").status_code == 404
    first = registry.call("GET", f"{path}?limit=2", "bureau").json()
    rest = registry.call("GET", f"{path}?limit=2&after={first['next']}", "bureau").json()
    assert first["items"][0]["department"] == "示例市住房和城乡建设局"
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
