"""Back again: a case returned and resubmitted, a signature withdrawn, a case rejected.

Signatures stay on the text that they signed. With a changed text those steps sign again whose route says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals import rules
from signing_service.approvals.casework import Casework, find_case, find_step
from signing_service.approvals.course import add_text, open_next, place_boxes, review_kind
from signing_service.approvals.errors import NotYourStep, ReasonMissing, SignatureNotWithdrawable
from signing_service.approvals.form import typeset_case_form
from signing_service.approvals.lease import end_lease
from signing_service.approvals.matter_catalogue import GIVEN_FILE
from signing_service.approvals.register import REPLY, ApprovalCase, DocumentVersion, RouteStep, StepSignature, head
from signing_service.approvals.rules import Actor, CaseState, StepState
from signing_service.approvals.texts import texts_of


def return_case(work: Casework, case_id: str, step_id: int, actor: Actor, reason: str) -> None:
    """The officer of an open step sends the case back to the window. Raises StepNotOpen, NotYourStep, ReasonMissing."""
    with work.change(case_id) as (session, case):
        step = find_step(case, step_id)
        rules.check_may_sign(step.as_rule(), actor, work.today)
        work.move(session, case, "return", actor, reason=reason)
        for other in case.steps:
            if other.state == StepState.OPEN:
                other.state = StepState.WAITING
        step.state = StepState.RETURNED
        end_lease(case)


def reject(work: Casework, case_id: str, step_id: int, actor: Actor, reason: str) -> None:
    """The officer of an open step decides against the case. Raises as `return_case`."""
    with work.change(case_id) as (session, case):
        rules.check_may_sign(find_step(case, step_id).as_rule(), actor, work.today)
        work.move(session, case, "reject", actor, reason=reason)
        case.decided_at = work.clock.now()
        end_lease(case)


def resubmit(
    work: Casework, case_id: str, actor: Actor, *, fields: Mapping[str, Any] | None = None, given: bytes | None = None
) -> None:
    """Back into review: unchanged, or with changed fields or another given file, which make a new text.

    Raises MoveNotAllowed, RequestIncomplete, LayoutFailed.
    """
    with work.change(case_id) as (session, case):
        rules.moved(CaseState(case.state), "resubmit")
        if fields is not None:
            matter = work.matter_of(case)
            case.content = texts_of(matter, case.applicant_name, "", fields, simulated=case.simulated)
            case.title = case.content["title"]
    with work.database.read() as session:
        case = find_case(session, case_id)
        changed = given if case.document_mode == GIVEN_FILE else None
        form = typeset_case_form(work, session, case) if fields is not None and changed is None else None
    digest = work.blobs.put(form.pdf) if form else work.blobs.put(changed) if changed else ""
    with work.change(case_id) as (session, case):
        work.move(session, case, "resubmit", actor, digest=digest)
        if digest:
            add_text(work, session, case, review_kind(case), digest, actor)
        if form is not None:
            place_boxes(case, form.areas)
        for step in case.steps:
            _back_to_waiting(step, again=bool(digest))
        open_next(work, case)


def withdraw_signature(work: Casework, case_id: str, step_id: int, actor: Actor, reason: str) -> None:
    """Take one's own signature back, until a later step was taken up. The file goes back to the revision before it.

    Raises ReasonMissing, NotYourStep, SignatureNotWithdrawable, MoveNotAllowed.
    """
    with work.change(case_id) as (session, case):
        step = find_step(case, step_id)
        signature = _standing_signature(session, case, step, actor)
        version = session.get_one(DocumentVersion, signature.version_id)
        now_head = head(session, case_id, version.kind)
        if now_head is None or now_head.id != version.id:
            raise SignatureNotWithdrawable(step.title)
        _back_in_review(work, session, case, actor, reason)
        version.withdrawn, signature.withdrawn_at = True, work.clock.now()
        for other in case.steps:
            if other.stage > step.stage and other.state == StepState.OPEN:
                other.state = StepState.WAITING
        step.state, step.round = StepState.WAITING, step.round + 1
        work.log(session, case, "signature_withdrawn", actor, digest=version.digest, step=step.id, reason=reason)
        session.flush()
        open_next(work, case)


def _standing_signature(session: Session, case: ApprovalCase, step: RouteStep, actor: Actor) -> StepSignature:
    taken_up = frozenset(other.id for other in case.steps if other.read_at is not None)
    steps = [other.as_rule() for other in case.steps]
    if not rules.may_be_withdrawn(step.as_rule(), steps, taken_up):
        raise SignatureNotWithdrawable(step.title)
    query = select(StepSignature).where(StepSignature.step_id == step.id, StepSignature.round == step.round)
    signature = session.scalars(query).one()
    if signature.officer != actor.id:
        raise NotYourStep(step.title)
    return signature


def _back_in_review(work: Casework, session: Session, case: ApprovalCase, actor: Actor, reason: str) -> None:
    """An approved case is reopened; its reply, if already typeset, no longer counts."""
    if CaseState(case.state) is CaseState.IN_REVIEW:
        if not reason.strip():
            raise ReasonMissing(rules.CASE_MOVES["reopen"].words)
        return
    work.move(session, case, "reopen", actor, reason=reason)
    for version in case.versions:
        if version.kind == REPLY:
            version.withdrawn = True


def _back_to_waiting(step: RouteStep, *, again: bool) -> None:
    if step.state == StepState.SIGNED and not (again and step.signs_again):
        return
    if step.state == StepState.SIGNED:
        step.round += 1
    step.state, step.read_at = StepState.WAITING, None
