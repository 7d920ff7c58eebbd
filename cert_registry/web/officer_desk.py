"""What the officers' pages under /registry stand on, and who may see and do what there.

A licence clerk (证照管理员) works on the licences that his department issued, those of the bodies that it succeeded
included; an auditor sees all, refusals too, and changes nothing; for everybody else there is nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, Text
from cert_registry.licences.catalogue import Body, LicenceType
from cert_registry.licences.drafts import Actor
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issuers import may_issue
from cert_registry.licences.register import Licence, by_identifier
from cert_registry.web.parts import RegistryParts
from cert_registry.web.statuses import RequestInvalid
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.people.departments import Department
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.web.browser_session import BrowserSessions

CLERK, AUDITOR = Role.LICENCE_CLERK, Role.AUDITOR
READ, SEARCHED = "desk.read", "desk.search"


@dataclass(frozen=True)
class OfficerDesk:
    """`wake_bulk` tells the worker that rows of a bulk job wait."""

    parts: RegistryParts
    browsers: BrowserSessions
    wake_bulk: Callable[[], None]

    def reader(self, request: Request) -> LoggedIn:
        """Whoever may look. Raises SessionEnded, RoleMissing, OriginRefused."""
        who = self.browsers.current(request)
        require_role(who.roles, CLERK, AUDITOR)
        return who

    def clerk(self, request: Request) -> LoggedIn:
        """Whoever may act."""
        who = self.browsers.current(request)
        require_role(who.roles, CLERK)
        return who

    def codes(self, session: Session, who: LoggedIn) -> frozenset[str]:
        """The issuer codes for which this officer's department is competent."""
        return self.parts.department_codes(session, who.department)

    def licence(self, session: Session, who: LoggedIn, text: str) -> Licence:
        """Raises LicenceNotFound, also for another department's; identifiers that are none are not found either."""
        try:
            licence = by_identifier(session, LicenceIdentifier.parse(text))
        except ExplainedError:
            raise LicenceNotFound from None
        if AUDITOR not in who.roles and licence.issuer_code not in self.codes(session, who):
            raise LicenceNotFound
        return licence

    def body(self, who: LoggedIn) -> Body:
        """The officer's own department as an issuing body. Its code is the one on record, not one typed."""
        with self.parts.database.read() as session:
            row = session.get_one(Department, who.department)
            return Body(row.code, row.name)

    def kinds(self, who: LoggedIn, now: datetime) -> list[LicenceType]:
        """Types that this officer's department may issue today."""
        code = self.body(who).code
        with self.parts.database.read() as session:
            return [kind for kind in self.parts.catalogue if may_issue(session, kind, code, now)]

    def kind(self, who: LoggedIn, key: str, now: datetime) -> LicenceType:
        """Raises RequestInvalid for a type that the department may not issue."""
        for kind in self.kinds(who, now):
            if kind.key == key:
                return kind
        raise RequestInvalid(Text("请选择本部门可以颁发的类型。", "Choose a type that your department may issue."))

    def note(self, who: LoggedIn, kind: str, subject: str, now: datetime, details: Mapping[str, object]) -> None:
        """A look is logged before anything is shown; the licence's holder sees it like a department's call."""
        with self.parts.database.write() as session:
            name = session.get_one(Department, who.department).name
            act = Act(kind, f"officer:{who.officer}", subject, who.department,
                      details={**details, "department_name": name})  # fmt: skip
            AuditLog().record(session, act, now)


def actor_of(who: LoggedIn) -> Actor:
    return Actor(f"officer:{who.officer}", who.department)
