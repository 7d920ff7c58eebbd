"""What a home tells the engine: the seal register's events, and sources joined."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.known_facts import JoinedFacts, SealFacts
from cli.schema import upgrade
from signing_service.kernel.database import Database
from signing_service.seals.seal_tables import SealChange, SealRow
from signing_service.seals.succession import SuccessionRow, SuccessionState
from signing_service.verification.ports import Facts, LicenceFact, LicenceState, SealState

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, NEW = b"old certificate", b"new certificate"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/a.db")
    upgrade(opened)
    yield opened
    opened.close()


def add(database: Database, seal_id: str, certificate: bytes, owner: str, *states: str) -> None:
    """A seal whose state changed once a day."""
    row = SealRow(
        id=seal_id, kind="statutory", name=owner, owner_name=owner, owner_code="x", department="d", state=states[-1],
        applicant="a", holders=[], design={}, conditions={}, valid_from=START, valid_until=START + 999 * DAY,
        certificate=certificate,
    )  # fmt: skip
    with database.write() as session:
        session.add(row)
        session.flush()
        for day, after in enumerate(states):
            at = START + day * DAY
            change = SealChange(
                seal_id=seal_id, move="m", before="", after=after, actor="a", effective_from=at, recorded_at=at
            )
            session.add(change)


def told(database: Database) -> list[tuple[bytes, SealState, int, str]]:
    events = SealFacts(database).facts((), b"", START).seals
    return [(event.certificate_sha256, event.state, (event.at - START).days, event.successor) for event in events]


STATES = [
    (("active",), []),
    (
        ("requested", "approved", "made", "filed", "active", "suspended"),
        [(SealState.ACTIVE, 4), (SealState.SUSPENDED, 5)],
    ),
    (("active", "suspended", "active"), [(SealState.ACTIVE, 0), (SealState.SUSPENDED, 1), (SealState.ACTIVE, 2)]),
    (("active", "cancelled"), [(SealState.ACTIVE, 0), (SealState.CANCELLED, 1)]),
    (("active", "replaced"), [(SealState.ACTIVE, 0), (SealState.CANCELLED, 1)]),
    (("active", "void"), [(SealState.ACTIVE, 0), (SealState.CANCELLED, 1)]),
]


@pytest.mark.parametrize(("states", "events"), STATES)
def test_every_stop_of_a_seal_is_told(
    database: Database, states: tuple[str, ...], events: list[tuple[SealState, int]]
) -> None:
    add(database, "s", OLD, "示例市行政审批局", *states)
    add(database, "other", NEW, "示例市财政局", "active")
    sha256 = hashlib.sha256(OLD).digest()
    assert told(database) == [(sha256, state, day, "") for state, day in events]


@pytest.mark.parametrize(("pairs", "successor"), [({"s": "t"}, "示例市政务服务局"), ({"s": ""}, "service")])
def test_a_succession_names_the_heir(database: Database, pairs: dict[str, str], successor: str) -> None:
    add(database, "s", OLD, "示例市行政审批局", "active", "cancelled")
    add(database, "t", NEW, "示例市政务服务局", "active")
    row = SuccessionRow(
        old_departments=["d"], new_department="service", legal_basis="示例", effective_from=START + DAY, pairs=pairs,
        state=SuccessionState.EFFECTIVE, drafted_by="a",
    )  # fmt: skip
    with database.write() as session:
        session.add(row)
    assert told(database)[-1][1:] == (SealState.SUCCEEDED, 1, successor)


class Says:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def facts(self, ids: object, digest: bytes, at: datetime) -> Facts:
        return self._facts


def test_sources_are_joined_and_the_earlier_has_the_word() -> None:
    licence = LicenceFact("x", LicenceState.ENDED)
    joined = JoinedFacts(
        Says(Facts(known=True, simulated=True)), Says(Facts(licence=licence, archived=b"a")), Says(Facts(archived=b"b"))
    ).facts((), b"", START)
    assert joined == Facts(known=True, simulated=True, licence=licence, archived=b"a")
