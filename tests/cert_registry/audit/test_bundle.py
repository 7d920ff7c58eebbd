"""Whatever is done to the log's tables, an exported bundle and a checkpoint held before show it, by name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cert_registry.audit import bundle_format as form
from cert_registry.audit.bundle_check import check_bundle
from cert_registry.audit.export import Enclosed, NoCheckpointYet, NothingToExport, Wanted, export
from cert_registry.audit.findings import Outcome
from signing_service.evidence import merkle
from signing_service.evidence.log_checkpoints import LogCheckpoint, LogCheckpoints, LogSigner
from signing_service.evidence.log_tree import LogTile, LogTree, sequence_entries
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog, commitment, content_of, erase_person
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database

AT = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = "log.example.test"


def quiet(_done: int, _total: int) -> None:
    """No progress wanted."""


def certificate_for(key: EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示例市审计日志(测试)")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, AT, AT + timedelta(days=3650))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


@dataclass
class Log:
    """A log of the test's own: entries 0 to 9 about three things, a checkpoint held at 6, and one at 10."""

    database: Database
    folder: Path
    key: EllipticCurvePrivateKey
    held: str = ""

    @property
    def checkpoints(self) -> LogCheckpoints:
        def sign(body: bytes) -> bytes:
            return self.key.sign(body, ECDSA(SHA256()))

        return LogCheckpoints(
            self.database, SystemClock(), LogSigner(ORIGIN, self.key.public_key(), sign, lambda digest: digest)
        )

    def grow(self, first: int, end: int) -> str:
        with self.database.write() as session:
            for number in range(first, end):
                act = Act("seal.used", f"officer:{number}", f"seal:{number % 3}", digest=f"{number:064x}")
                AuditLog().record(session, act, AT + timedelta(minutes=number))
        sequence_entries(self.database)
        return self.checkpoints.issue() or ""

    def exported(self, wanted: Wanted | None = None, **enclosed: object) -> Path:
        path = self.folder / "evidence.zip"
        with self.database.read() as session:
            export(
                session,
                path,
                wanted or Wanted(),
                Enclosed([certificate_for(self.key)], **enclosed),  # type: ignore[arg-type]
                AT,
                quiet,
            )
        return path

    def checked(self, wanted: Wanted | None = None) -> Outcome:
        return check_bundle(self.exported(wanted), self.held)


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    log = Log(database, tmp_path, generate_private_key(SECP256R1()))
    log.held = log.grow(0, 6)
    log.grow(6, 10)
    return log


def codes(outcome: Outcome) -> list[tuple[str, int]]:
    return [(finding.code, finding.index) for finding in outcome.findings]


ABOUT_ONE = Wanted(subjects=["seal:1"])
BY_DIGEST = Wanted(digests=[f"{4:064x}"])


@pytest.mark.parametrize(("wanted", "entries"), [(Wanted(), 10), (ABOUT_ONE, 3), (BY_DIGEST, 1)])
def test_an_honest_log_holds(log: Log, wanted: Wanted, entries: int) -> None:
    outcome = log.checked(wanted)
    assert outcome.findings == ()
    assert (outcome.size, outcome.entries, outcome.erased) == (10, entries, 0)


def entry(session: Session, position: int) -> AuditEntry:
    return session.scalars(select(AuditEntry).where(AuditEntry.position == position)).one()


def edit(session: Session) -> None:
    entry(session, 4).actor = "officer:9"


def edit_and_commit_anew(session: Session) -> None:
    row = entry(session, 4)
    row.actor = "officer:9"
    row.leaf = commitment(content_of(row), row.salt)


def edit_details_and_erase_the_salt(session: Session) -> None:
    """Pretending that the person was erased hides the content; a new commitment still does not fit the tree."""
    row = entry(session, 4)
    row.salt, row.leaf = "", "ab" * 32


def remove(session: Session) -> None:
    session.delete(entry(session, 4))


