"""Returned, withdrawn, delegated, in parallel, simulated: what happens beside the main line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cert_registry.licences.holder_vault import AesHolderVault
from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import find_case
from signing_service.approvals.conversion import open_formal
from signing_service.approvals.delegation import delegate, end_delegation
from signing_service.approvals.errors import (
    CaseExists,
    LeaseHeld,
    MoveNotAllowed,
    NotConvertible,
    NotYourStep,
    ReasonMissing,
    RequestIncomplete,
    SignatureNotWithdrawable,
    StaleRevision,
)
from signing_service.approvals.examining import Finding
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.lease import give_back_lease, take_lease
from signing_service.approvals.material_notices import ask_material, supplement
from signing_service.approvals.outward import typeset_outward
from signing_service.approvals.register import ApprovalCase, DocumentVersion, head
from signing_service.approvals.returning import reject, resubmit, return_case, withdraw_signature
from signing_service.approvals.rules import CaseState
from signing_service.approvals.simulated import (
    CaseFacts,
    conditions_complete,
    convert,
    lapse,
    pending_conversions,
    recall,
)
from signing_service.approvals.worklist import overdue, pending, signed
from signing_service.kernel.outbox import OutboxMessage

from .conftest import CLERK, FIELDS, NOW, Office

TODAY = date(2026, 11, 24)
LETTER = b"%PDF-1.7 letter of commitment"


def state(office: Office, case: intake.OpenedCase) -> CaseState:
    with office.work.database.read() as session:
        return CaseState(session.get_one(ApprovalCase, case.case_id).state)


def texts(office: Office, case: intake.OpenedCase, kind: str = "form") -> list[tuple[int, int, bool]]:
    with office.work.database.read() as session:
        rows = session.get_one(ApprovalCase, case.case_id).versions
        return [(row.text, row.revision, row.withdrawn) for row in rows if row.kind == kind]


# --- returned and resubmitted ------------------------------------------------------------------------------------


def test_returned_and_resubmitted_with_a_changed_text(office: Office):
    """The signature stays on the first text; the second text is signed from the beginning."""
    case = office.in_review()
    office.sign_step(case, 0, "甲")
    return_case(office.work, case.case_id, case.step_ids[1], office.officer("乙"), "面积与图纸不符")
    assert state(office, case) is CaseState.RETURNED
    resubmit(office.work, case.case_id, CLERK, fields={**FIELDS, "content": "新建综合楼两栋"})
    assert texts(office, case) == [(1, 0, False), (1, 1, False), (2, 0, False)]
    office.sign_step(case, 0, "甲")
    office.sign_step(case, 1, "乙")
    assert state(office, case) is CaseState.APPROVED


def test_resubmitted_unchanged_keeps_signatures(office: Office):
    case = office.in_review()
    office.sign_step(case, 0, "甲")
    return_case(office.work, case.case_id, case.step_ids[1], office.officer("乙"), "请补充说明")
    resubmit(office.work, case.case_id, CLERK)
    office.sign_step(case, 1, "乙")
    assert texts(office, case) == [(1, 0, False), (1, 1, False), (1, 2, False)]
    assert state(office, case) is CaseState.APPROVED


def test_return_needs_reason_and_the_right_officer(office: Office):
    case = office.in_review()
    with pytest.raises(ReasonMissing):
        return_case(office.work, case.case_id, case.step_ids[0], office.officer("甲"), "")
    with pytest.raises(NotYourStep):
        return_case(office.work, case.case_id, case.step_ids[0], office.officer("丙", "housing"), "理由")
    with pytest.raises(MoveNotAllowed):
        resubmit(office.work, case.case_id, CLERK)


def test_rejected(office: Office):
    case = office.in_review()
    reject(office.work, case.case_id, case.step_ids[0], office.officer("甲"), "不符合规划")
    assert state(office, case) is CaseState.REJECTED


# --- withdrawn signatures ----------------------------------------------------------------------------------------


def test_signature_withdrawn_before_the_next_step_begins(office: Office):
    case = office.in_review()
    office.sign_step(case, 0, "甲")
    with pytest.raises(ReasonMissing):
        withdraw_signature(office.work, case.case_id, case.step_ids[0], office.officer("甲"), "")
    with pytest.raises(NotYourStep):
        withdraw_signature(office.work, case.case_id, case.step_ids[0], office.officer("乙"), "误签")
    withdraw_signature(office.work, case.case_id, case.step_ids[0], office.officer("甲"), "误签")
    assert texts(office, case) == [(1, 0, False), (1, 1, True)]
    office.sign_step(case, 0, "甲")
    office.sign_step(case, 1, "乙")
    assert state(office, case) is CaseState.APPROVED


def test_signature_stays_once_the_next_officer_has_read(office: Office):
    case = office.in_review()
    office.sign_step(case, 0, "甲")
    course.mark_read(office.work, case.case_id, case.step_ids[1], office.officer("乙"))
    with pytest.raises(SignatureNotWithdrawable):
        withdraw_signature(office.work, case.case_id, case.step_ids[0], office.officer("甲"), "误签")


def test_last_signature_withdrawn_after_the_reply_was_typeset(office: Office):
    """The reply was bound to that signature: it is typeset anew, with the same number."""
    case = office.approved()
    first = typeset_outward(office.work, case.case_id, CLERK)
    withdraw_signature(office.work, case.case_id, case.step_ids[1], office.officer("乙"), "意见有误")
    assert state(office, case) is CaseState.IN_REVIEW
    office.clock.forward(days=1)
    office.sign_step(case, 1, "乙")
    second = typeset_outward(office.work, case.case_id, CLERK)
    assert second.digest != first.digest
    with office.work.database.read() as session:
        row = session.get_one(ApprovalCase, case.case_id)
        assert (row.document_number, row.document_date) == ("示审批〔2026〕1号", date(2026, 11, 25))


# --- parallel groups ---------------------------------------------------------------------------------------------


def joint(office: Office) -> intake.OpenedCase:
    """A joint review whose first step is signed: both departments of the second stage are open."""
    case = office.in_review("joint-review")
    read(office, case, 0, "甲")
    office.sign_step(case, 0, "甲")
    return case


def read(office: Office, case: intake.OpenedCase, place: int, name: str, department: str = "approvals") -> None:
    course.mark_read(office.work, case.case_id, case.step_ids[place], office.officer(name, department))


def test_parallel_signers(office: Office):
    """乙 completes while 丙's file is being verified: 丙 is told so, and signs again on the newest revision."""
    case = joint(office)
    read(office, case, 1, "乙")
    read(office, case, 2, "丙", "housing")
    step, officer = case.step_ids[2], office.officer("丙", "housing")
    late = office.signed_by("丙", course.to_sign(office.work, case.case_id, step))

    def examine_slowly(pdf: bytes) -> Finding:
        office.sign_step(case, 1, "乙")
        return office.examine(pdf)

    with pytest.raises(StaleRevision):
        course.step_signed(office.work, case.case_id, step, officer, late, opinion="", examine=examine_slowly)
    office.sign_step(case, 2, "丙", "housing")
    read(office, case, 3, "丁")
    office.sign_step(case, 3, "丁")
    assert state(office, case) is CaseState.APPROVED


