"""What the applicant's page shows of one case, as far as the query code's rights go. No officer's id, no number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from cert_registry.audit.accesses import AccessRow, accesses_to
from cert_registry.errors import Text
from cert_registry.web.case_documents import COPIES, CaseDocument, documents_of
from cert_registry.web.parts import ApplicantParts, RegistryParts
from signing_service.approvals.access import sub_codes
from signing_service.approvals.code_sessions import Visit
from signing_service.approvals.course_view import view_case
from signing_service.approvals.deadlines import EXTENSION, PAUSE
from signing_service.approvals.query_codes import Right
from signing_service.printing.issued_codes import Sightings, sightings_of
from signing_service.printing.ledger import PrintCopy, PrintLedger
from signing_service.printing.ledger_rules import COUNTED, WORDS, CopyState

RIGHT_WORDS: Mapping[Right, Text] = {
    Right.VIEW: Text("查看进度", "see the course"),
    Right.DOWNLOAD: Text("下载", "download"),
    Right.PRINT: Text("打印", "print"),
    Right.SHARE: Text("生成代办码", "give codes to others"),
}
CLOCK_WORDS: Mapping[str, Text] = {
    PAUSE: Text("停表", "clock stopped"),
    EXTENSION: Text("延期", "extended"),
}
MOST_ACCESSES = 20
NEVER = Sightings(0, None)


@dataclass(frozen=True, slots=True)
class ShownCopy:
    copy: PrintCopy
    document: Text
    words: Text
    can_be_voided: bool
    seen: Sightings


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """`left`: copies that may still be made."""

    document: CaseDocument
    left: int


def case_context(parts: RegistryParts, applicants: ApplicantParts, visit: Visit) -> dict[str, Any]:
    """Everything that `case.html` needs but the problem."""
    access, work = visit.access, applicants.work
    view = view_case(work, access.case_id)
    with parts.database.read() as session:
        found = documents_of(parts, session, view)
        copies = _copies(session, applicants.printing.ledger, found)
        seen = _seen(session, view.case_id, view.licence) if Right.VIEW in access.rights else []
    shared = sub_codes(work, access) if Right.SHARE in access.rights else []
    return {
        "view": view, "person": access.person, "rights": {right.value for right in access.rights},
        "documents": [ShownDocument(one, applicants.printing.ledger.left_or(one.subject, COPIES)) for one in found],
        "copies": copies, "seen": seen, "shared": shared, "right_words": RIGHT_WORDS, "clock_words": CLOCK_WORDS,
        "typed": {"person": "", "rights": [], "until": ""}, "today": work.today,
    }  # fmt: skip


def _copies(session: Session, ledger: PrintLedger, found: list[CaseDocument]) -> list[ShownCopy]:
    rows = [(one, copy) for one in found for copy in ledger.copies_of(one.subject)]
    seen = sightings_of(session, [copy.serial for _, copy in rows])
    return [
        ShownCopy(
            copy, one.words, WORDS[CopyState(copy.state)], CopyState(copy.state) in COUNTED,
            seen.get(copy.serial, NEVER),
        )
        for one, copy in reversed(rows)
    ]  # fmt: skip


def _seen(session: Session, case_id: str, licence: str) -> list[AccessRow]:
    subjects = [f"case:{case_id}", *([f"licence:{licence}"] if licence else [])]
    return accesses_to(session, subjects, refusals=False, limit=MOST_ACCESSES)[0]
