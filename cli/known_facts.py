"""What this home knows of a document, joined from the rooms that know: cases, licences, seals, the archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from signing_service.approvals.register import DocumentVersion
from signing_service.approvals.simulated import CaseFacts
from signing_service.kernel.blobs import BlobDamaged, BlobMissing, BlobStore
from signing_service.kernel.database import Database
from signing_service.pki.certificates import OUTSIDE, CertificateRow
from signing_service.pki.register import fingerprint
from signing_service.seals.rules import State
from signing_service.seals.seal_tables import SealChange, SealRow
from signing_service.seals.succession import SuccessionRow, SuccessionState
from signing_service.verification.archive import kept_digest
from signing_service.verification.facts_check import joined
from signing_service.verification.ports import Facts, SealEvent, SealState, StatusSource

_STOPS = {
    State.ACTIVE: SealState.ACTIVE,
    State.SUSPENDED: SealState.SUSPENDED,
    State.REPLACED: SealState.CANCELLED,
    State.CANCELLED: SealState.CANCELLED,
    State.VOID: SealState.CANCELLED,
}


class JoinedFacts:
    """A StatusSource over several; a document is known when one of them knows it."""

    def __init__(self, *sources: StatusSource) -> None:
        self._sources = sources

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """Whatever a source says; where two speak of the same, the earlier source has the word."""
        return joined([source.facts(ids, digest, at) for source in self._sources])


def home_facts(database: Database, blobs: BlobStore, licences: StatusSource) -> JoinedFacts:
    """All that a home knows; `licences` as they are for whoever asks."""
    return JoinedFacts(CaseFacts(database), licences, SealFacts(database), ArchiveFacts(database, blobs))


class SealFacts:
    """The seal register's word on every seal that was ever stopped: suspended, cancelled, void, replaced, succeeded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """The same for every document: which seals a file bears is for the engine to see."""
        with self._database.read() as session:
            return Facts(seals=tuple(_seal_events(session)))


class ArchiveFacts:
    """The file of ours that the judged one equals or begins: a case's later revision, or one kept on purpose."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database, self._blobs = database, blobs

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        with self._database.read() as session:
            found = kept_digest(session, digest.hex()) or _later_revision(session, digest.hex())
        if found is None:
            return Facts()
        try:
            return Facts(archived=self._blobs.get(found))
        except (BlobMissing, BlobDamaged):
            return Facts()


def _seal_events(session: Session) -> Iterator[SealEvent]:
    """Of seals that were ever stopped, and of those under an outside CA, which nothing else tells from persons."""
    stopped = select(SealChange.seal_id).where(
        SealChange.after.in_([state for state in _STOPS if state != State.ACTIVE])
    )
    outside = select(CertificateRow.der).where(CertificateRow.origin == OUTSIDE, CertificateRow.profile == "seal")
    wanted = or_(SealRow.id.in_(stopped), SealRow.certificate.in_(outside))
    rows = {row.id: row for row in session.scalars(select(SealRow).where(wanted))}
    successors = _successors(session)
    changes: dict[str, list[SealChange]] = defaultdict(list)
    for change in session.scalars(select(SealChange).where(SealChange.seal_id.in_(rows)).order_by(SealChange.id)):
        changes[change.seal_id].append(change)
    for seal_id, row in rows.items():
        if row.certificate:
            for change in changes[seal_id]:
                yield from _event(row, change, successors.get(seal_id))


def _event(row: SealRow, change: SealChange, succeeded: tuple[datetime, str] | None) -> Iterator[SealEvent]:
    state = _STOPS.get(State(change.after))
    if state is None:
        return
    sha256 = bytes.fromhex(fingerprint(row.certificate))
    if state is SealState.CANCELLED and succeeded is not None and change.effective_from >= succeeded[0]:
        yield SealEvent(sha256, SealState.SUCCEEDED, succeeded[0], row.owner_name, succeeded[1])
    else:
        yield SealEvent(sha256, state, change.effective_from, row.owner_name)


def _successors(session: Session) -> dict[str, tuple[datetime, str]]:
    """Seal ids to the day on which another body took over, and that body's name."""
    found: dict[str, tuple[datetime, str]] = {}
    for event in session.scalars(select(SuccessionRow).where(SuccessionRow.state == SuccessionState.EFFECTIVE)):
        for old, new in event.pairs.items():
            heir = session.get(SealRow, new) if new else None
            found[old] = (event.effective_from, heir.owner_name if heir is not None else event.new_department)
    return found


def _later_revision(session: Session, digest: str) -> str | None:
    """The newest revision of the text that a case kept under this digest; None when it is the newest itself."""
    known = session.scalar(select(DocumentVersion).where(DocumentVersion.digest == digest).limit(1))
    if known is None:
        return None
    same = [
        DocumentVersion.case_id == known.case_id, DocumentVersion.kind == known.kind,
        DocumentVersion.text == known.text, DocumentVersion.withdrawn.is_(False),
    ]  # fmt: skip
    newest = session.scalar(select(DocumentVersion).where(*same).order_by(DocumentVersion.revision.desc()).limit(1))
    return newest.digest if newest is not None and newest.digest != digest else None
