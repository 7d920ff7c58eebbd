"""Who is competent today for what an earlier body issued, from the successions on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cli.competent_bodies import KEPT, CompetentBodies
from signing_service.kernel.database import Database
from signing_service.people.departments import Department
from signing_service.seals.succession import SuccessionRow, SuccessionState

START = datetime(2026, 11, 24, tzinfo=UTC)


class SetClock:
    instant = START

    def now(self) -> datetime:
        return self.instant


def succeed(database: Database, old: list[str], new: str, state: SuccessionState) -> None:
    with database.write() as session:
        session.add(
            SuccessionRow(
                old_departments=old, new_department=new, legal_basis="示例", effective_from=START, pairs={},
                state=state, drafted_by="x",
            )
        )  # fmt: skip


def test_an_heir_is_competent_for_all_before_it(database: Database) -> None:
    with database.write() as session:
        for name in ("first", "second", "third", "other"):
            session.add(Department(id=name, code=f"code-{name}", name=f"示例{name}", valid_from=START))
    succeed(database, ["first"], "second", SuccessionState.EFFECTIVE)
    succeed(database, ["other"], "third", SuccessionState.REVIEWED)
    clock = SetClock()
    bodies = CompetentBodies(clock)
    with database.read() as session:
        assert bodies.codes_of(session, "second") == {"code-first", "code-second"}
        assert bodies.codes_of(session, "first") == frozenset()
        assert bodies.codes_of(session, "third") == {"code-third"}
        assert bodies.codes_of(session, "nobody") == frozenset()
        assert (bodies.today(session, "code-first"), bodies.today(session, "code-second")) == ("示例second", "")
        assert bodies.today(session, "elsewhere") == ""
    succeed(database, ["second"], "third", SuccessionState.EFFECTIVE)
    clock.instant += KEPT
    with database.read() as session:
        assert bodies.codes_of(session, "third") == {"code-first", "code-second", "code-third"}
        assert bodies.today(session, "code-first") == "示例third"
    succeed(database, ["third"], "first", SuccessionState.EFFECTIVE)
    clock.instant += KEPT + timedelta(seconds=1)
    with database.read() as session:
        assert bodies.today(session, "code-first") in ("示例second", "示例third")  # a circle ends
