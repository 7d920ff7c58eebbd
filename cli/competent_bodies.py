"""Which body is competent today for what an earlier one issued: from the departments and the successions on record.

Read as a whole and kept for a few seconds: both change a few times a year, and every call asks.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.clock import Clock
from signing_service.people.departments import Department
from signing_service.seals.succession import SuccessionRow, SuccessionState

KEPT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Bodies:
    """`code` and `name` by department id, `by_code` the other way; `heir`: a department's id to its successor's."""

    code: Mapping[str, str]
    name: Mapping[str, str]
    by_code: Mapping[str, str]
    heir: Mapping[str, str]

    def last_heir(self, department: str) -> str:
        """The body at the end of the line; itself when nobody succeeded it. A circle on record ends where it began."""
        seen = {department}
        while (following := self.heir.get(department)) is not None and following not in seen:
            seen.add(following)
            department = following
        return department


class CompetentBodies:
    """Owner of what is kept, and its lock. Uses the session that it is given: a second one could wait for the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._kept: tuple[datetime, Bodies] | None = None

    def codes_of(self, session: Session, department_id: str) -> frozenset[str]:
        """A department's own code, and those of all bodies that it succeeded, however far back."""
        bodies = self._bodies(session)
        return frozenset(code for one, code in bodies.code.items() if bodies.last_heir(one) == department_id)

    def today(self, session: Session, issuer_code: str) -> str:
        """The name of the body competent today; empty when it is the issuer itself, or one that we do not know."""
        bodies = self._bodies(session)
        issuer = bodies.by_code.get(issuer_code)
        heir = bodies.last_heir(issuer) if issuer is not None else None
        return "" if heir is None or heir == issuer else bodies.name.get(heir, "")

    def _bodies(self, session: Session) -> Bodies:
        now = self._clock.now()
        with self._lock:
            if self._kept is None or now - self._kept[0] >= KEPT:
                self._kept = now, _read(session)
            return self._kept[1]


def _read(session: Session) -> Bodies:
    departments = list(session.scalars(select(Department)))
    query = select(SuccessionRow).where(SuccessionRow.state == SuccessionState.EFFECTIVE)
    heir = {
        old: row.new_department
        for row in session.scalars(query.order_by(SuccessionRow.effective_from, SuccessionRow.id))
        for old in row.old_departments
    }
    return Bodies(
        {row.id: row.code for row in departments}, {row.id: row.name for row in departments},
        {row.code: row.id for row in departments}, heir,
    )  # fmt: skip
