"""What the supervision pages stand on, and who may see them: the auditor, and a department its own orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Query, Request

from cert_registry.audit.supervision_facts import Wanted
from cert_registry.audit.supervision_orders import Person, SupervisionBook
from cert_registry.errors import Text
from signing_service.approvals.casework import Casework
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import local
from signing_service.people.errors import RoleMissing
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn

Words = Annotated[str, Query(max_length=128)]
Day = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
DAYS_SHOWN, MOST_DAYS = 30, 400


@dataclass(frozen=True, slots=True)
class DueRow:
    """One thing that retention or renewal has to do."""

    what: Text
    count: int
    by: str


@dataclass(frozen=True, kw_only=True)
class SupervisionParts:
    """`current`: who is logged in, as the desk's pages know it; `due`: what retention has to do."""

    current: Callable[[Request], LoggedIn]
    work: Casework
    book: SupervisionBook
    due: Callable[[], Sequence[DueRow]]

    def auditor(self, request: Request) -> LoggedIn:
        """Raises RoleMissing, logged, for anybody else; SessionEnded."""
        who = self.current(request)
        try:
            require_role(who.roles, Role.AUDITOR)
        except RoleMissing as refusal:
            act = Act("supervision.view", who.officer, "supervision", who.department)
            AuditLog().refuse(self.work.database, act, self.work.clock.now(), refusal.code)
            raise
        return who

    def wanted(self, since: str, until: str, **words: str) -> Wanted:
        """The page's filters; without days the last thirty. A reversed or endless span is cut to what can be shown."""
        today = local(self.work.clock.now()).date()
        last = _day(until, today)
        first = _day(since, last - timedelta(days=DAYS_SHOWN - 1))
        first = max(min(first, last), last - timedelta(days=MOST_DAYS), date(2000, 1, 1))
        return Wanted(first, last, **{name: word.strip() for name, word in words.items()})


def person_of(who: LoggedIn) -> Person:
    return Person(who.officer, who.department, Role.AUDITOR in who.roles)


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        return otherwise
