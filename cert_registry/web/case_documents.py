"""What came of a case and may be taken home: the sealed approval and the licence, with names people recognise."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import by_identifier
from cert_registry.licences.status_facts import standing_of
from cert_registry.web.parts import RegistryParts
from signing_service.approvals.course_view import CaseView
from signing_service.approvals.rules import CaseState
from signing_service.printing.handing_out import SealedDocument

APPROVAL, LICENCE = "approval", "licence"
COPIES = 5
"""How many copies may exist of a document for which no office has said otherwise (`print allow`)."""


class NoSuchDocument(RegistryError):
    code = "no_such_document"

    def __init__(self) -> None:
        super().__init__(
            Text("这个办件没有这份文件。", "The case has no such document."),
            advice=Text("办结后才能下载和打印。", "Documents are here once the case is done."),
        )


class NotToBePrinted(RegistryError):
    """A recalled approval or an ended licence: a fresh copy would mislead."""

    code = "not_to_be_printed"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("这份文件现在不能打印。", "This document may not be printed now."),
            why=why,
            advice=Text("请向落款机构核实。", "Ask the authority that is named on it."),
        )


@dataclass(frozen=True, slots=True)
class CaseDocument:
    """`which`: "approval" or "licence"; `subject`: its name in the print ledger; `stopped`: why no copy is made."""

    which: str
    words: Text
    subject: str
    type: str
    digest: str
    file_name: str
    stopped: Text | None = None

    def read(self, parts: RegistryParts) -> SealedDocument:
        return SealedDocument(self.subject, self.type, parts.blobs.get(self.digest))


def documents_of(parts: RegistryParts, session: Session, view: CaseView) -> list[CaseDocument]:
    """The approval first; nothing before the case is done."""
    found = []
    if view.document_digest:
        name = f"{view.title} {view.document_number}".strip() + ".pdf"
        words = Text("审批文件", "Approval document")
        recalled = None if view.state == CaseState.DELIVERED else Text("文件已收回。", "The document was recalled.")
        found.append(CaseDocument(APPROVAL, words, view.case_id, "approval", view.document_digest, name, recalled))
    if view.licence:
        found.append(document_of_licence(parts, session, view.licence))
    return found


def document_of_licence(parts: RegistryParts, session: Session, identifier: str) -> CaseDocument:
    """Raises LicenceNotFound."""
    row, now = by_identifier(session, LicenceIdentifier.parse(identifier)), parts.clock.now()
    kind, stands = parts.catalogue.get(row.type_code), standing_of(row, now, now)
    stopped = None if stands.usable_now == "yes" else stands.sentence
    name = f"{kind.name.zh} {row.number}.pdf"
    return CaseDocument(LICENCE, kind.name, row.identifier, kind.key, row.digest or "", name, stopped)


def document(found: list[CaseDocument], which: str) -> CaseDocument:
    """Raises NoSuchDocument."""
    for one in found:
        if one.which == which:
            return one
    raise NoSuchDocument


def printable(found: list[CaseDocument], which: str) -> CaseDocument:
    """Raises NoSuchDocument, NotToBePrinted."""
    one = document(found, which)
    if one.stopped is not None:
        raise NotToBePrinted(one.stopped)
    return one
