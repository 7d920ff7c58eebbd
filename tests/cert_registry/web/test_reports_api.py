"""Departments' machines: the version that was sealed, and numbered reports, over the API."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from cert_registry.app import create_app
from cli.sealing import NoStandingOrder
from signing_service.kernel.audit_log import entries_about
from tests.cert_registry.web.conftest import PURPOSE, Registry, SealedReport
from tests.cert_registry.world import business

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def sealed_file(registry: Registry) -> bytes:
    return bytes(registry.parts.blobs.get(registry.issue(business()).digest))


def test_the_sealed_version_comes_back(registry: Registry) -> None:
    content = sealed_file(registry)
    changed = content + b"\n% and more\n"
    reply = registry.call("POST", "/verify/file/intact", files={"file": ("a.pdf", changed)}, data=PURPOSE)
    assert (reply.status_code, reply.content) == (200, content)
    assert reply.headers["content-type"] == "application/pdf"
    assert "filename*=UTF-8''" in reply.headers["content-disposition"]
    judged = registry.call("POST", "/verify/file", files={"file": ("a.pdf", reply.content)}, data=PURPOSE).json()
    assert (judged["verdict"], judged["usable_now"]) == ("passed", "yes")


def test_a_file_that_nobody_signed_has_no_such_version(registry: Registry) -> None:
    reply = registry.call("POST", "/verify/file/intact", files={"file": ("a.pdf", b"%PDF-1.7\n%%EOF")}, data=PURPOSE)
    assert (reply.status_code, reply.json()["code"]) == (404, "no_intact_version")


def test_a_report_is_issued_once_and_fetched_by_number_and_code(registry: Registry) -> None:
    content = sealed_file(registry)

    def ask(key: str) -> dict[str, str]:
        files, headers = {"file": ("执照.pdf", content)}, {"Idempotency-Key": key}
        reply = registry.call("POST", "/verify/file/report", files=files, data=PURPOSE, headers=headers)
        assert reply.status_code == 201
        return dict(reply.json())

    first, again, other = ask("key-0001"), ask("key-0001"), ask("key-0002")
    assert again == first
    assert (first["number"][-2:], other["number"][-2:]) == ("1号", "2号")
    assert first["judged"] == hashlib.sha256(content).hexdigest()
    assert registry.open_evidence(first["evidence"])["answer"]["number"] == first["number"]
    wanted = {"number": first["number"], "code": first["code"], **PURPOSE}
    fetched = registry.call("POST", "/verify/report", json=wanted)
    assert hashlib.sha256(fetched.content).hexdigest() == first["sha256"]
    wrong = registry.call("POST", "/verify/report", json={**wanted, "code": "AAAA"})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "verification_report_unknown")
    with registry.parts.database.read() as session:
        told = [(entry.kind, entry.result) for entry in entries_about(session, f"report:{first['number']}")]
    assert told == [
        ("verification_report.issued", "allowed"),
        ("api.verification_report", "allowed"),
        ("verification_report.fetched", "allowed"),
        ("api.verification_report_fetched", "allowed"),
        ("verification_report.fetched", "refused"),
    ]


class NoOrder:
    """The holder has not authorised reports."""

    def issue_on(self, content: bytes, name: str, requested_by: str, purpose: str, actor: str) -> SealedReport:
        raise NoStandingOrder("verification-report")


def test_without_the_holders_order_it_is_refused_by_name_and_may_be_tried_again(registry: Registry) -> None:
    closed = replace(registry.parts, reports=NoOrder())
    files, headers = {"file": ("a.pdf", b"%PDF-1.7\n%%EOF")}, {"Idempotency-Key": "key-0003"}
    with TestClient(create_app(closed), raise_server_exceptions=False) as client:
        without = replace(registry, parts=closed, client=client)
        for _ in range(2):
            reply = without.call("POST", "/verify/file/report", files=files, data=PURPOSE, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (503, "no_standing_order")


def test_nobody_gets_in_without_a_token(registry: Registry) -> None:
    for path in ("/verify/file/intact", "/verify/file/report"):
        reply = registry.call("POST", path, "nobody", files={"file": ("a.pdf", b"x")}, data=PURPOSE)
        assert reply.status_code == 401
