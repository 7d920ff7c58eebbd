"""What people reported of other registries and their pages, restated; numbers are those of the reference."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from cert_registry.app import create_app
from cert_registry.errors import RegistryError, Text
from cert_registry.licences.drafts import Draft
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import Licence, LicenceOperation
from cert_registry.sharing.access import Action
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.web.test_licences import issue_body
from tests.cert_registry.world import COMPANY, PERSON, business

HTML = {"Accept": "text/html"}


class TimestampRefused(RegistryError):
    """As the client of timestamp authorities says it."""

    code = "tsa_failed"

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            Text("没有取得时间戳。", "There is no timestamp."),
            why=Text(f"{url} 答复 {status}。", f"{url} answered {status}."),
        )


def post(registry: Registry, path: str, body: dict[str, Any], who: str = "bureau") -> Any:
    return registry.call("POST", path, who, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})


@contextmanager
def proxy_page() -> Iterator[str]:
    """A proxy that answers for the timestamp authority: 502, in HTML."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(502)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>bad gateway</html>")

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/tsa"
        server.shutdown()
        thread.join()


def test_b15_a_proxy_answers_for_the_authority_the_case_fails_and_can_be_tried_again(registry: Registry) -> None:
    with proxy_page() as url:
        outbound = Outbound(OutboundPolicy(hosts=frozenset({url.split("/")[2]}), timeout_seconds=5))

        def seal(_draft: Draft, pdf: bytes) -> bytes:
            reply = outbound.request("POST", url, body=b"query")
            if reply.status != 200:
                raise TimestampRefused(url, reply.status)
            return pdf

        app = create_app(replace(registry.parts, seal=seal))
        with TestClient(app, raise_server_exceptions=False) as client:
            headers = {"Authorization": "Bearer token-bureau", "Idempotency-Key": uuid.uuid4().hex}
            failed = client.post("/api/v1/licences", json=issue_body("b15"), headers=headers)
    assert failed.status_code >= 400
    assert "502" in failed.json()["detail"]
    assert url in failed.json()["detail"]
    with registry.parts.database.read() as session:
        draft = session.scalars(select(Licence).where(Licence.approval_id.endswith("b15"))).one()
        assert session.scalars(select(AuditEntry.kind).where(AuditEntry.result == "refused")).all() == ["api.issue"]
    done = post(registry, "/licences", issue_body("b15"))  # at once, and under the same identifier
    assert (done.status_code, done.json()["identifier"]) == (201, draft.identifier)


def test_b24_a_sealed_file_that_is_empty_or_another_is_never_registered(registry: Registry) -> None:
    for sealed in (b"", b"%PDF-1.7 another file"):
        app = create_app(replace(registry.parts, seal=lambda _draft, _pdf, sealed=sealed: sealed))
        with TestClient(app, raise_server_exceptions=False) as client:
            headers = {"Authorization": "Bearer token-bureau", "Idempotency-Key": uuid.uuid4().hex}
            reply = client.post("/api/v1/licences", json=issue_body(f"b24-{len(sealed)}"), headers=headers)
        assert reply.json()["code"] == "sealed_bytes_differ"
    with registry.parts.database.read() as session:
        assert session.scalars(select(Licence).where(Licence.digest.is_not(None))).all() == []


def test_b35_the_headline_itself_says_that_a_file_was_changed(registry: Registry) -> None:
    content = registry.parts.blobs.get(registry.issue(business()).digest)
    files = {"file": ("执照.pdf", content + b"\n% changed afterwards\n")}
    page = registry.client.post("/v/file", files=files, headers=HTML).text
    headline = page.split("<details")[0]
    assert "✖" in headline
    assert "✔" not in headline
    answer = registry.call("POST", "/verify/file", data=PURPOSE, files=files).json()
    assert (answer["verdict"], answer["usable_now"]) == ("failed", "no")


def test_b47_numbers_are_distinct_and_one_case_is_issued_once(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: post(registry, "/licences", issue_body(f"b47-{n % 4}")), range(8)))
    issued = [reply.json() for reply in replies if reply.status_code == 201]
    refused = [reply for reply in replies if reply.status_code != 201]
    assert (len(issued), len({one["number"] for one in issued})) == (4, 4)
    assert {reply.status_code for reply in refused} == {409}
    with registry.parts.database.read() as session:
        stored = dict(session.execute(select(Licence.identifier, Licence.number)).tuples().all())
    assert {one["identifier"]: one["number"] for one in issued} == stored


def test_b48_fifty_changes_at_once_all_succeed(registry: Registry) -> None:
    done = [registry.issue(business(f"b48-{n}")).identifier for n in range(5)]
    registry.grant("housing", Action.VERIFY)

    def change(place: int) -> int:
        body = {**PURPOSE, "operation": "transfer_out" if place < 5 else "cancel_transfer"}
        if place >= 10:
            asked = {**PURPOSE, "identifier": done[place % 5]}
            return int(registry.call("POST", "/verify/identifier", json=asked).status_code)
        return int(post(registry, f"/licences/{done[place % 5]}/operations", body).status_code)

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(change, range(50)))
    assert set(codes[:5]) == {200}
    assert set(codes[5:10]) <= {200, 409}  # called off before it began
    assert set(codes[10:]) == {200}


def test_b49_half_past_midnight_in_the_city_stays_that_instant(registry: Registry) -> None:
    done = registry.issue(business())
    body = {
        **PURPOSE, "operation": "suspend", "effective_from": "2026-11-24T00:30:00+08:00", "reason": "示例",
        "legal_basis": "示例",
    }  # fmt: skip
    assert post(registry, f"/licences/{done.identifier}/operations", body).json()["status"] == "suspended"
    with registry.parts.database.read() as session:
        row = session.scalars(select(LicenceOperation).where(LicenceOperation.operation == "suspend")).one()
    assert row.effective_from == datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    assert row.effective_from.tzinfo is not None
    shown = registry.call("GET", f"/licences/{done.identifier}/history", "bureau").json()["items"][-1]
    assert datetime.fromisoformat(shown["effective_from"]) == row.effective_from


def test_b51_a_chinese_name_survives_the_download(registry: Registry) -> None:
    done = registry.issue(business())
    reply = registry.call("GET", f"/licences/{done.identifier}/file", "bureau")
    assert "filename*=UTF-8''%E8%90%A5%E4%B8%9A%E6%89%A7%E7%85%A7" in reply.headers["content-disposition"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_b54_the_next_identifier_is_nobodys_and_no_number_is_shown(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    done = registry.issue(business(type="approval-reply", holders=[PERSON], fields={"content": "同意。"}))
    registry.grant("housing", Action.VERIFY, Action.READ, Action.SEARCH)
    name = LicenceIdentifier.parse(done.identifier)
    beside = str(replace(name, serial=name.serial[:-1] + ("A" if name.serial[-1] != "A" else "B")))
    assert registry.call("GET", f"/licences/{beside}").status_code == 404
    assert registry.call("GET", "/copies/1/file").status_code == 404
    wanted = {**PURPOSE, "holder": {"code": PERSON.code, "code_type": "111"}}
    answers = [
        registry.call("GET", f"/licences/{done.identifier}").text,
        registry.call("POST", "/licences/search", json=wanted).text,
        registry.client.post("/v/identifier", data={"identifier": done.identifier}, headers=HTML).text,
        caplog.text,
    ]
    with registry.parts.database.read() as session:
        answers += [str((row.subject, row.details)) for row in session.scalars(select(AuditEntry))]
    assert done.number in answers[1]
    assert all(PERSON.code not in text and COMPANY.name not in text for text in answers)
