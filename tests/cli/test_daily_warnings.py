"""The worker's daily look at certificates that end soon: once a day, each warning once, on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import schema
from cli.certificate_warnings import certificate_warnings, once_a_day
from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.kernel.database import Database
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.expiry import ending_soon, record_warning


class StandingClock:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


START = datetime(2026, 11, 25, 1, tzinfo=UTC)  # nine in the morning


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/warnings.db")
    schema.upgrade(database)
    return database


def add(database: Database, reference: str, profile: str, owner: str, end: datetime) -> None:
    with database.write() as session:
        session.add(CertificateRow(
            reference=reference, profile=profile, state="active", owner=owner, department="approvals", subject="",
            requested_by="t", not_after=end, fingerprint=reference * 2, serial=reference, issuer="i",
        ))  # fmt: skip


def test_it_runs_at_the_first_call_of_each_local_day_and_again_after_a_failure() -> None:
    clock, runs, failures = StandingClock(START), [], [True]

    def run() -> None:
        runs.append(clock.now())
        if failures:
            failures.pop()
            raise OSError("the database is away")

    task = once_a_day(run, clock)
    with pytest.raises(OSError, match="away"):
        task()
    for hours in (0, 1, 14, 15, 16):  # midnight in China is 15 hours on
        clock.instant = START + timedelta(hours=hours)
        task()
    assert [run - START for run in runs] == [timedelta(0), timedelta(0), timedelta(hours=15)]


def test_each_warning_is_given_once_and_is_on_record(database: Database) -> None:
    clock = StandingClock(START)
    add(database, "a" * 32, "officer-signing", "reviewer-1", START + timedelta(days=31))
    task = certificate_warnings(database, clock)
    for day in range(34):
        clock.instant = START + timedelta(days=day)
        task()
        task()
    with database.read() as session:
        told = [
            (entry.at - START, entry.details["days"]) for entry in entries_about(session, f"certificate:{'a' * 32}")
        ]
    assert told == [(timedelta(days=1), 30), (timedelta(days=24), 7), (timedelta(days=30), 1), (timedelta(days=31), 0)]


def test_a_message_handed_over_twice_is_recorded_once(database: Database) -> None:
    clock = StandingClock(START)
    record = record_warning(database, AuditLog(), clock)
    for _ in range(2):
        record("r:30", {"reference": "r", "department": "approvals", "days": 30})
    with database.read() as session:
        assert len(entries_about(session, "certificate:r")) == 1


def test_a_service_with_a_newer_certificate_is_settled_an_officer_with_a_second_key_is_not(database: Database) -> None:
    soon, late = START + timedelta(days=5), START + timedelta(days=400)
    for reference, profile, owner, end in (
        ("1" * 32, "tsa", "tsa", soon), ("2" * 32, "tsa", "tsa", late),
        ("3" * 32, "officer-signing", "reviewer-1", soon), ("4" * 32, "officer-signing", "reviewer-1", late),
    ):  # fmt: skip
        add(database, reference, profile, owner, end)
    with database.read() as session:
        assert [entry.owner for entry in ending_soon(session, START)] == ["reviewer-1"]
