"""Which documents the rows of a home name, and so must be in its store."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cert_registry.licences.register import Licence
from cert_registry.sharing.copies import PurposeCopy
from signing_service.approvals.register import DocumentVersion
from signing_service.channel.signature_jobs import SignatureJob
from signing_service.verification.archive import KeptRevision
from signing_service.verification.issued_reports import IssuedReport

LASTING: tuple[InstrumentedAttribute[str] | InstrumentedAttribute[str | None], ...] = (
    DocumentVersion.digest, Licence.digest, PurposeCopy.digest, IssuedReport.digest, KeptRevision.kept,
    SignatureJob.document, SignatureJob.original,
)  # fmt: skip


def named_documents(session: Session) -> Iterator[str]:
    """SHA-256 in hex, each once, in order. A batch's working files are not among them: it makes them again."""
    found: set[str] = set()
    for column in LASTING:
        found.update(digest for digest in session.scalars(select(column).distinct()) if digest)
    return iter(sorted(found))