def test_lease_on_the_head_revision(office: Office):
    case = joint(office)
    for place, name, department in ((1, "乙", "approvals"), (2, "丙", "housing")):
        read(office, case, place, name, department)
    until = take_lease(office.work, case.case_id, case.step_ids[1], office.officer("乙"))
    assert until == NOW + timedelta(minutes=2)
    with pytest.raises(LeaseHeld):
        take_lease(office.work, case.case_id, case.step_ids[2], office.officer("丙", "housing"))
    with pytest.raises(LeaseHeld):
        office.sign_step(case, 2, "丙", "housing")
    give_back_lease(office.work, case.case_id, office.officer("丙", "housing"))
    office.sign_step(case, 1, "乙")
    take_lease(office.work, case.case_id, case.step_ids[2], office.officer("丙", "housing"))


def test_lease_ends_by_itself(office: Office):
    case = joint(office)
    take_lease(office.work, case.case_id, case.step_ids[1], office.officer("乙"))
    office.clock.forward(minutes=2)
    take_lease(office.work, case.case_id, case.step_ids[2], office.officer("丙", "housing"))


# --- delegation --------------------------------------------------------------------------------------------------


def test_delegate_signs_for_the_officer(office: Office):
    case = office.in_review()
    step, officer, deputy = case.step_ids[0], office.officer("甲"), office.officer("戊", "housing")
    with pytest.raises(NotYourStep):
        office.sign_step(case, 0, "戊", "housing")
    delegate(office.work, case.case_id, step, officer, to="戊", begin=TODAY, until=date(2026, 11, 27), reason="出差")
    assert [task.as_delegate for task in pending(office.work, deputy)] == [True]
    office.sign_step(case, 0, "戊", "housing")
    assert [step.as_delegate for step in signed(office.work, deputy)] == [True]


