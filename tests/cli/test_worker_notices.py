"""The worker of a whole home tells people: query codes, deadlines, lost keys, and platforms that want to be called."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.founding_records import CLIENT_ID
from cli.notice_tasks import DEADLINES, LOST_KEYS, SENDING
from cli.opened_home import open_home
from cli.stage import Stage, open_stage
from cli.worker import CALLBACKS, make_worker
from signing_service.app import Worker
from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.intake import CaseRequest, OpenedCase
from signing_service.approvals.platform_tables import SOURCE
from signing_service.approvals.platforms import allow_platform, set_webhook
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import Actor
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.contacts import set_contact
from signing_service.people.officers import SIGNING
from signing_service.people.register import PeopleRegister
from signing_service.pki.crl import Reason
from signing_service.pki.register import CertificateRegister, Why, fingerprint
from signing_service.pki.rules import Actor as PkiActor
from signing_service.settings import NoticeSettings, Settings

CLERK = Actor("clerk", "approvals", frozenset({"clerk"}))
FIELDS = {"project_name": "示例产业园", "location": "示例区", "content": "新建综合楼一栋"}
APPLICANT_PHONE, REVIEWER_PHONE, OPERATOR_PHONE = "13900000001", "13900000002", "13900000003"
SECONDS = 120


class Receiver(HTTPServer):
    """The platform's own server."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[bytes] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
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
def settings(home: Settings, tmp_path: Path, receiver: Receiver) -> Iterator[Settings]:
    """A copy of the home, since certificates are revoked here; it sends to files, and may call the receiver."""
    shutil.copytree(home.home, tmp_path / "home", ignore=shutil.ignore_patterns("*.sock"))
    opened = open_home(tmp_path / "home")
    notices = NoticeSettings(sms_folder=tmp_path / "sms", screen_file=tmp_path / "hall.json")
    yield replace(opened, notices=notices, outbound_hosts=frozenset({f"127.0.0.1:{receiver.server_port}"}))
    open_home(home.home)


@pytest.fixture
def stage(settings: Settings) -> Iterator[Stage]:
    opened = open_stage(settings)
    yield opened
    opened.close()


@pytest.fixture
def people(stage: Stage) -> PeopleRegister:
    register = PeopleRegister(stage.database, stage.clock, AuditLog())
    with stage.database.write() as session:
        for officer, phone in (("reviewer-1", REVIEWER_PHONE), ("pki-operator", OPERATOR_PHONE)):
            set_contact(session, officer, "sms", phone, actor="seal-admin-1", at=stage.clock.now())
    return register


def take_in(stage: Stage, **more: object) -> OpenedCase:
    applicant = Applicant("示例建设有限公司", "91990000MA990001X2")
    request = CaseRequest("project-plan", applicant, FIELDS, **more)  # type: ignore[arg-type]
    return intake.open_case(stage.work, request, CLERK)


def overdue(stage: Stage) -> OpenedCase:
    """A case whose first step should have been made weeks ago."""
    case = take_in(stage)
    intake.accept(stage.work, case.case_id, CLERK)
    course.begin_review(stage.work, case.case_id, CLERK)
    long_ago = stage.clock.now() - timedelta(days=60)
    with stage.database.write() as session:
        row = session.get_one(ApprovalCase, case.case_id)
        row.accepted_at = long_ago
        for step in row.steps:
            step.opened_at = long_ago if step.opened_at else None
    return case


def lose_a_key(stage: Stage, people: PeopleRegister) -> None:
    with stage.database.read() as session:
        certificate = people.certificates(session, "reviewer-1", SIGNING)[0].der
    operator = PkiActor("pki-operator", frozenset({"pki_operator"}))
    register = CertificateRegister(stage.database, stage.clock, AuditLog())
    register.change(fingerprint(certificate), "revoke", operator, Why("遗失", Reason.KEY_COMPROMISE))


def sent(settings: Settings) -> list[tuple[str, str, str]]:
    folder = settings.notices.sms_folder
    assert folder is not None
    messages = [json.loads(file.read_bytes()) for file in folder.glob("*.json")]
    return sorted((one["kind"], one["to"], one["text"]) for one in messages)


def wait_for(worker: Worker, tasks: tuple[str, ...], reached: Callable[[], bool]) -> None:
    """The tasks are woken until what they do is there: what one queues the next one sends."""
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, "the worker did not do it"
        for name in tasks:
            worker.jobs.wake(name)
        time.sleep(0.2)


def test_query_codes_deadlines_and_lost_keys_are_told_by_the_worker(
    settings: Settings, stage: Stage, people: PeopleRegister
) -> None:
    told, late = take_in(stage, contacts={"sms": APPLICANT_PHONE}), overdue(stage)
    lose_a_key(stage, people)
    worker = make_worker(settings, "http://127.0.0.1:1")
    worker.start()
    try:
        wait_for(worker, (DEADLINES, LOST_KEYS, SENDING), lambda: len(sent(settings)) >= 4)
    finally:
        worker.close()
    messages = sent(settings)
    assert [message[:2] for message in messages] == [
        ("deadline", REVIEWER_PHONE), ("lost_key", REVIEWER_PHONE), ("lost_key", OPERATOR_PHONE),
        ("query_code", APPLICANT_PHONE),
    ]  # fmt: skip
    assert told.query_code in messages[3][2]
    assert late.number in messages[0][2]
    assert not any("示例建设" in text or "91990000" in text for _, _, text in messages)


def test_a_platform_is_called_back_by_the_worker(settings: Settings, stage: Stage, receiver: Receiver) -> None:
    allow_platform(stage.work, CLIENT_ID, ["project-plan"], CLERK, may_route=False)
    set_webhook(stage.work, CLIENT_ID, f"http://127.0.0.1:{receiver.server_port}/back", CLERK)
    case = take_in(stage, source=f"{SOURCE}{CLIENT_ID}", source_key="P-2026-0001")
    worker = make_worker(settings, "http://127.0.0.1:1")
    worker.start()
    try:
        wait_for(worker, (CALLBACKS,), lambda: bool(receiver.received))
    finally:
        worker.close()
    (event,) = receiver.received
    claims = json.loads(base64.urlsafe_b64decode(event.split(b".")[1] + b"=="))
    assert claims["case"] == {"id": case.case_id, "number": case.number, "reference": "P-2026-0001"}
    assert (claims["iss"], claims["aud"], claims["event"]["kind"]) == (settings.base_url, CLIENT_ID, "open")
