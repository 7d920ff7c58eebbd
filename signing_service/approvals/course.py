"""The main line of a case after intake: into review, signed step by step, approved, sealed, released.

Every act is one transaction with its audit entry. Documents are typeset, and files verified, while none is open;
what was read before is checked again under the row's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from signing_service.approvals import rules
from signing_service.approvals.applicants import holder_entry
from signing_service.approvals.areas import Area
from signing_service.approvals.casework import Casework, find_case, find_step
from signing_service.approvals.errors import NotRead, NotVerified, StaleRevision
from signing_service.approvals.examining import Base, Examine, check_completed, check_found
from signing_service.approvals.form import typeset_case_form
from signing_service.approvals.lease import end_lease, require_no_other
from signing_service.approvals.matter_catalogue import GIVEN_FILE, Matter
from signing_service.approvals.numbers import document_number
from signing_service.approvals.register import (
    FORM,
    GIVEN,
    REPLY,
    ApprovalCase,
    DocumentVersion,
    RouteStep,
    StepSignature,
    head,
)
from signing_service.approvals.rules import Actor, CaseState, StepState
from signing_service.approvals.simulated import recall_replaced
from signing_service.approvals.texts import licence_fields
from signing_service.kernel.outbox import publish

TOPIC = "approval_released"


@dataclass(frozen=True, slots=True)
class Revision:
    """A document to sign or seal: its bytes, their SHA-256, and where the visible signature belongs (None: free)."""

    kind: str
    version_id: int
    digest: str
    content: bytes
    area: Area | None
    signatures: int | None
    simulated: bool

    @property
    def base(self) -> Base:
        return Base(self.content, self.signatures)


def begin_review(work: Casework, case_id: str, actor: Actor) -> None:
    """Typeset the internal form (unless a file was given) and open the first stage. Raises MoveNotAllowed."""
    with work.database.read() as session:
        case = find_case(session, case_id)
        rules.moved(CaseState(case.state), "begin_review")
        form = None if case.document_mode == GIVEN_FILE else typeset_case_form(work, session, case)
    digest = "" if form is None else work.blobs.put(form.pdf)
    with work.change(case_id) as (session, case):
        work.move(session, case, "begin_review", actor, digest=digest)
        if form is not None:
            add_text(work, session, case, FORM, digest, actor)
            place_boxes(case, form.areas)
        open_next(work, case)


def to_sign(work: Casework, case_id: str, step_id: int) -> Revision:
    """The head revision, with the step's place on it. Raises CaseNotFound, StepNotFound."""
    with work.database.read() as session:
        case = find_case(session, case_id)
        step = find_step(case, step_id)
        return _revision(work, session, case, review_kind(case), step.box)


def to_seal(work: Casework, case_id: str) -> Revision:
    """The outward document as it has to be sealed. Raises CaseNotFound, NotVerified before it was typeset."""
    with work.database.read() as session:
        case = find_case(session, case_id)
        return _revision(work, session, case, outward_kind(case), case.seal_box)


def mark_read(work: Casework, case_id: str, step_id: int, actor: Actor) -> None:
    """已读: the officer has seen all pages of the step's document."""
    with work.change(case_id) as (session, case):
        step = find_step(case, step_id)
        rules.check_may_sign(step.as_rule(), actor, work.today)
        step.read_at = work.clock.now()
        work.log(session, case, "read", actor, step=step.id)