def test_delegation_ends(office: Office):
    case = office.in_review()
    step, officer = case.step_ids[0], office.officer("甲")
    delegate(office.work, case.case_id, step, officer, to="戊", begin=TODAY, until=TODAY, reason="开会")
    with pytest.raises(NotYourStep):
        delegate(
            office.work,
            case.case_id,
            step,
            office.officer("戊", "housing"),
            to="己",
            begin=TODAY,
            until=TODAY,
            reason="x",
        )
    office.clock.forward(days=1)
    with pytest.raises(NotYourStep):
        office.sign_step(case, 0, "戊", "housing")
    end_delegation(office.work, case.case_id, step, officer)
    office.sign_step(case, 0, "甲")


# --- notices -----------------------------------------------------------------------------------------------------


def test_one_time_notice(office: Office):
    case = office.open()
    assert ask_material(office.work, case.case_id, CLERK, ["规划总平面图", " "]) is False
    with pytest.raises(MoveNotAllowed):
        intake.accept(office.work, case.case_id, CLERK)
    supplement(office.work, case.case_id, CLERK, {**FIELDS, "content": "补正后的内容"})
    assert ask_material(office.work, case.case_id, CLERK, ["授权委托书"]) is True
    with pytest.raises(RequestIncomplete):
        ask_material(office.work, case.case_id, CLERK, [""])


# --- simulated ---------------------------------------------------------------------------------------------------


def accept_simulated(office: Office) -> intake.OpenedCase:
    return office.delivered(simulated=True, commitment=LETTER, tentative_date=date(2027, 3, 1))


def test_simulated_needs_a_commitment(office: Office):
    with pytest.raises(RequestIncomplete):
        office.open(simulated=True)


def test_simulated_never_becomes_a_licence(office: Office):
    case = accept_simulated(office)
    with office.work.database.read() as session:
        assert session.query(OutboxMessage).count() == 0
        row = session.get_one(ApprovalCase, case.case_id)
        assert row.document_number == "示审批模拟〔2026〕1号"
        assert row.title.endswith("（模拟）")
        digest = bytes.fromhex(head(session, case.case_id, "reply").digest)
    facts = CaseFacts(office.work.database).facts((), digest, NOW)
    assert (facts.known, facts.simulated, facts.recalled_at) == (True, True, None)


def test_converted_and_recalled(office: Office):
    simulated = accept_simulated(office)
    due = conditions_complete(office.work, simulated.case_id, CLERK)
    assert due.day == date(2026, 12, 1)
    assert [one.card for one in pending_conversions(office.work)] == ["none"]
    office.clock.forward(days=8)
    assert [one.card for one in pending_conversions(office.work)] == ["red"]
    formal = office.delivered()
    convert(office.work, simulated.case_id, formal.case_id, CLERK)
    assert pending_conversions(office.work) == []
    with office.work.database.read() as session:
        version = head(session, simulated.case_id, "reply")
        number = session.get_one(ApprovalCase, formal.case_id).document_number
        digest = bytes.fromhex(version.digest)
    facts = CaseFacts(office.work.database).facts((), digest, office.clock.now())
    assert (facts.recalled_at, facts.replaced_by) == (office.clock.now(), number)
    assert CaseFacts(office.work.database).facts((), b"\0" * 32, NOW).known is False


