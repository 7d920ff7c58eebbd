"""The main line, with real signatures and the real verification engine."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from signing_service.approvals import course
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.outbox import OutboxMessage

from .conftest import Office


def kinds(office: Office, case_id: str) -> list[str]:
    with office.work.database.read() as session:
        return [entry.kind for entry in entries_about(session, f"case:{case_id}")]


def test_main_line(office: Office):
    case = office.delivered()
    with office.work.database.read() as session:
        row = session.get_one(ApprovalCase, case.case_id)
        assert (row.state, row.document_number) == ("delivered", "示审批〔2026〕1号")
        message = session.scalars(select(OutboxMessage)).one()
        topic, payload = message.topic, message.payload
    sealed = course.to_seal(office.work, case.case_id)
    assert topic == "approval_released"
    assert payload["document_digest"] == hashlib.sha256(sealed.content).hexdigest()
    assert payload["holder"] == {"name": "示例建设有限公司", "code": "91990000MA990001X2", "code_type": "001"}
    assert payload["issuer"]["name"] == "示例市行政审批局"
    assert payload["fields"]["title"] == "关于示例建设有限公司滨河路一号综合楼方案的批复"
    assert kinds(office, case.case_id) == [
        "case.open", "case.accept", "case.begin_review", "case.document", "case.step_signed", "case.step_signed",
        "case.approve", "case.document", "case.seal", "case.release",
    ]  # fmt: skip
