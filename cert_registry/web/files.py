"""An uploaded file to its finding: the one engine's report, the licence it is, and the log entry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import UploadFile
from sqlalchemy.orm import Session

from cert_registry.errors import Language, RegistryError, Text
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import by_digest, by_identifier
from cert_registry.licences.status_facts import LicenceStatusFacts, standing_of
from cert_registry.sharing.copies import copy_by_digest, fact_for
from cert_registry.web.calls import Calls, Logged, Trace
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.purposes import Purpose
from cert_registry.web.views import summary_view
from signing_service.verification.ports import CopyFact, StatusSource


class FileTooLarge(RegistryError):
    code = "file_too_large"

    def __init__(self, most: int) -> None:
        size = most // (1024 * 1024)
        super().__init__(
            Text(f"文件超过 {size} MiB,没有检查。", f"The file is larger than {size} MiB and was not examined."),
            advice=Text("请使用原始文件。", "Use the original file."),
        )


def read_upload(file: UploadFile, most: int) -> bytes:
    """The whole file, or FileTooLarge."""
    content = file.file.read(most + 1)
    if len(content) > most:
        raise FileTooLarge(most)
    return content


def facts_for(parts: RegistryParts, department: str | None, matter: str) -> StatusSource:
    """The registry's facts as they are for this asker: a purpose-bound copy knows whether it was made for it."""

    def copies(digest: str) -> tuple[str, CopyFact] | None:
        with parts.database.read() as session:
            copy = copy_by_digest(session, digest)
            return None if copy is None else (copy.identifier, fact_for(copy, department, matter))

    return LicenceStatusFacts(parts.database, parts.clock, copies)


def judge(
    calls: Calls, content: bytes, name: str, language: Language, *, caller: Caller, purpose: Purpose
) -> Logged[dict[str, Any]]:
    """The finding for a department. Whoever holds the file has its content: the verdict needs no grant."""
    parts = calls.parts
    status = facts_for(parts, caller.department_id, purpose.matter)
    report = parts.verify_file(content, name, status)

    def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
        return finding(parts, session, content, report, now, trace, language)

    return calls.look("api.verify_file", caller, purpose, work)


def finding(
    parts: RegistryParts,
    session: Session,
    content: bytes,
    report: Mapping[str, Any],
    now: datetime,
    trace: Trace,
    language: Language,
) -> dict[str, Any]:
    """The report's headline with the licence's standing. The log names the licence, not the file's name."""
    digest = hashlib.sha256(content).hexdigest()
    trace.subject, trace.digest = f"file:{digest}", digest
    trace.details.update(verdict=report["verdict"], reason=report["reason"])
    copy = copy_by_digest(session, digest)
    licence = by_digest(session, digest)
    if licence is None and copy is not None:
        licence = by_identifier(session, LicenceIdentifier.parse(copy.identifier))
    if copy is not None:
        trace.details["copy"] = copy.id
    view = None
    if licence is not None:
        trace.subject = f"licence:{licence.identifier}"
        stands, kind = standing_of(licence, now, now), parts.catalogue.get(licence.type_code)
        view = summary_view(licence, kind, stands, parts.competent_body(session, licence.issuer_code), language)
    return {
        "verdict": report["verdict"],
        "usable_now": report["usable_now"],
        "reason": report["reason"],
        "summary": report["summary"],
        "report": {key: value for key, value in report.items() if key != "file"},
        "licence": view,
    }