def step_signed(
    work: Casework, case_id: str, step_id: int, actor: Actor, completed: bytes, *, opinion: str, examine: Examine
) -> str:
    """Take a signed file as the step's result; returns its SHA-256. After the last step the case is approved.

    1. the step may be signed by the actor, 2. the file continues the head revision and passes the examiner, with one
    more signature, of the actor's certificate, 3. under the lock all of 1 still holds and the head is the same.
    Raises StepAlreadySigned, StepNotOpen, NotYourStep, NotRead, LeaseHeld, NotThisDocument, NotVerified, WrongSigner,
    StaleRevision.
    """
    with work.database.read() as session:  # 1
        case = find_case(session, case_id)
        _check_step(work, case, find_step(case, step_id), actor)
        revision = _revision(work, session, case, review_kind(case), None)
    finding = check_completed(  # 2
        revision.base, completed, examine, simulated=revision.simulated, signer=actor.certificate
    )
    digest = work.blobs.put(completed)
    with work.change(case_id) as (session, case):  # 3
        step = find_step(case, step_id)
        as_delegate = _check_step(work, case, step, actor)
        version = _continue(work, session, case, revision, digest, len(finding.certificates), actor)
        _record_signature(work, session, step, version, actor, opinion, as_delegate)
        work.log(session, case, "step_signed", actor, digest=digest, step=step.id, delegate=as_delegate)
        end_lease(case)
        open_next(work, case)
        if rules.all_signed([each.as_rule() for each in case.steps]):
            _approve(work, session, case, actor)
    return digest


def sealed(work: Casework, case_id: str, actor: Actor, completed: bytes, *, examine: Examine) -> str:
    """Take the sealed outward document; returns its SHA-256.

    Raises MoveNotAllowed, NotThisDocument, NotVerified, StaleRevision.
    """
    with work.database.read() as session:
        case = find_case(session, case_id)
        rules.moved(CaseState(case.state), "seal")
        revision = _revision(work, session, case, outward_kind(case), None)
    finding = check_completed(revision.base, completed, examine, simulated=revision.simulated, signer=None)
    digest = work.blobs.put(completed)
    with work.change(case_id) as (session, case):
        _continue(work, session, case, revision, digest, len(finding.certificates), actor)
        work.move(session, case, "seal", actor, digest=digest)
    return digest


def release(work: Casework, case_id: str, actor: Actor, *, examine: Examine) -> str:
    """Verify every document of the case once more, then end it; returns the sealed document's SHA-256.

    The outbox message for the registry is written in the same transaction; a simulated approval sends none, since it
    never becomes a licence. A simulated file that this case replaces is recalled with it.
    Raises MoveNotAllowed, NotVerified, StaleRevision.
    """
    with work.database.read() as session:
        case = find_case(session, case_id)
        rules.moved(CaseState(case.state), "release")
        kinds = dict.fromkeys((review_kind(case), outward_kind(case)))
        revisions = [_revision(work, session, case, kind, None) for kind in kinds]
    for revision in revisions:
        check_found(examine(revision.content), simulated=revision.simulated)
    with work.change(case_id) as (session, case):
        _require_heads(session, case, revisions)
        work.move(session, case, "release", actor, digest=revisions[-1].digest)
        if not case.simulated:
            publish(session, TOPIC, case.id, _message(work, case, revisions[-1].digest), work.clock.now())
            recall_replaced(work, session, case, actor)
    return revisions[-1].digest


def registered(work: Casework, case_id: str, actor: Actor, licence: str) -> None:
    """The registry's report: the licence that the case became. Repeating it changes nothing."""
    with work.change(case_id) as (session, case):
        if case.licence != licence:
            case.licence = licence
            work.log(session, case, "registered", actor, licence=licence)


def review_kind(case: ApprovalCase) -> str:
    """The kind of document that reviewers sign."""
    return GIVEN if case.document_mode == GIVEN_FILE else FORM


def outward_kind(case: ApprovalCase) -> str:
    """The kind of document that is sealed and handed out."""
    return GIVEN if case.document_mode == GIVEN_FILE else REPLY


def add_text(
    work: Casework, session: Session, case: ApprovalCase, kind: str, digest: str, actor: Actor
) -> DocumentVersion:
    """A new text of a document: earlier signatures stay on the text that they signed."""
    session.refresh(case, ["versions"])
    text = max((one.text for one in case.versions if one.kind == kind), default=0) + 1
    version = DocumentVersion(
        case_id=case.id, kind=kind, text=text, revision=0, digest=digest,
        signatures=0, created_at=work.clock.now(), created_by=actor.id,
    )  # fmt: skip
    session.add(version)
    session.flush()
    work.log(session, case, "document", actor, digest=digest, document=kind, text=version.text)
    return version


def place_boxes(case: ApprovalCase, areas: Mapping[str, Area]) -> None:
    """Remember where each step's signature stands on the form."""
    for step in case.steps:
        area = areas.get(f"step-{step.place}")
        step.box = None if area is None else area.as_dict()