def test_what_cannot_be_converted(office: Office):
    simulated, formal = accept_simulated(office), office.delivered()
    other = accept_simulated(office)
    for replacement in (other, office.approved()):
        with pytest.raises(NotConvertible):
            convert(office.work, simulated.case_id, replacement.case_id, CLERK)
    with pytest.raises(NotConvertible):
        convert(office.work, formal.case_id, formal.case_id, CLERK)
    lapse(office.work, simulated.case_id, CLERK, "条件未成就")
    with pytest.raises(MoveNotAllowed):
        convert(office.work, simulated.case_id, formal.case_id, CLERK)
    recall(office.work, formal.case_id, CLERK, "发文有误")
    assert state(office, formal) is CaseState.RECALLED


def test_opinions_build_on_one_another(office: Office):
    basis = accept_simulated(office)
    office.open(simulated=True, commitment=LETTER, basis_case=basis.case_id)
    with pytest.raises(NotConvertible):
        office.open(basis_case=basis.case_id)
    with pytest.raises(NotConvertible):
        office.open(simulated=True, commitment=LETTER, basis_case=office.open().case_id)


# --- the desk ----------------------------------------------------------------------------------------------------


def test_worklist(office: Office):
    first = office.in_review()
    office.clock.forward(days=4)
    second = office.in_review()
    tasks = pending(office.work, office.officer("甲"))
    assert [task.case_number for task in tasks] == [first.number, second.number]
    assert overdue(tasks) == []
    office.clock.forward(days=5)
    assert [task.case_number for task in overdue(pending(office.work, office.officer("甲")))] == [first.number]
    assert pending(office.work, office.officer("丙", "housing")) == []


def test_versions_are_kept(office: Office):
    case = office.delivered()
    with office.work.database.read() as session:
        rows = session.query(DocumentVersion).filter_by(case_id=case.case_id).all()
        for row in rows:
            assert office.work.blobs.get(row.digest)
        assert [(row.kind, row.revision) for row in rows] == [
            ("form", 0), ("form", 1), ("form", 2), ("reply", 0), ("reply", 1),
        ]  # fmt: skip


def test_a_simulated_approval_opens_its_formal_case_whose_release_recalls_it(office: Office):
    simulated = accept_simulated(office)
    with pytest.raises(NotConvertible):
        open_formal(office.work, simulated.case_id, CLERK)
    conditions_complete(office.work, simulated.case_id, CLERK)
    formal = open_formal(office.work, simulated.case_id, CLERK)
    with pytest.raises(CaseExists):
        open_formal(office.work, simulated.case_id, CLERK)
    intake.accept(office.work, formal.case_id, CLERK)
    course.begin_review(office.work, formal.case_id, CLERK)
    office.sign_step(formal, 0, "甲")
    office.sign_step(formal, 1, "乙")
    typeset_outward(office.work, formal.case_id, CLERK)
    completed = office.signed_by("印章", course.to_seal(office.work, formal.case_id))
    course.sealed(office.work, formal.case_id, CLERK, completed, examine=office.examine)
    assert state(office, simulated) is CaseState.DELIVERED
    course.release(office.work, formal.case_id, CLERK, examine=office.examine)
    assert state(office, simulated) is CaseState.RECALLED
    with office.work.database.read() as session:
        digest = head(session, simulated.case_id, "reply").digest
        assert "（模拟）" not in find_case(session, formal.case_id).title
        number = find_case(session, formal.case_id).document_number
    facts = CaseFacts(office.work.database).facts((), bytes.fromhex(digest), office.clock.now())
    assert facts.replaced_by == number


def test_two_persons_whose_numbers_look_alike_are_not_taken_for_one(office: Office):
    office.work = replace(office.work, personal_numbers=AesHolderVault({1: bytes(32)}))
    one, other = (Applicant("张示例", number, "111") for number in ("11010519491231002X", "11010519500101002X"))
    cases = {}
    for person, more in ((one, {"simulated": True, "commitment": LETTER}), (other, {})):
        request = CaseRequest("project-plan", person, FIELDS, **more)
        case = intake.open_case(office.work, request, CLERK)
        cases[person] = case.case_id
        with office.work.database.write() as session:
            row = find_case(session, case.case_id)
            row.state, row.ended_at = CaseState.DELIVERED, office.clock.now()
            assert row.applicant_code == "11**************2X"
    with pytest.raises(NotConvertible, match="another applicant"):
        convert(office.work, cases[one], cases[other], CLERK)
