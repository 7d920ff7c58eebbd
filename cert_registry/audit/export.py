"""Writing an evidence bundle: the whole log, or the entries about some things, with their proofs. Reads alone.

Entries are streamed: a log of millions takes the memory of one.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from cert_registry.audit import bundle_format as form
from cert_registry.audit.readable import bundle_page
from cert_registry.errors import RegistryError, Text
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import parsed
from signing_service.evidence.log_checkpoints import LogCheckpoint, newest
from signing_service.evidence.log_tree import HASH_BYTES, TILE_HASHES, LogTile, LogTree
from signing_service.kernel.audit_log import AuditEntry, content_of

AT_ONCE = 1000
MOST_EARLIER = 400
Progress = Callable[[int, int], None]


class NoCheckpointYet(RegistryError):
    code = "no_checkpoint_yet"

    def __init__(self) -> None:
        super().__init__(
            Text("日志还没有检查点,不能导出证据。", "The log has no checkpoint yet; there is no evidence to export."),
            why=Text("检查点每分钟由后台签发。", "The worker signs one a minute."),
            advice=Text(
                "请运行 zhengyin audit checkpoint,或启动后台后重试。",
                "Run `zhengyin audit checkpoint`, or start the worker.",
            ),
        )


class NothingToExport(RegistryError):
    code = "nothing_to_export"

    def __init__(self) -> None:
        super().__init__(
            Text("日志中没有与此有关的记录。", "The log has no entry about this."),
            advice=Text(
                "请核对编号或文件;刚发生的操作要等一分钟才有位置。",
                "Check the id or the file; what has just happened gets its place within a minute.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: about these subjects or documents (SHA-256, hex); the whole log where both are empty.

    `held`: sizes of checkpoints that the reader holds, to prove that they are extended.
    """

    subjects: Sequence[str] = ()
    digests: Sequence[str] = ()
    held: Sequence[int] = ()

    @property
    def whole(self) -> bool:
        return not self.subjects and not self.digests


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What goes into the bundle beside the log. DER; of the log's certificates the present one first."""

    log_certificates: Sequence[bytes]
    issuers: Sequence[bytes] = ()
    crls: Sequence[bytes] = ()
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    reason: str = ""


def export(session: Session, target: Path, wanted: Wanted, enclosed: Enclosed, at: datetime, progress: Progress) -> int:
    """Write the bundle and return how many entries it has. Raises NoCheckpointYet, NothingToExport.

    `target` must not be read before this returns; a caller renames it into place.
    """
    last = newest(session)
    if last is None:
        raise NoCheckpointYet
    size = parsed(last.note)[0].size
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        written = _write_entries(session, bundle, wanted, size, progress)
        if not written and not wanted.whole:
            raise NothingToExport
        manifest = _manifest(last, wanted, enclosed, at, written)
        bundle.writestr(form.CHECKPOINT, last.note)
        if last.timestamp:
            bundle.writestr(form.TIMESTAMP, last.timestamp)
        bundle.writestr(form.EARLIER, b"".join(line.dump() for line in _earlier(session, size, wanted.held)))
        _write_enclosed(bundle, enclosed)
        bundle.writestr(form.MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
        bundle.writestr(form.PAGE, bundle_page(manifest, _shown(session, wanted, size)))
    return written


def _write_enclosed(bundle: zipfile.ZipFile, enclosed: Enclosed) -> None:
    for prefix, ders in ((form.LOG_CERTIFICATES, enclosed.log_certificates), (form.ISSUERS, enclosed.issuers)):
        for number, der in enumerate(ders):
            pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
            bundle.writestr(f"{prefix}{number:02d}.pem", pem)
    for number, crl in enumerate(enclosed.crls):
        bundle.writestr(f"{form.REVOCATION}{number:02d}.crl", crl)
    for name, content in enclosed.attachments.items():
        bundle.writestr(form.ATTACHMENTS + name, content)


def _manifest(last: LogCheckpoint, wanted: Wanted, enclosed: Enclosed, at: datetime, entries: int) -> dict[str, object]:
    checkpoint = parsed(last.note)[0]
    return {
        "format": form.FORMAT, "log": checkpoint.origin, "size": checkpoint.size, "made_at": at.isoformat(),
        "whole": wanted.whole, "entries": entries, "subjects": list(wanted.subjects), "digests": list(wanted.digests),
        "reason": enclosed.reason,
        "attachments": {name: hashlib.sha256(content).hexdigest() for name, content in enclosed.attachments.items()},
    }  # fmt: skip


def _write_entries(session: Session, bundle: zipfile.ZipFile, wanted: Wanted, size: int, progress: Progress) -> int:
    tree, written = LogTree(session), 0
    with bundle.open(form.ENTRIES, "w") as entries:
        for entry in _entries(session, wanted, size):
            index = entry.position if entry.position is not None else -1
            proof = () if wanted.whole else merkle.inclusion_proof(index, size, tree.nodes)
            content = content_of(entry) if entry.salt else {}
            entries.write(form.EntryLine(index, content, entry.salt, entry.leaf, proof).dump())
            written += 1
            if written % AT_ONCE == 0:
                progress(written, size)
    if wanted.whole:
        with bundle.open(form.LEAVES, "w") as leaves:
            for hashes in _leaves(session, size):
                leaves.write(hashes)
    return written


def _entries(session: Session, wanted: Wanted, size: int) -> Iterator[AuditEntry]:
    """In the order of the log, a page at a time."""
    after = -1
    while True:
        page = session.scalars(
            _matching(wanted)
            .where(AuditEntry.position > after, AuditEntry.position < size)
            .order_by(AuditEntry.position)
            .limit(AT_ONCE)
        ).all()
        yield from page
        if len(page) < AT_ONCE:
            return
        after = page[-1].position or 0
        session.expunge_all()


def _matching(wanted: Wanted) -> Select[AuditEntry]:
    query = select(AuditEntry)
    if wanted.whole:
        return query
    return query.where(or_(AuditEntry.subject.in_(wanted.subjects), AuditEntry.digest.in_(wanted.digests)))


def _leaves(session: Session, size: int) -> Iterator[bytes]:
    for number in range(-(-size // TILE_HASHES)):
        tile = session.get(LogTile, (0, number))
        hashes = tile.hashes if tile is not None else b""
        yield hashes[: min(TILE_HASHES, size - number * TILE_HASHES) * HASH_BYTES]


def _earlier(session: Session, size: int, held: Iterable[int]) -> Iterator[form.EarlierLine]:
    """The checkpoints that the reader may hold: those named, and the latest ones."""
    older = select(LogCheckpoint).where(LogCheckpoint.size < size).order_by(LogCheckpoint.size.desc())
    rows = {row.size: row for row in session.scalars(older.limit(MOST_EARLIER))}
    rows |= {row.size: row for row in session.scalars(select(LogCheckpoint).where(LogCheckpoint.size.in_(held)))}
    tree = LogTree(session)
    for row in sorted(rows.values(), key=lambda row: row.size):
        if row.size < size:
            yield form.EarlierLine(row.note, merkle.consistency_proof(row.size, size, tree.nodes))


def _shown(session: Session, wanted: Wanted, size: int) -> list[AuditEntry]:
    """The entries that the page for people shows: all of a selection, the last ones of a whole log."""
    query = _matching(wanted).where(AuditEntry.position < size).order_by(AuditEntry.position.desc()).limit(AT_ONCE)
    return list(session.scalars(query))[::-1]
