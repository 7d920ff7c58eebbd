"""What a paper code, its signature checked, is worth today: live status of the licence or approval, of the copy, and
how often the code was verified before (a hint, no proof).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from cert_registry.errors import Text
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.register import Licence, by_approval
from cert_registry.licences.status_facts import standing_of
from cert_registry.verification.lookup import CodeFacts, OtherRegistry, find, identifier_of_code, refuse_other_issuer
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CASE_WORDS, CaseState
from signing_service.approvals.simulated import facts_of_case
from signing_service.kernel.clock import in_words
from signing_service.printing.issued_codes import Sightings, count_sighting
from signing_service.printing.ledger import PrintCopy
from signing_service.printing.ledger_rules import CopyState
from signing_service.verification.reasons import REASONS

Fact = tuple[Text, Text]
APPROVAL = "approval"
NEVER = Sightings(0, None)
_VOID = Text(
    "这份打印件已作废,不得使用;请持有人出示未作废的打印件或电子证照。",
    "This copy was voided and may not be used; ask for another copy or the electronic licence.",
)
_NOT_HANDED_OUT = Text(
    "这份打印件没有办完打印手续,不得使用。", "This copy was never properly handed out and may not be used."
)


@dataclass(frozen=True, slots=True)
class CodeStanding:
    """`subject`: the audit log's name of what was verified. `seen`: before this time."""

    usable_now: Literal["yes", "no", "unknown"]
    reason: str
    sentence: Text
    subject: str
    facts: tuple[Fact, ...]
    seen: Sightings = NEVER

    @property
    def seen_before(self) -> Text | None:
        """The sentence of `copy_seen_before`, or None for the first time."""
        if not self.seen.times or self.seen.last is None:
            return None
        last = in_words(self.seen.last)
        return Text(
            f"这份打印件此前核验过{self.seen.times}次,最近一次{last}。多次核验属正常;如怀疑是复印件,请持有人出示电子证照。",
            f"This copy was verified {self.seen.times} times before, last on {last}. That is normal; if you suspect "
            "a photocopy, ask the holder for the electronic licence.",
        )


@dataclass(frozen=True, slots=True)
class Register:
    """What the answer is drawn from besides the tables."""

    catalogue: Catalogue
    others: Mapping[str, OtherRegistry]


def standing_of_code(session: Session, register: Register, code: CodeFacts, now: datetime) -> CodeStanding:
    """In this order: 1. what the code names, 2. how that stands, 3. the copy itself, 4. one more sighting counted.

    Raises IdentifierMalformed, BadCheckCharacter, LicenceNotFound, OtherIssuer.
    """
    found = _case(session, register, code, now) or _licence(session, register, code, now)  # 1, 2
    serial = str(code.details.get("copy_serial", ""))
    if serial and found.usable_now == "yes":  # 3
        found = _as_copy(session.get(PrintCopy, serial), found)
    short_code = str(code.details.get("short_code", ""))
    return replace(found, seen=count_sighting(session, short_code, now) if short_code else found.seen)  # 4


def _case(session: Session, register: Register, code: CodeFacts, now: datetime) -> CodeStanding | None:
    """By the approval itself; None when the code names a licence, or a case whose licence answers for it."""
    case = session.get(ApprovalCase, code.identifier) if code.details.get("kind") == APPROVAL else None
    if case is None:
        return None
    facts = (
        (Text("文件", "Document"), _same(case.title)),
        (Text("文号", "Number"), _same(case.document_number or "—")),
        (Text("签发机构", "Issued by"), _same(case.issuer_name)),
        (Text("状态", "Status"), CASE_WORDS[CaseState(case.state)]),
    )
    subject, known = f"case:{case.id}", facts_of_case(session, case.id)
    if known.recalled_at is not None:
        words = {"time": in_words(known.recalled_at), "number": known.replaced_by or "—"}
        sentence = REASONS["recalled"].sentence
        told = Text(sentence.zh.format(**words), sentence.en.format(**words))
        return CodeStanding("no", "recalled", told, subject, facts)
    if known.simulated:
        return CodeStanding("no", "simulated", REASONS["simulated"].sentence, subject, facts)
    licence = by_approval(session, case.id)
    if licence is not None and not licence.is_draft:
        return replace(_of_licence(register, licence, now), subject=subject)
    if CaseState(case.state) is not CaseState.DELIVERED:
        words_now = CASE_WORDS[CaseState(case.state)]
        told = Text(f"该审批文件现为“{words_now.zh}”,不得使用。", f"This approval is {words_now.en}: not to be used.")
        return CodeStanding("no", "approval_not_in_force", told, subject, facts)
    told = Text(f"该审批文件由{case.issuer_name}签发,当前有效。", f"Issued by {case.issuer_name}; it is in force now.")
    return CodeStanding("yes", "passed", told, subject, facts)


def _licence(session: Session, register: Register, code: CodeFacts, now: datetime) -> CodeStanding:
    identifier = identifier_of_code(session, code)
    refuse_other_issuer(identifier, register.others)
    licence = find(session, identifier)
    if licence is None:
        raise LicenceNotFound
    return _of_licence(register, licence, now)


def _of_licence(register: Register, licence: Licence, now: datetime) -> CodeStanding:
    stands = standing_of(licence, now, now)
    facts = (
        (Text("证照", "Licence"), register.catalogue.get(licence.type_code).name),
        (Text("证照编号", "Number"), _same(licence.number)),
        (Text("颁发机构", "Issued by"), _same(licence.issuer_name)),
        (Text("颁发日期", "Issued on"), _same(licence.issued_on.isoformat())),
        (Text("状态", "Status"), stands.status_text),
    )
    return CodeStanding(stands.usable_now, stands.reason, stands.sentence, f"licence:{licence.identifier}", facts)


def _as_copy(copy: PrintCopy | None, found: CodeStanding) -> CodeStanding:
    """A copy that the ledger does not hold as handed out is no copy. One that it never had is not judged by it."""
    if copy is None or copy.state == CopyState.CONFIRMED:
        return found
    sentence = _VOID if copy.state == CopyState.VOIDED else _NOT_HANDED_OUT
    return replace(found, usable_now="no", reason=f"copy_{copy.state}", sentence=sentence)


def _same(text: str) -> Text:
    """A name or number: not translated."""
    return Text(text, text)