def truncate(session: Session) -> None:
    session.execute(delete(AuditEntry).where(AuditEntry.position >= 7))


def exchange(session: Session) -> None:
    first, second = entry(session, 4), entry(session, 1)
    first.position = None
    session.flush()
    second.position = 4
    session.flush()
    first.position = 1


def insert(session: Session) -> None:
    """In the place of another."""
    entry(session, 4).position = None
    session.flush()
    made = AuditLog().record(session, Act("seal.used", "officer:1", "seal:1"), AT)
    made.position = 4


def insert_at_the_end(session: Session) -> None:
    made = AuditLog().record(session, Act("seal.used", "officer:1", "seal:1"), AT)
    made.position = 10


ATTACKS: list[tuple[Callable[[Session], None], list[tuple[str, int]], list[tuple[str, int]]]] = [
    (edit, [("entry_edited", 4)], [("entry_edited", 4)]),
    (edit_and_commit_anew, [("entry_not_in_log", 4)], [("entry_not_in_log", 4)]),
    (edit_details_and_erase_the_salt, [("entry_not_in_log", 4)], [("entry_not_in_log", 4)]),
    (remove, [("entries_missing", 4)], []),
    (truncate, [("entries_missing", 7)], []),
    (exchange, [("entry_not_in_log", 1), ("entry_not_in_log", 4)], [("entry_not_in_log", 1), ("entry_not_in_log", 4)]),
    (insert, [("entry_not_in_log", 4)], [("entry_not_in_log", 4)]),
]


@pytest.mark.parametrize(("attack", "whole", "selected"), ATTACKS, ids=[attack[0].__name__ for attack in ATTACKS])
def test_a_changed_table_is_named(
    log: Log,
    attack: Callable[[Session], None],
    whole: list[tuple[str, int]],
    selected: list[tuple[str, int]],
) -> None:
    """What is deleted shows in the whole log; a selection can only show what it holds."""
    with log.database.write() as session:
        attack(session)
    assert codes(log.checked()) == whole
    assert codes(log.checked(ABOUT_ONE)) == selected


def test_an_entry_beyond_the_checkpoint_is_not_exported_as_proven(log: Log) -> None:
    with log.database.write() as session:
        insert_at_the_end(session)
    assert log.checked().findings == ()
    assert log.checked().entries == 10


def rewrite(log: Log) -> None:
    """An insider with the database and the log key: all rows, tiles and checkpoints anew, without entry 4."""
    with log.database.write() as session:
        session.delete(entry(session, 4))
        session.execute(delete(LogTile))
        session.execute(delete(LogCheckpoint))
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        session.execute(update(AuditEntry).values(position=None))
        for position, row in enumerate(rows):
            row.position = position
        LogTree(session).append([merkle.leaf_hash(bytes.fromhex(row.leaf)) for row in rows])
    log.checkpoints.issue()


def test_the_whole_chain_rewritten(log: Log) -> None:
    rewrite(log)
    assert codes(log.checked()) == [("log_rewritten", 6)]
    assert check_bundle(log.exported()).findings == ()  # without a checkpoint of one's own it cannot be seen
    assert "held before" in check_bundle(log.exported()).not_checked[0].en


def test_the_whole_chain_rewritten_seen_from_a_selection(log: Log) -> None:
    rewrite(log)
    log.grow(20, 24)
    assert codes(log.checked(ABOUT_ONE)) == [("held_checkpoint_unproven", 6)]


def test_the_tree_rewritten_without_the_key(log: Log) -> None:
    with log.database.write() as session:
        tile = session.get_one(LogTile, (0, 0))
        tile.hashes = merkle.leaf_hash(b"x") + tile.hashes[32:]
    assert sorted(codes(log.checked())) == [("entry_not_in_log", 0), ("log_rewritten", 6), ("tree_altered", 10)]
    assert ("entry_not_in_log", 1) in codes(log.checked(ABOUT_ONE))


