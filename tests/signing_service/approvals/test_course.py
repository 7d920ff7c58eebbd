"""The main line, with real signatures and the real verification engine."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import pikepdf
import pypdfium2
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant, with_revealed_holder
from signing_service.approvals.errors import (
    CaseExists,
    CaseNotFound,
    MatterUnknown,
    MoveNotAllowed,
    NotRead,
    NotThisDocument,
    NotVerified,
    NotYourStep,
    PersonalNumbersUnprotected,
    ReasonMissing,
    RequestIncomplete,
    StaleRevision,
    StepAlreadySigned,
    StepNotFound,
    StepNotOpen,
    WrongSigner,
)
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.outward import CodeFacts, CodePicture, typeset_outward
from signing_service.approvals.register import ApprovalCase, StepSignature, head
from signing_service.approvals.rules import CaseState
from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.outbox import OutboxMessage
from signing_service.kernel.typesetting import typeset

from .conftest import CLERK, COMPANY, FIELDS, Office

PERSON = Applicant("示例人", "110105194912310021", "111")


def kinds(office: Office, case_id: str) -> list[str]:
    with office.work.database.read() as session:
        return [entry.kind for entry in entries_about(session, f"case:{case_id}")]


def column(office: Office, case_id: str, name: str) -> Any:
    with office.work.database.read() as session:
        return getattr(session.get_one(ApprovalCase, case_id), name)


def text_of(pdf: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


def test_main_line(office: Office):
    case = office.delivered()
    with office.work.database.read() as session:
        message = session.scalars(select(OutboxMessage)).one()
        topic, payload = message.topic, message.payload
    sealed = course.to_seal(office.work, case.case_id)
    assert column(office, case.case_id, "state") == CaseState.DELIVERED
    assert topic == "approval_released"
    assert payload["document_digest"] == hashlib.sha256(sealed.content).hexdigest()
    assert payload["holder"] == {"name": "示例建设有限公司", "code": "91990000MA990001X2", "code_type": "001"}
    assert payload["issuer"]["name"] == "示例市行政审批局"
    assert payload["number"] == "示审批〔2026〕1号"
    assert payload["fields"]["title"] == "关于示例建设有限公司滨河路一号综合楼方案的批复"
    assert kinds(office, case.case_id) == [
        "case.open", "case.accept", "case.begin_review", "case.document", "case.step_signed", "case.step_signed",
        "case.approve", "case.document", "case.seal", "case.release",
    ]  # fmt: skip


def test_documents_bind_each_other(office: Office):
    """The reply carries the number and the digest of the form with both signatures on it."""
    case = office.sealed()
    with office.work.database.read() as session:
        form = head(session, case.case_id, "form")
        assert form is not None
        digest, signatures = form.digest, form.signatures
    words = text_of(course.to_seal(office.work, case.case_id).content).replace("\r\n", "")
    assert signatures == 2
    assert digest in words
    assert "示审批〔2026〕1号" in words
    assert "2026年11月24日" in words.replace(" ", "")


def test_signatures_stand_in_their_boxes(office: Office):
    case = office.in_review()
    first = course.to_sign(office.work, case.case_id, case.step_ids[0])
    assert first.area is not None
    with pikepdf.open(BytesIO(office.signed_by("甲", first))) as document:
        left, bottom, right, top = (float(value) for value in document.pages[0].obj.Annots[0].Rect.as_list())
    unit = 72 / 25.4
    assert (left, bottom) == pytest.approx((first.area.x_mm * unit, first.area.y_mm * unit), abs=0.1)
    assert (right - left, top - bottom) == pytest.approx((84 * unit, 24 * unit), abs=0.1)


def test_given_file_is_signed_and_sealed_itself(office: Office):
    given = _typeset("来文")
    case = office.in_review("given-document", given=given)
    office.sign_step(case, 0, "甲")
    office.sign_step(case, 1, "乙")
    assert typeset_outward(office.work, case.case_id, CLERK).area is None
    completed = office.signed_by("印章", course.to_seal(office.work, case.case_id))
    course.sealed(office.work, case.case_id, CLERK, completed, examine=office.examine)
    course.release(office.work, case.case_id, CLERK, examine=office.examine)
    assert completed.startswith(given)
    assert column(office, case.case_id, "state") == CaseState.DELIVERED


def test_given_file_that_is_missing(office: Office):
    with pytest.raises(RequestIncomplete):
        office.open("given-document")


def test_outward_document_is_typeset_once(office: Office):
    case = office.approved()
    calls: list[CodeFacts] = []

    def code(facts: CodeFacts) -> CodePicture:
        calls.append(facts)
        svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'
        return CodePicture(svg, 32.0, "AAAA-BBBB-CCCC", "zhengyin.example")

    first = typeset_outward(office.work, case.case_id, CLERK, code=code)
    assert typeset_outward(office.work, case.case_id, CLERK, code=code) == first
    assert len(calls) == 1
    assert calls[0].document_number == "示审批〔2026〕1号"
    assert "AAAA-BBBB-CCCC" in text_of(first.content)


# --- refusals --------------------------------------------------------------------------------------------------


def test_unsigned_copy_is_not_taken(office: Office):
    case = office.in_review()
    revision = course.to_sign(office.work, case.case_id, case.step_ids[0])
    with pytest.raises(NotVerified):
        _hand_in(office, case, 0, revision.content + b"\n%comment\n")
    with pytest.raises(NotThisDocument):
        _hand_in(office, case, 0, revision.content)
    with pytest.raises(NotThisDocument):
        _hand_in(office, case, 0, b"%PDF-1.7 other")


def test_tampered_file_is_not_taken(office: Office):
    case = office.in_review()
    revision = course.to_sign(office.work, case.case_id, case.step_ids[0])
    signed = bytearray(office.signed_by("甲", revision))
    signed[len(revision.content) + 40] ^= 1
    with pytest.raises(NotVerified):
        _hand_in(office, case, 0, bytes(signed))
    assert column(office, case.case_id, "state") == CaseState.IN_REVIEW


def test_bytes_after_the_signature_are_not_taken(office: Office):
    case = office.in_review()
    signed = office.signed_by("甲", course.to_sign(office.work, case.case_id, case.step_ids[0]))
    with pytest.raises(NotVerified):
        _hand_in(office, case, 0, signed + b"\n% appended\n")


def test_another_officers_key(office: Office):
    case = office.in_review()
    signed = office.signed_by("乙", course.to_sign(office.work, case.case_id, case.step_ids[0]))
    with pytest.raises(WrongSigner):
        _hand_in(office, case, 0, signed)


def test_two_signatures_in_one_step(office: Office):
    case = office.in_review()
    revision = course.to_sign(office.work, case.case_id, case.step_ids[0])
    once = office.signed_by("乙", revision)
    twice = office.signed_by("甲", replace(revision, content=once))
    with pytest.raises(NotVerified, match="signature_count"):
        _hand_in(office, case, 0, twice)


def test_order_of_steps(office: Office):
    case = office.in_review()
    with pytest.raises(StepNotOpen):
        office.sign_step(case, 1, "乙")
    with pytest.raises(NotYourStep):
        office.sign_step(case, 0, "丙", "housing")
    with pytest.raises(StepNotFound):
        course.to_sign(office.work, case.case_id, 10_000)
    with pytest.raises(MoveNotAllowed):
        course.sealed(office.work, case.case_id, CLERK, b"", examine=office.examine)
    with pytest.raises(MoveNotAllowed):
        course.release(office.work, case.case_id, CLERK, examine=office.examine)
    with pytest.raises(MoveNotAllowed):
        typeset_outward(office.work, case.case_id, CLERK)


def test_step_is_signed_once(office: Office):
    case = office.in_review()
    revision = course.to_sign(office.work, case.case_id, case.step_ids[0])
    _hand_in(office, case, 0, office.signed_by("甲", revision))
    with pytest.raises(StepAlreadySigned):
        _hand_in(office, case, 0, office.signed_by("甲", revision))


def test_one_signature_a_step_in_the_database_itself(office: Office):
    case = office.in_review()
    office.sign_step(case, 0, "甲")
    with office.work.database.read() as session:
        made = session.scalars(select(StepSignature)).one()
        again = {
            "step_id": made.step_id,
            "round": made.round,
            "version_id": made.version_id,
            "signed_at": made.signed_at,
        }
    with pytest.raises(IntegrityError), office.work.database.write() as session:
        session.add(StepSignature(officer="x", certificate="", **again))


def test_parallel_completions_of_one_step(office: Office):
    """Six answers to one step at the same time: one counts, whatever the others are told."""
    case = office.in_review()
    revision = course.to_sign(office.work, case.case_id, case.step_ids[0])
    answers = [office.signed_by("甲", revision) for _ in range(6)]

    def hand_in(answer: bytes) -> str:
        try:
            _hand_in(office, case, 0, answer)
        except (StepAlreadySigned, StaleRevision) as refusal:
            return refusal.code
        return "taken"

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(hand_in, answers))
    assert outcomes.count("taken") == 1
    with office.work.database.read() as session:
        assert session.scalar(select(func.count()).select_from(StepSignature)) == 1


def test_sealed_file_is_checked_again_at_release(office: Office):
    """A blob that was exchanged on the disk does not leave the house."""
    case = office.sealed()
    digest = course.to_seal(office.work, case.case_id).digest
    path = office.work.blobs._path(digest)  # type: ignore[attr-defined]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Exception, match="digest"):
        course.release(office.work, case.case_id, CLERK, examine=office.examine)
    assert column(office, case.case_id, "state") == CaseState.SEALED


def test_reading_can_be_required(office: Office):
    case = office.in_review("joint-review")
    with pytest.raises(NotRead):
        office.sign_step(case, 0, "甲")
    course.mark_read(office.work, case.case_id, case.step_ids[0], office.officer("甲"))
    office.sign_step(case, 0, "甲")


# --- intake ----------------------------------------------------------------------------------------------------


def test_numbers_under_many_writers(office: Office):
    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(lambda _: office.open().number, range(8)))
    assert numbers == [f"示办2026{count:08d}" for count in range(1, 9)]


def test_same_request_twice(office: Office):
    first = office.open(source="platform", source_key="A-1")
    with pytest.raises(CaseExists) as refusal:
        office.open(source="platform", source_key="A-1")
    assert refusal.value.number == first.number


def test_incomplete_requests(office: Office):
    for request, error in (
        (CaseRequest("project-plan", COMPANY, {"project_name": "楼"}), RequestIncomplete),
        (CaseRequest("project-plan", Applicant(" ", "x"), FIELDS), RequestIncomplete),
        (CaseRequest("nothing", COMPANY, FIELDS), MatterUnknown),
        (CaseRequest("project-plan", PERSON, FIELDS), PersonalNumbersUnprotected),
    ):
        with pytest.raises(error):
            intake.open_case(office.work, request, CLERK)
    with pytest.raises(CaseNotFound):
        intake.accept(office.work, "nothing", CLERK)


def test_personal_number_is_never_in_clear(office: Office):
    """Neither in the tables nor in the message; the consumer gets it in memory alone."""
    work = replace(office.work, personal_numbers=_Reversed())
    office = Office(work, office.clock, office.keys)
    case = intake.open_case(work, CaseRequest("project-plan", PERSON, FIELDS), CLERK)
    intake.accept(work, case.case_id, CLERK)
    course.begin_review(work, case.case_id, CLERK)
    office.sign_step(case, 0, "甲")
    office.sign_step(case, 1, "乙")
    typeset_outward(work, case.case_id, CLERK)
    completed = office.signed_by("印章", course.to_seal(work, case.case_id))
    course.sealed(work, case.case_id, CLERK, completed, examine=office.examine)
    course.release(work, case.case_id, CLERK, examine=office.examine)
    with work.database.read() as session:
        message = session.scalars(select(OutboxMessage)).one()
        key, payload = message.key, dict(message.payload)
        logged = [entry.details for entry in entries_about(session, f"case:{case.case_id}")]
    assert PERSON.code not in str(payload) + str(logged) + column(office, case.case_id, "applicant_code")
    seen: list[dict[str, Any]] = []
    with_revealed_holder(lambda _, content: seen.append(dict(content)), _Reversed())(key, payload)
    assert seen[0]["holder"] == {"name": "示例人", "code": PERSON.code, "code_type": "111"}


class _Reversed:
    """Stands in for a vault: reversible, bound to the case, and not the clear number."""

    def seal(self, code: str, bound_to: str) -> bytes:
        return f"{bound_to}:{code[::-1]}".encode()

    def open(self, sealed: bytes, bound_to: str) -> str:
        bound, _, code = sealed.decode().partition(":")
        assert bound == bound_to
        return code[::-1]


def test_refused_and_withdrawn(office: Office):
    refused, withdrawn = office.open(), office.in_review()
    with pytest.raises(ReasonMissing):
        intake.refuse(office.work, refused.case_id, CLERK, " ")
    intake.refuse(office.work, refused.case_id, CLERK, "不属于本局职权")
    intake.withdraw(office.work, withdrawn.case_id, CLERK, "申请人要求")
    assert column(office, refused.case_id, "ended_at") is not None
    with pytest.raises(MoveNotAllowed):
        intake.accept(office.work, refused.case_id, CLERK)
    with pytest.raises(MoveNotAllowed):
        course.begin_review(office.work, withdrawn.case_id, CLERK)


def test_registry_reports_back(office: Office):
    case = office.delivered()
    for _ in range(2):
        course.registered(office.work, case.case_id, CLERK, "1.2.156.3005.2.X")
    assert kinds(office, case.case_id)[-1] == "case.registered"
    assert kinds(office, case.case_id).count("case.registered") == 1


def _hand_in(office: Office, case: intake.OpenedCase, place: int, completed: bytes) -> str:
    return course.step_signed(
        office.work, case.case_id, case.step_ids[place], office.officer("甲"), completed, opinion="",
        examine=office.examine,
    )  # fmt: skip


def _typeset(words: str) -> bytes:
    return typeset(f'#set text(font: "Noto Serif CJK SC")\n{words}', {})