def open_next(work: Casework, case: ApprovalCase) -> None:
    """Open the steps whose turn has come."""
    turn = rules.to_open([step.as_rule() for step in case.steps])
    for step in case.steps:
        if step.id in turn:
            step.state, step.opened_at, step.read_at = StepState.OPEN, work.clock.now(), None


def _check_step(work: Casework, case: ApprovalCase, step: RouteStep, actor: Actor) -> bool:
    as_delegate = rules.check_may_sign(step.as_rule(), actor, work.today)
    if work.matter_of(case).reading_required and step.read_at is None:
        raise NotRead(step.title)
    require_no_other(case, actor, work.clock.now())
    return as_delegate


def _revision(
    work: Casework, session: Session, case: ApprovalCase, kind: str, box: dict[str, float] | None
) -> Revision:
    version = head(session, case.id, kind)
    if version is None:
        raise NotVerified("document_missing")
    unknown = kind == GIVEN and version.revision == 0  # it may have come with signatures of others
    content = work.blobs.get(version.digest)
    return Revision(
        kind, version.id, version.digest, content, Area.from_dict(box) if box else None,
        None if unknown else version.signatures,
        case.simulated,
    )  # fmt: skip


def _continue(
    work: Casework, session: Session, case: ApprovalCase, base: Revision, digest: str, signatures: int, actor: Actor
) -> DocumentVersion:
    """The next revision after `base`. Raises StaleRevision when another came first."""
    before = head(session, case.id, base.kind)
    if before is None or before.id != base.version_id:
        raise StaleRevision
    latest = max(one.revision for one in case.versions if one.kind == base.kind and one.text == before.text)
    version = DocumentVersion(
        case_id=case.id, kind=base.kind, text=before.text, revision=latest + 1, digest=digest, signatures=signatures,
        created_at=work.clock.now(), created_by=actor.id,
    )  # fmt: skip
    session.add(version)
    session.flush()
    return version


def _record_signature(
    work: Casework,
    session: Session,
    step: RouteStep,
    version: DocumentVersion,
    actor: Actor,
    opinion: str,
    as_delegate: bool,
) -> None:
    """Unique for step and round in the database itself, whatever the code above believes."""
    step.state = StepState.SIGNED
    session.add(
        StepSignature(
            step_id=step.id, round=step.round, version_id=version.id, officer=actor.id, certificate=actor.certificate,
            as_delegate=as_delegate, opinion=opinion, signed_at=work.clock.now(),
        )
    )  # fmt: skip


def _approve(work: Casework, session: Session, case: ApprovalCase, actor: Actor) -> None:
    """After the last step: number and date are drawn with the decision; a case keeps its number for ever."""
    case.decided_at = work.clock.now()
    if case.document_number is None:
        prefix = work.matter_of(case).number_prefix + ("模拟" if case.simulated else "")
        case.document_number = document_number(session, prefix, work.today)
    case.document_date = work.today
    work.move(session, case, "approve", actor)


def _require_heads(session: Session, case: ApprovalCase, revisions: list[Revision]) -> None:
    for revision in revisions:
        now = head(session, case.id, revision.kind)
        if now is None or now.id != revision.version_id:
            raise StaleRevision


def _message(work: Casework, case: ApprovalCase, digest: str) -> dict[str, Any]:
    """The payload of "approval_released"."""
    matter: Matter = work.matter_of(case)
    day = "" if case.document_date is None else case.document_date.isoformat()
    return {
        "approval_id": case.id,
        "case_number": case.number,
        "type": matter.licence_type,
        "matter": {"code": matter.code, "name": matter.name},
        "holder": holder_entry(
            case.applicant_name, case.applicant_code, case.applicant_code_type, case.applicant_code_sealed
        ),
        "issuer": {"code": case.issuer_code, "name": case.issuer_name},
        "fields": licence_fields(matter, case.applicant_name, case.content),
        "document_digest": digest,
        "number": case.document_number,
        "date": day,
        "issued_on": day,
        "parties": sorted({step.department for step in case.steps}),
    }
