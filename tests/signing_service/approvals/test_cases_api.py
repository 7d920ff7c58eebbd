"""The cases API over real cases: handed in once, followed by polling and by signed callbacks, fetched sealed."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient
from httpx import Response
from joserfc import jwk, jws

from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.web.evidence import evidence_signer
from signing_service.app import Parts, create_app
from signing_service.approvals import course, intake, material_notices
from signing_service.approvals.case_webhooks import CaseWebhooks
from signing_service.approvals.errors import PlatformUnknown
from signing_service.approvals.outward import typeset_outward
from signing_service.approvals.platforms import allow_platform, end_platform
from signing_service.approvals.query_codes import enter
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.people.deliveries import WAITS
from signing_service.people.idempotent_calls import IdempotentCall
from signing_service.people.notice_outbox import Notice, NoticeSender
from signing_service.people.oauth import NewClient, TokenEndpoint, add_client, client_assertion, public_jwks
from signing_service.people.register import PeopleRegister
from signing_service.settings import Settings
from signing_service.web import case_api, oauth_endpoints
from signing_service.web.oauth_endpoints import caller_of

from .conftest import CLERK, FIELDS, Office

KEY, EVIDENCE_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
BASE = "https://zw.example.cn"
PERSON_NUMBER = "11010519491231002X"
CHECK = {"by": "示例市统一身份认证平台", "method": "人脸识别", "at": "2026-11-24T09:00:00+08:00"}
STEP = {"stage": 1, "title": "联审", "department": "nobody", "promised_days": 3}
HEADERS = {"Zhengyin-Purpose": "%E5%8A%9E%E7%90%86", "Zhengyin-Matter": "project-plan"}


@dataclass
class Platform:
    """An online platform's system: a client with a token, and what it keeps of its cases."""

    http: TestClient
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, address: str, **query: Any) -> Response:
        return self.http.get(f"/api/v1{address}", headers={**self.headers, **HEADERS}, params=query)

    def post(self, address: str, body: dict[str, Any], key: str = "request-0001") -> Response:
        headers = {**self.headers, **HEADERS, "Idempotency-Key": key}
        whole = {"purpose": "办理", "matter": "project-plan"} | body
        return self.http.post(f"/api/v1{address}", json=whole, headers=headers)

    def hand_in(self, key: str = "request-0001", **changes: Any) -> Response:
        body = {
            "reference": "P-2026-0001",
            "applicant": {"name": "示例建设有限公司", "code": "91990000MA990001X2"},
            "real_name_check": {
                "by": "示例市统一身份认证平台",
                "method": "人脸识别",
                "at": "2026-11-24T09:00:00+08:00",
            },
            "fields": FIELDS,
        }
        return self.post("/cases", body | changes, key)


@pytest.fixture
def office(office: Office) -> Office:
    office.work = replace(office.work, personal_numbers=AesHolderVault({1: bytes(32)}))
    return office