def test_an_older_backup_in_its_place(database: Database, tmp_path: Path) -> None:
    log = Log(database, tmp_path, generate_private_key(SECP256R1()))
    log.grow(0, 6)
    older = log.exported().rename(tmp_path / "older.zip")
    held = log.grow(6, 10)
    assert codes(check_bundle(older, held)) == [("older_backup", 10)]


def test_another_log_or_another_key(log: Log, database: Database) -> None:
    honest = log.exported()
    log.key = generate_private_key(SECP256R1())
    assert codes(check_bundle(log.exported(), log.held))[0][0] == "checkpoint_invalid"
    other = Log(database, log.folder, log.key)
    with database.write() as session:
        session.execute(delete(LogCheckpoint))
    assert codes(check_bundle(other.exported() if other.grow(20, 21) else honest, log.held)) == [("other_log", -1)]


def test_an_erased_person_leaves_the_proofs_whole(log: Log) -> None:
    with log.database.write() as session:
        erase_person(entry(session, 4))
    outcome = log.checked()
    assert (outcome.findings, outcome.erased) == ((), 1)
    content = zipfile.ZipFile(log.exported()).read(form.ENTRIES).decode()
    assert "officer:4" not in content
    assert "officer:5" in content


def test_the_attachments_are_bound(log: Log) -> None:
    path = log.exported(BY_DIGEST, attachments={"文件.pdf": b"%PDF-1.7 sealed"})
    assert check_bundle(path, log.held).findings == ()
    changed = rebuilt(path, log.folder / "changed.zip", {form.ATTACHMENTS + "文件.pdf": b"%PDF-1.7 other"})
    assert codes(check_bundle(changed, log.held)) == [("attachment_changed", -1)]


def rebuilt(path: Path, target: Path, instead: dict[str, bytes | None]) -> Path:
    """The bundle with some of its parts exchanged or left out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = instead.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


@pytest.mark.parametrize(
    "name", [form.MANIFEST, form.CHECKPOINT, form.ENTRIES, form.LEAVES, f"{form.LOG_CERTIFICATES}00.pem"]
)
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b'{"format": "zhengyin-evidence/1"}', b"[" * 50_000])
def test_a_damaged_bundle_never_holds(log: Log, name: str, content: bytes | None) -> None:
    path = rebuilt(log.exported(), log.folder / "damaged.zip", {name: content})
    assert not check_bundle(path, log.held).holds


def test_a_doubled_entry_and_a_swapped_line(log: Log) -> None:
    path = log.exported()
    lines = zipfile.ZipFile(path).read(form.ENTRIES).splitlines(keepends=True)
    doubled = rebuilt(path, log.folder / "doubled.zip", {form.ENTRIES: b"".join([*lines[:5], lines[4], *lines[5:]])})
    assert codes(check_bundle(doubled, log.held)) == [("entry_doubled", 4)]
    swapped = b"".join([*lines[:4], lines[5], lines[4], *lines[6:]])
    assert codes(check_bundle(rebuilt(path, log.folder / "swapped.zip", {form.ENTRIES: swapped}), log.held)) == [
        ("entries_missing", 4),
        ("entry_doubled", 4),
    ]


def test_what_is_not_there_is_said(database: Database, tmp_path: Path, log: Log) -> None:
    with pytest.raises(NothingToExport):
        log.exported(Wanted(subjects=["seal:none"]))
    with database.write() as session:
        session.execute(delete(LogCheckpoint))
    with pytest.raises(NoCheckpointYet):
        log.exported()


def test_the_page_for_people_shows_the_entries(log: Log) -> None:
    page = zipfile.ZipFile(log.exported(ABOUT_ONE, reason="<法院调取>")).read(form.PAGE).decode()
    assert page.count("officer:") == 3
    assert "&lt;法院调取&gt;" in page
    manifest = json.loads(zipfile.ZipFile(log.exported(ABOUT_ONE)).read(form.MANIFEST))
    assert (manifest["entries"], manifest["whole"]) == (3, False)
