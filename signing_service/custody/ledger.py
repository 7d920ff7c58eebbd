"""The ledger of uses: custody's own SQLite file, append-only; why a count holds under parallel use and crashes.

A use is written and synced before the key signs, its outcome is written after. A use without outcome (a crash, a token
pulled) is taken up again by the same request and by no other. Every use carries a hash over itself and the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from signing_service.custody.errors import LedgerAltered, SealingFrozen, UseNotFound
from signing_service.seals.authorisation import Uses
from signing_service.seals.authorisation_errors import AuthorisationUsed

FILE_NAME = "uses.sqlite3"
BUSY_SECONDS = 60
ALL = "all"
REGISTER = "register:"
DIRECT = "direct"

_TABLES = """
CREATE TABLE IF NOT EXISTS use (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, authorisation TEXT NOT NULL, seal TEXT NOT NULL, bureau TEXT NOT NULL,
  digest TEXT NOT NULL, attributes TEXT NOT NULL, document_type TEXT NOT NULL, signers TEXT NOT NULL,
  kind TEXT NOT NULL, chain TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS use_by_authorisation ON use (authorisation, digest);
CREATE INDEX IF NOT EXISTS use_by_digest ON use (digest);
CREATE TABLE IF NOT EXISTS outcome (
  use INTEGER PRIMARY KEY REFERENCES use (id), at TEXT NOT NULL, signature BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS withdrawal (authorisation TEXT PRIMARY KEY, at TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS freeze (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, scope TEXT NOT NULL, frozen INTEGER NOT NULL, actor TEXT NOT NULL,
  reason TEXT NOT NULL);
"""
_COLUMNS = "authorisation, seal, bureau, digest, attributes, document_type, signers, kind"
_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS {table}_keeps BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS {table}_stays BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a seal. `digest` and `attributes` are hex SHA-256 of the document and of the signed attributes;
    `signers` the fingerprints of the certificates that authorised it, `kind` that of the authorisation."""

    authorisation: str
    seal: str
    bureau: str
    digest: str
    attributes: str
    document_type: str
    signers: str
    kind: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The stops that stop it. `register:` is put where the seal's register says suspended or ended."""
        return ALL, f"bureau:{self.bureau}", f"seal:{self.seal}", f"{REGISTER}{self.seal}"


@dataclass(frozen=True, slots=True)
class RecordedUse:
    """A use with its time, and whether a signature came of it."""

    at: datetime
    use: Use
    completed: bool


@dataclass(frozen=True, slots=True)
class Reserved:
    """A use's number, and the signature that came of it where it was completed before."""

    number: int
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    """A stop that stands: `scope` is all, bureau:ID, seal:ID or register:ID."""

    scope: str
    since: datetime
    actor: str
    reason: str


class Ledger:
    """Thread-safe, and safe between processes; one connection a thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        with suppress(FileExistsError):  # an open file is never opened and closed here: that would drop SQLite's locks
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with self._writing() as connection:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            for table in ("use", "outcome", "withdrawal", "freeze"):
                for statement in _APPEND_ONLY.format(table=table).strip().split("\n"):
                    connection.execute(statement)

    def reserve(self, use: Use, now: datetime, judge: Callable[[Uses], None]) -> int:
        """Write the use before the key signs; returns its number. Raises SealingFrozen and whatever `judge` raises.

        `judge` is given the uses so far, within the same transaction. The same request whose outcome is missing gets
        its old number again, its own use not counted against it.
        """
        with self._writing() as connection:
            _check_not_frozen(connection, use)
            pending = _pending(connection, use)
            judge(_uses(connection, use, without=pending))
            return pending or _append(connection, use, now)

    def reserve_all(self, uses: Sequence[Use], now: datetime, judge: Callable[[Use, Uses], None]) -> list[Reserved]:
        """`reserve` for several requests under one authorisation in one synced commit: all of them or none.

        A request that was completed before, to the byte, is not a use again: its signature is given back.
        """
        with self._writing() as connection:
            _check_not_frozen(connection, uses[0])
            known = [_known(connection, use) for use in uses]
            started = sum(each is not None for each in known)
            total = _uses(connection, uses[0], without=None).total - started
            reserved = []
            for use, before in zip(uses, known, strict=True):
                if before is None or before.signature is None:
                    of_digest = _uses_of_digest(connection, use, without=before.number if before else None)
                    judge(use, Uses(total, of_digest, _withdrawn_at(connection, use)))
                total += 1
                reserved.append(before or Reserved(_append(connection, use, now)))
            return reserved

    def complete_all(self, made: Sequence[tuple[int, bytes]], use: Use, now: datetime) -> None:
        """`complete` for several uses that share the scopes of `use`. Raises SealingFrozen, AuthorisationUsed."""
        with self._writing(synced=False) as connection:
            _check_not_frozen(connection, use)
            rows = [(number, _text(now), signature) for number, signature in made]
            try:
                connection.executemany("INSERT INTO outcome VALUES (?, ?, ?)", rows)
            except sqlite3.IntegrityError as failure:
                raise AuthorisationUsed(1, 1) from failure

    def complete(self, number: int, use: Use, signature: bytes, now: datetime) -> None:
        """Write the outcome before the signature is handed out. Raises SealingFrozen if a stop came in between,
        AuthorisationUsed if the same request was completed meanwhile.

        Not synced by itself: if the power fails now, the very same request may sign the very same bytes again.
        """
        with self._writing(synced=False) as connection:
            _check_not_frozen(connection, use)
            try:
                connection.execute("INSERT INTO outcome VALUES (?, ?, ?)", (number, _text(now), signature))
            except sqlite3.IntegrityError as failure:
                raise AuthorisationUsed(1, 1) from failure

    def signature(self, use: Use) -> bytes:
        """The signature of a completed use. Raises SealingFrozen, UseNotFound."""
        query = (
            "SELECT signature FROM use JOIN outcome ON outcome.use = use.id"
            " WHERE authorisation = ? AND seal = ? AND attributes = ? ORDER BY use.id DESC"
        )
        connection = self._connection()
        _check_not_frozen(connection, use)
        row = connection.execute(query, (use.authorisation, use.seal, use.attributes)).fetchone()
        if row is None:
            raise UseNotFound
        return bytes(row[0])

    def uses(self, authorisation: str) -> int:
        """How often an authorisation has been used, uses without outcome included."""
        query = "SELECT count(*) FROM use WHERE authorisation = ?"
        return int(self._connection().execute(query, (authorisation,)).fetchone()[0])

    def of_seal(self, seal: str, kind: str = "") -> list[RecordedUse]:
        """Every use of a seal, or those of one kind, oldest first: what its holder is shown, emergency use included."""
        completed = "id IN (SELECT use FROM outcome)"
        query = f"SELECT at, {completed}, {_COLUMNS} FROM use WHERE seal = ? AND ? IN ('', kind) ORDER BY id"  # noqa: S608 - fixed names
        rows = self._connection().execute(query, (seal, kind))
        return [RecordedUse(datetime.fromisoformat(at), Use(*texts), bool(done)) for at, done, *texts in rows]

    def was_signed(self, seal: str, digest: str) -> bool:
        """Whether the seal's key signed this document (hex digest): a use with an outcome."""
        query = "SELECT 1 FROM use JOIN outcome ON outcome.use = use.id WHERE digest = ? AND seal = ? LIMIT 1"
        return self._connection().execute(query, (digest, seal)).fetchone() is not None

    def withdraw(self, authorisation: str, reason: str, now: datetime) -> None:
        """From now on the authorisation lets nothing be sealed. A second withdrawal changes nothing."""
        with self._writing() as connection:
            row = (authorisation, _text(now), reason)
            connection.execute("INSERT INTO withdrawal VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)

    def switch(self, scope: str, *, frozen: bool, actor: str, reason: str, now: datetime) -> None:
        """Put a stop on a scope, or lift it."""
        with self._writing() as connection:
            row = (_text(now), scope, frozen, actor, reason)
            connection.execute("INSERT INTO freeze (at, scope, frozen, actor, reason) VALUES (?, ?, ?, ?, ?)", row)

    def frozen(self) -> list[Freeze]:
        """The stops that stand."""
        return _frozen(self._connection())

    def check(self) -> int:
        """Walk the chain of hashes; returns the number of uses. Raises LedgerAltered."""
        count, previous = 0, ""
        columns = f"id, chain, at, {_COLUMNS}"
        for number, chain, at, *texts in self._connection().execute(f"SELECT {columns} FROM use ORDER BY id"):  # noqa: S608
            count += 1
            previous = _link(previous, at, Use(*texts))
            if number != count or chain != previous:
                raise LedgerAltered(count)
        return count

    def close(self) -> None:
        """Close every thread's connection; nobody may be using the ledger any more."""
        with self._guard:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=WAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._local.connection = connection
            with self._guard:
                self._opened.append(connection)
        return connection

    @contextmanager
    def _writing(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _check_not_frozen(connection: sqlite3.Connection, use: Use) -> None:
    for stop in _frozen(connection):
        if stop.scope in use.scopes:
            raise SealingFrozen(stop.scope, stop.since, stop.reason)


def _frozen(connection: sqlite3.Connection) -> list[Freeze]:
    query = (
        "SELECT scope, at, frozen, actor, reason FROM freeze WHERE id IN (SELECT max(id) FROM freeze GROUP BY scope)"
    )
    rows = connection.execute(query)
    return [Freeze(scope, datetime.fromisoformat(at), actor, why) for scope, at, on, actor, why in rows if on]


def _pending(connection: sqlite3.Connection, use: Use) -> int | None:
    if use.authorisation == DIRECT:
        return None
    query = (
        "SELECT id FROM use WHERE authorisation = ? AND digest = ? AND seal = ? AND attributes = ?"
        " AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.use = use.id)"
    )
    row = connection.execute(query, (use.authorisation, use.digest, use.seal, use.attributes)).fetchone()
    return None if row is None else int(row[0])


def _known(connection: sqlite3.Connection, use: Use) -> Reserved | None:
    """The last use that was for these very attributes, completed or not."""
    query = (
        "SELECT use.id, signature FROM use LEFT JOIN outcome ON outcome.use = use.id"
        " WHERE authorisation = ? AND digest = ? AND seal = ? AND attributes = ?"
        " ORDER BY signature IS NULL, use.id DESC"
    )
    row = connection.execute(query, (use.authorisation, use.digest, use.seal, use.attributes)).fetchone()
    return None if row is None else Reserved(int(row[0]), None if row[1] is None else bytes(row[1]))


def _uses(connection: sqlite3.Connection, use: Use, *, without: int | None) -> Uses:
    if use.authorisation == DIRECT:  # nobody counts what needs no authorisation
        return Uses()
    count = "SELECT count(*) FROM use WHERE authorisation = ? AND id IS NOT ?"
    total = connection.execute(count, (use.authorisation, without)).fetchone()[0]
    return Uses(total, _uses_of_digest(connection, use, without=without), _withdrawn_at(connection, use))


def _uses_of_digest(connection: sqlite3.Connection, use: Use, *, without: int | None) -> int:
    query = "SELECT count(*) FROM use WHERE authorisation = ? AND digest = ? AND id IS NOT ?"
    return int(connection.execute(query, (use.authorisation, use.digest, without)).fetchone()[0])


def _withdrawn_at(connection: sqlite3.Connection, use: Use) -> datetime | None:
    row = connection.execute("SELECT at FROM withdrawal WHERE authorisation = ?", (use.authorisation,)).fetchone()
    return None if row is None else datetime.fromisoformat(row[0])


def _append(connection: sqlite3.Connection, use: Use, now: datetime) -> int:
    last = connection.execute("SELECT chain FROM use ORDER BY id DESC LIMIT 1").fetchone()
    at = _text(now)
    chain = _link("" if last is None else last[0], at, use)
    cursor = connection.execute(
        f"INSERT INTO use (at, {_COLUMNS}, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed column names
        (at, *astuple(use), chain),
    )
    return int(cursor.lastrowid or 0)


def _link(previous: str, at: str, use: Use) -> str:
    return hashlib.sha256(json.dumps([previous, at, *astuple(use)]).encode()).hexdigest()


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