@pytest.fixture
def http(office: Office, tmp_path: Path) -> Iterator[TestClient]:
    work = office.work
    tokens = TokenEndpoint(work.database, work.clock, f"{BASE}/oauth2/token")
    people = PeopleRegister(work.database, work.clock, work.audit)
    with work.database.write() as session:
        people.add_department(session, "approvals", "示例市行政审批局", "11990000MB9900013U")
        people.add_department(session, "online", "示例市数据局", "11990000MB9900021N")
        for name in ("platform", "other"):
            client = NewClient(name, "online", "网上审批平台", public_jwks(KEY.public_key()))
            add_client(session, client, work.clock, work.audit)
    allow_platform(work, "platform", ["project-plan", "given-document"], CLERK, may_route=False)
    settings = Settings(tmp_path, "demo", str(work.database.url), "", "示例市", BASE, frozenset())
    routers = (
        oauth_endpoints.router(tokens),
        case_api.router(case_api.CaseApiParts(work, lambda request: caller_of(request, tokens))),
    )
    app = create_app(settings, Parts(database=work.database, clock=work.clock, routers=routers))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def platform_named(office: Office, http: TestClient, name: str) -> Platform:
    assertion = client_assertion(name, f"{BASE}/oauth2/token", KEY, at=office.clock.now())
    answer = http.post(
        "/oauth2/token",
        data={
            "grant_type": "client_credentials", "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        },
    )  # fmt: skip
    return Platform(http, answer.json()["access_token"])


@pytest.fixture
def platform(office: Office, http: TestClient) -> Platform:
    return platform_named(office, http, "platform")


def accept(office: Office, case_id: str) -> None:
    intake.accept(office.work, case_id, CLERK)
    course.begin_review(office.work, case_id, CLERK)


def finish(office: Office, case_id: str) -> None:
    """Every step signed with real keys, sealed, verified, released."""
    with office.work.database.read() as session:
        case = session.get_one(ApprovalCase, case_id)
        opened = intake.OpenedCase(case.id, case.number, "", tuple(step.id for step in case.steps))
    office.sign_step(opened, 0, "甲")
    office.sign_step(opened, 1, "乙")
    typeset_outward(office.work, case_id, CLERK)
    completed = office.signed_by("印章", course.to_seal(office.work, case_id))
    course.sealed(office.work, case_id, CLERK, completed, examine=office.examine)
    course.release(office.work, case_id, CLERK, examine=office.examine)


def code_of(answer: Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def test_a_case_is_handed_in_followed_and_its_sealed_result_fetched(office: Office, platform: Platform) -> None:
    opened = platform.hand_in()
    assert opened.status_code == 201
    case = opened.json()
    access = enter(office.work.database, case["number"], case["query_code"], client="x", at=office.clock.now())
    assert access.case_id == case["id"]
    assert code_of(platform.get(f"/cases/{case['id']}/file")) == "case_not_released"
    accept(office, case["id"])
    finish(office, case["id"])
    seen = platform.get(f"/cases/{case['id']}").json()
    assert (seen["state"], seen["reference"], len(seen["steps"])) == ("delivered", "P-2026-0001", 2)
    assert "甲" not in json.dumps(seen["steps"], ensure_ascii=False), "an officer's name is nobody's business outside"
    file = platform.get(f"/cases/{case['id']}/file")
    assert file.content.startswith(b"%PDF-")
    assert office.examine(file.content).passed
    events = platform.get(f"/cases/{case['id']}/events").json()["items"]
    assert [one["kind"] for one in events] == [
        "open", "accept", "begin_review", "step_signed", "step_signed", "approve", "seal", "release",
    ]  # fmt: skip
    assert [one["number"] for one in events] == list(range(1, 9))
    assert [one["number"] for one in platform.get(f"/cases/{case['id']}/events", after=6).json()["items"]] == [7, 8]
    with office.work.database.read() as session:
        stored = session.get_one(ApprovalCase, case["id"])
        kinds = {entry.kind for entry in session.query(AuditEntry).where(AuditEntry.actor == "client:platform")}
    assert stored.real_name_check == "示例市统一身份认证平台,人脸识别,2026-11-24 09:00+0800"
    assert {"case.open", "case.viewed", "case.file_fetched"} <= kinds


def test_a_repetition_gives_the_first_answer_and_another_body_is_refused(office: Office, platform: Platform) -> None:
    first = platform.hand_in()
    assert platform.hand_in().json() == first.json()
    assert code_of(platform.hand_in(title="另一件")) == "idempotency_key_reused"
    again = platform.hand_in(key="request-0002")
    assert (again.status_code, code_of(again)) == (409, "case_exists")
    with office.work.database.read() as session:
        kept = session.query(IdempotentCall).one()
    assert first.json()["query_code"] not in json.dumps(kept.answer), "a query code is never kept in clear"


def test_a_try_that_was_cut_short_is_taken_up_with_a_query_code_that_works(office: Office, platform: Platform) -> None:
    lost = platform.hand_in().json()
    with office.work.database.write() as session:
        session.query(IdempotentCall).one().answer = None
    assert code_of(platform.hand_in()) == "request_in_progress"
    office.clock.forward(minutes=3)
    found = platform.hand_in().json()
    assert (found["id"], found["number"]) == (lost["id"], lost["number"])
    assert enter(office.work.database, found["number"], found["query_code"], client="x", at=office.clock.now())


def test_a_natural_person_is_taken_in_and_never_shown_or_kept_in_clear(office: Office, platform: Platform) -> None:
    person = {"name": "张示例", "code": PERSON_NUMBER, "code_type": "111", "phone": "13900000000"}
    case = platform.hand_in(applicant=person).json()
    with office.work.database.read() as session:
        row = session.get_one(ApprovalCase, case["id"])
        notice = session.query(Notice).one()
    assert row.applicant_code == "11**************2X"
    assert office.work.personal_numbers.open(row.applicant_code_sealed or b"", row.id) == PERSON_NUMBER
    assert office.work.personal_numbers.open(notice.to_sealed or b"", row.id) == "13900000000"
    seen = json.dumps(platform.get(f"/cases/{case['id']}").json())
    assert PERSON_NUMBER not in seen
    assert "13900000000" not in seen

    class Sent(list[Any]):
        def send(self, message: Any) -> None:
            self.append(message)

    sent = Sent()
    NoticeSender(office.work.database, office.clock, {"sms": sent}, office.work.personal_numbers, "示例市政印").run()
    assert (sent[0].to, case["query_code"] in sent[0].text.zh, "张" in sent[0].text.zh) == ("13900000000", True, False)


def test_missing_material_is_told_and_supplemented_through_the_platform(office: Office, platform: Platform) -> None:
    case = platform.hand_in().json()["id"]
    material_notices.ask_material(office.work, case, CLERK, ["总平面图"])
    assert platform.get(f"/cases/{case}").json()["notices"][0]["items"] == ["总平面图"]
    changed = {"fields": FIELDS | {"location": "示例区滨河路2号"}}
    answer = platform.post(f"/cases/{case}/supplement", changed, "supplement-1")
    assert answer.json() == {"id": case, "state": "received"}
    assert platform.post(f"/cases/{case}/supplement", changed, "supplement-1").json() == answer.json()
    assert code_of(platform.post(f"/cases/{case}/supplement", changed, "supplement-2")) == "move_not_allowed"
    ended = platform.post(f"/cases/{case}/withdraw", {"reason": "项目取消"}, "withdraw-0001")
    assert ended.json()["state"] == "withdrawn"


def test_a_pdf_is_handed_in(office: Office, platform: Platform) -> None:
    case = office.in_review()
    with office.work.database.read() as session:
        pdf = office.work.blobs.get(session.get_one(ApprovalCase, case.case_id).versions[0].digest)
    given = {"matter": "given-document", "document": base64.b64encode(pdf).decode(), "title": "来文"}
    opened = platform.hand_in(**given)
    assert opened.status_code == 201
    without = platform.hand_in(key="request-0002", reference="P-2", **given | {"document": None})
    assert code_of(without) == "request_incomplete"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"matter": "joint-review"}, 403, "matter_not_allowed"),
        ({"route": [STEP]}, 403, "route_not_allowed"),
        ({"fields": {}}, 422, "request_incomplete"),
        ({"applicant": {"name": "示例", "code": "91990000MA990001X2", "mail": "no-address"}}, 422, "address_invalid"),
        ({"real_name_check": None}, 400, "request_invalid"),
        ({"purpose": "办 11010519491231002X"}, 422, "personal_number_in_purpose"),
        ({"document": "%%"}, 400, "request_invalid"),
        ({"basis_case": "0" * 32}, 404, "case_not_found"),
    ],
)
def test_what_is_refused_is_a_problem_document(
    platform: Platform, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = platform.hand_in(**changes)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_others_see_nothing(office: Office, http: TestClient, platform: Platform) -> None:
    case = platform.hand_in().json()["id"]
    other = platform_named(office, http, "other")
    for address in ("/matters", "/case-webhook"):
        assert (other.get(address).status_code, code_of(other.get(address))) == (404, "not_found")
    assert other.get("/cases").json() == {"items": []}
    for address in (f"/cases/{case}", f"/cases/{case}/events", f"/cases/{case}/file"):
        assert (other.get(address).status_code, code_of(other.get(address))) == (404, "case_not_found")
    assert code_of(other.hand_in()) == "not_found"
    window = office.open().case_id
    assert platform.get(f"/cases/{window}").status_code == 404
    assert http.get("/api/v1/cases").status_code == 401
    end_platform(office.work, "platform", CLERK, "合同到期")
    assert code_of(platform.hand_in(key="request-0009", reference="P-9")) == "not_found"


def test_a_route_of_the_platforms_own_needs_departments_that_exist(office: Office, platform: Platform) -> None:
    allow_platform(office.work, "platform", ["project-plan"], CLERK, may_route=True)
    assert code_of(platform.hand_in(route=[STEP])) == "route_invalid"
    case = platform.hand_in(key="request-0002", route=[STEP | {"department": "approvals"}]).json()["id"]
    (made,) = platform.get(f"/cases/{case}").json()["steps"]
    assert (made["title"], made["department"]) == ("联审", "示例市行政审批局")
    with pytest.raises(PlatformUnknown):
        allow_platform(office.work, "nobody", ["project-plan"], CLERK, may_route=True)


def test_matters_and_own_cases_are_listed_by_pages(platform: Platform) -> None:
    assert [one["code"] for one in platform.get("/matters").json()["items"]] == ["given-document", "project-plan"]
    numbers = [platform.hand_in(f"request-{n:04d}", reference=f"P-{n}").json()["number"] for n in range(3)]
    first = platform.get("/cases", limit=2).json()["items"]
    rest = platform.get("/cases", limit=2, after=first[-1]["number"]).json()["items"]
    assert [one["number"] for one in [*first, *rest]] == sorted(numbers)


# --- callbacks ---------------------------------------------------------------------------------------------------


class Receiver(HTTPServer):
    """The platform's own server; `answer` is the status that it gives."""

    answer = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[bytes] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def callbacks(office: Office, receiver: Receiver, platform: Platform) -> CaseWebhooks:
    sign = evidence_signer(b"certificate", lambda content: EVIDENCE_KEY.sign(content, ec.ECDSA(hashes.SHA256())))
    outbound = Outbound(OutboundPolicy(hosts=frozenset({f"127.0.0.1:{receiver.server_port}"}), timeout_seconds=5))
    answer = platform.http.put(
        "/api/v1/case-webhook", headers={**platform.headers, **HEADERS},
        json={"purpose": "办理", "matter": "M1", "url": f"http://127.0.0.1:{receiver.server_port}/back"},
    )  # fmt: skip
    assert answer.status_code == 200
    return CaseWebhooks(office.work.database, outbound, sign, office.clock, BASE)


def test_every_step_is_called_back_signed_and_once(
    platform: Platform, callbacks: CaseWebhooks, receiver: Receiver
) -> None:
    case = platform.hand_in().json()
    assert callbacks.run() == 1
    assert callbacks.run() == 0
    (received,) = receiver.received
    key = jwk.import_key({**jwk.ECKey.import_key(EVIDENCE_KEY).as_dict(private=False)})
    claims = json.loads(jws.deserialize_compact(received.decode(), key).payload)
    assert (claims["iss"], claims["aud"], claims["jti"]) == (BASE, "platform", f"{case['id']}:1")
    assert claims["case"] == {"id": case["id"], "number": case["number"], "reference": "P-2026-0001"}
    assert (claims["event"]["kind"], claims["event"]["state"]) == ("open", "received")


def test_callbacks_are_tried_again_given_up_shown_and_replayed(
    office: Office, platform: Platform, callbacks: CaseWebhooks, receiver: Receiver
) -> None:
    receiver.answer = 500
    platform.hand_in()
    for wait in (*WAITS, WAITS[0]):
        assert callbacks.run() == 1
        office.clock.instant += wait
    assert callbacks.run() == 0
    again = platform_named(office, platform.http, "platform")
    (dead,) = again.get("/case-webhook").json()["dead"]
    assert dead["why"] == "HTTP 500"
    receiver.answer = 200
    replayed = again.http.post("/api/v1/case-webhook/replay", headers={**again.headers, **HEADERS})
    assert replayed.json() == {"replayed": 1}
    assert callbacks.run() == 1
    assert again.get("/case-webhook").json()["dead"] == []


@pytest.mark.parametrize("url", ["ftp://a.example/x", "http://user@a.example/", "nonsense"])
def test_a_callback_address_of_another_form_is_refused(platform: Platform, url: str) -> None:
    body = {"purpose": "办理", "matter": "M1", "url": url}
    answer = platform.http.put("/api/v1/case-webhook", headers={**platform.headers, **HEADERS}, json=body)
    assert code_of(answer) == "callback_refused"
