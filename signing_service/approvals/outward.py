"""The outward approval (批复): typeset once, with its number and date, and bound to the form by digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.course import Revision, add_text, to_seal
from signing_service.approvals.documents import SEAL_MM, ReplyContent, typeset_reply
from signing_service.approvals.errors import MoveNotAllowed, StaleRevision
from signing_service.approvals.matter_catalogue import GIVEN_FILE
from signing_service.approvals.register import FORM, REPLY, ApprovalCase, head
from signing_service.approvals.rules import CASE_MOVES, CASE_WORDS, Actor, CaseState


@dataclass(frozen=True, slots=True)
class CodePicture:
    """The paper code as it is put on the document: SVG, its width in mm, the typable code and the official host."""

    svg: bytes
    width_mm: float
    short_code: str
    host: str


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a paper code is made from; nothing about the applicant. `binding`: SHA-256 (hex) of the internal form."""

    case_id: str
    document_number: str
    matter: str
    date: str
    binding: str


CodeMaker = Callable[[CodeFacts], CodePicture]


def typeset_outward(
    work: Casework, case_id: str, actor: Actor, *, code: CodeMaker | None = None, seal_mm: float = SEAL_MM
) -> Revision:
    """The document to be sealed; the same one each time it is asked for. A given file is its own outward document.

    `code` is called while no transaction is open. Raises MoveNotAllowed before approval, LayoutFailed, FontMissing.
    """
    with work.database.read() as session:
        case = find_case(session, case_id)
        _require_approved(case)
        form = head(session, case_id, FORM)
        wanted = case.document_mode != GIVEN_FILE and form is not None and head(session, case_id, REPLY) is None
        plain = _content(case, form.digest, seal_mm) if wanted and form is not None else None
        form_id, facts = (form.id, _facts(case, form.digest)) if wanted and form is not None else (0, None)
    if plain is not None and facts is not None:
        document = typeset_reply(plain if code is None else _with_code(plain, code(facts)))
        digest = work.blobs.put(document.pdf)
        with work.change(case_id) as (session, case):
            _require_approved(case)
            now = head(session, case_id, FORM)
            if now is None or now.id != form_id:
                raise StaleRevision
            if head(session, case_id, REPLY) is None:
                add_text(work, session, case, REPLY, digest, actor)
                case.seal_box = document.areas["seal"].as_dict()
    return to_seal(work, case_id)


def _require_approved(case: ApprovalCase) -> None:
    if CaseState(case.state) is not CaseState.APPROVED:
        raise MoveNotAllowed(CASE_MOVES["seal"].words, CASE_WORDS[CaseState(case.state)])


def _facts(case: ApprovalCase, form_digest: str) -> CodeFacts:
    day = "" if case.document_date is None else case.document_date.isoformat()
    return CodeFacts(case.id, case.document_number or "", case.matter, day, form_digest)


def _content(case: ApprovalCase, form_digest: str, seal_mm: float) -> ReplyContent:
    number, day = case.document_number, case.document_date
    if number is None or day is None:
        raise StaleRevision
    return ReplyContent(
        issuer_name=case.issuer_name,
        document_number=number,
        document_date=day,
        title=case.title,
        addressee=case.applicant_name,
        opening=case.content["opening"],
        paragraphs=case.content["paragraphs"],
        case_number=case.number,
        form_digest=form_digest,
        simulated=case.simulated,
        seal_mm=seal_mm,
    )


def _with_code(content: ReplyContent, code: CodePicture) -> ReplyContent:
    return replace(content, code_svg=code.svg, code_mm=code.width_mm, short_code=code.short_code, verify_host=code.host)
