"""Verifying through the API: identifier, content, paper code, file, batch; refusals with codes and log entries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from cert_registry.sharing.access import Action
from signing_service.kernel.audit_log import AuditEntry
from tests.cert_registry.web.conftest import CODE_PREFIX, FOREIGN, PURPOSE, Registry
from tests.cert_registry.world import BUREAU, CLERK, COMPANY, PERSON, TRANSPORT, business

UNKNOWN = str(LicenceIdentifier("11990000MB0000019F001", BUREAU.code, "0" * 20, 1))


def by_identifier(registry: Registry, identifier: str, who: str = "housing", **changes: object) -> tuple[int, dict]:
    body = {**PURPOSE, "identifier": identifier, **changes}
    reply = registry.call("POST", "/verify/identifier", who, json=body)
    return reply.status_code, {key: value for key, value in reply.json().items() if key != "request_id"}


def by_file(registry: Registry, content: bytes, who: str = "housing", **changes: str) -> tuple[int, dict]:
    form = {**PURPOSE, **changes}
    reply = registry.call("POST", "/verify/file", who, data=form, files={"file": ("证照.pdf", content)})
    return reply.status_code, reply.json()


def log(registry: Registry, kind: str) -> list[tuple[str, str, str, dict]]:
    with registry.parts.database.read() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.kind == kind).order_by(AuditEntry.id))
        return [(entry.result, entry.reason, entry.subject, entry.details) for entry in found]


def test_by_identifier_with_signed_evidence_and_a_log_entry(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY)
    status, answer = by_identifier(registry, done.identifier)
    assert status == 200
    assert (answer["usable_now"], answer["reason"]) == ("yes", "passed")
    assert answer["licence"]["number"] == done.number
    assert COMPANY.code not in str(answer["licence"])
    claims = registry.open_evidence(answer["evidence"])
    assert claims["answer"]["licence"]["identifier"] == done.identifier
    assert (claims["purpose"], claims["matter"], claims["log"]) == (*PURPOSE.values(), answer["log"])
    with registry.parts.database.read() as session:
        entry = session.get_one(AuditEntry, answer["log"]["entry"])
        assert (entry.leaf, entry.subject) == (answer["log"]["leaf"], f"licence:{done.identifier}")
        assert entry.details["purpose"] == PURPOSE["purpose"]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("nonsense", 422, "identifier_malformed"),
        (UNKNOWN[:-1] + ("A" if UNKNOWN[-1] != "A" else "B"), 422, "bad_check_character"),
        (UNKNOWN, 404, "not_found_here"),
        (str(LicenceIdentifier("11990000MB0000019F001", FOREIGN, "1", 1)), 404, "other_issuer"),
    ],
)
def test_refusals_are_problem_documents_and_are_logged(registry: Registry, text: str, status: int, code: str) -> None:
    registry.grant("housing", Action.VERIFY)
    reply = registry.call("POST", "/verify/identifier", json={**PURPOSE, "identifier": text})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert [(result, reason) for result, reason, _, _ in log(registry, "api.verify_identifier")] == [("refused", code)]
    if code == "other_issuer":
        assert reply.json()["url"] == "https://other.example.cn/v"


def test_without_any_grant_an_existing_licence_looks_like_none(registry: Registry) -> None:
    done = registry.issue(business())
    there, absent = by_identifier(registry, done.identifier), by_identifier(registry, UNKNOWN)
    assert there == absent
    assert there[0] == 404
    assert "示例市电子证照管理部门" in there[1]["detail"]


def test_a_grant_for_another_matter_names_what_is_missing_whether_or_not_it_exists(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.READ, matters=["M2"])
    there, absent = by_identifier(registry, done.identifier), by_identifier(registry, UNKNOWN)
    assert there == absent
    assert (there[0], there[1]["code"]) == (403, "grant_missing")
    assert "M1" in there[1]["detail"]
    assert "示例市电子证照管理部门" in there[1]["detail"]


def test_grants_end_and_are_withdrawn_at_once(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY, until=registry.clock.now() + timedelta(hours=1))
    assert by_identifier(registry, done.identifier)[0] == 200
    registry.clock.instant += timedelta(hours=1)
    assert by_identifier(registry, done.identifier)[0] == 404


def test_the_issuing_body_and_the_route_need_no_grant(registry: Registry) -> None:
    done = registry.issue(business(parties=[TRANSPORT.code]))
    for who, status in (("bureau", 200), ("transport", 200), ("housing", 404), ("stranger", 404)):
        assert by_identifier(registry, done.identifier, who)[0] == status


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ("suspend", "licence_suspended"),
        ("cancel", "licence_ended"),
        ("revoke", "licence_ended"),
        ("withdraw", "licence_ended"),
    ],
)
def test_what_may_not_be_used_now_is_said(registry: Registry, operation: str, reason: str) -> None:
    done = registry.issue(business())
    change = Change(operation, registry.clock.now(), "示例理由", "示例条例")
    with registry.parts.database.write() as session:
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, registry.clock.now())
    _, answer = by_identifier(registry, done.identifier, "bureau")
    assert (answer["usable_now"], answer["reason"]) == ("no", reason)


def test_by_content_each_entry_is_answered_and_no_value_given_away(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY, fields=["address", "enterprise_type"])
    stated = {"address": "示例市示例路1号", "enterprise_type": "个体", "business_scope": "建筑工程施工", "colour": "红"}
    holder = {"name": COMPANY.name, "code": COMPANY.code.lower()}
    body = {**PURPOSE, "type": "business-licence", "number": done.number, "fields": stated, "holder": holder}
    answer = registry.call("POST", "/verify/fields", json=body).json()
    assert answer["fields"] == {
        "address": "match", "enterprise_type": "mismatch", "business_scope": "not_granted", "colour": "no_such_field",
    }  # fmt: skip
    assert answer["holder"] == "match"
    body["holder"] = {"code": "91350100M000100Y43"}
    assert registry.call("POST", "/verify/fields", json=body).json()["holder"] == "mismatch"
    assert registry.call("POST", "/verify/fields", json={**PURPOSE, "number": "x"}).json()["code"] == "request_invalid"


def test_by_paper_code(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY)
    reply = registry.call("POST", "/verify/code", json={**PURPOSE, "code": CODE_PREFIX + done.identifier})
    assert reply.json()["licence"]["identifier"] == done.identifier
    refused = registry.call("POST", "/verify/code", json={**PURPOSE, "code": "https://evil.example/c/X"})
    assert (refused.status_code, refused.json()["code"]) == (422, "paper_code_invalid")
    assert log(registry, "api.verify_code")[-1][:2] == ("refused", "paper_code_invalid")


def test_by_file_and_a_tampered_copy_is_refused_with_the_reason(registry: Registry) -> None:
    done = registry.issue(business())
    content = registry.parts.blobs.get(done.digest)
    status, answer = by_file(registry, content)
    assert (status, answer["verdict"], answer["usable_now"]) == (200, "passed", "yes")
    assert answer["licence"]["identifier"] == done.identifier
    assert "file" not in answer["report"]
    assert registry.open_evidence(answer["evidence"])["answer"]["verdict"] == "passed"
    place = content.index(b"stream") + 40
    tampered = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    _, answer = by_file(registry, tampered)
    assert (answer["verdict"], answer["usable_now"], answer["licence"]) == ("failed", "no", None)
    assert answer["reason"] == "modified_after_sealing"
    _, answer = by_file(registry, b"not a pdf")
    assert answer["verdict"] == "indeterminate"
    assert all("证照.pdf" not in str(entry) for entry in log(registry, "api.verify_file"))


def test_a_file_of_an_ended_licence_passes_but_is_not_usable(registry: Registry) -> None:
    done = registry.issue(business())
    registry.clock.instant += timedelta(days=2)
    with registry.parts.database.write() as session:
        change = Change("cancel", registry.clock.now(), "示例", "示例")
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, registry.clock.now())
    _, answer = by_file(registry, registry.parts.blobs.get(done.digest))
    assert (answer["verdict"], answer["usable_now"], answer["reason"]) == ("passed", "no", "licence_ended")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_too_large_a_file_is_named(registry: Registry) -> None:
    status, answer = by_file(registry, b"0" * (registry.parts.settings.most_upload_bytes + 1))
    assert (status, answer["code"]) == (413, "file_too_large")


def test_a_batch_answers_each_and_logs_each(registry: Registry) -> None:
    done = [registry.issue(business(f"case-{n}")) for n in range(3)]
    registry.grant("housing", Action.VERIFY)
    asked = [one.identifier for one in done] + [UNKNOWN, "nonsense"]
    reply = registry.call("POST", "/verify/batch", json={**PURPOSE, "identifiers": asked})
    reasons = [item["reason"] for item in reply.json()["items"]]
    assert reasons == ["passed"] * 3 + ["not_found_here", "identifier_malformed"]
    assert len(log(registry, "api.verify_identifier")) == 3
    too_many = registry.call("POST", "/verify/batch", json={**PURPOSE, "identifiers": ["x"] * 1001})
    assert too_many.status_code == 400


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": "替张示例(11010519491231002X)办理"}, "personal_number_in_purpose"),
        ({"purpose": "致电13800000000"}, "personal_number_in_purpose"),
        ({"purpose": " "}, "request_invalid"),
        ({"purpose": "x" * 201}, "request_invalid"),
        ({"matter": ""}, "request_invalid"),
        ({"colour": "red"}, "request_invalid"),
        ({"consent": "a\0b"}, "request_invalid"),
    ],
)
def test_every_call_carries_a_purpose_without_personal_numbers(
    registry: Registry, changes: dict[str, str], code: str
) -> None:
    status, answer = by_identifier(registry, UNKNOWN, **changes)
    assert (status, answer["code"]) == (400 if code == "request_invalid" else 422, code)
    assert PERSON.code not in str(answer)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic dG9rZW4taG91c2luZw=="])
def test_without_a_good_token_nothing_answers(registry: Registry, header: str) -> None:
    reply = registry.client.post("/api/v1/verify/identifier", json={}, headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.json()["code"] == "invalid_token"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_english_where_it_is_asked_for(registry: Registry) -> None:
    reply = registry.call(
        "POST", "/verify/identifier", json={**PURPOSE, "identifier": UNKNOWN}, headers={"Accept-Language": "en"}
    )
    assert reply.json()["title"] == "This registry does not hold that licence."


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_half_a_surrogate_is_refused_not_crashed_on(registry: Registry) -> None:
    body = '{"purpose": "x", "matter": "M1", "holder": {"code": "1"}, "types": ["\\ud800"]}'
    reply = registry.call("POST", "/licences/search", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
