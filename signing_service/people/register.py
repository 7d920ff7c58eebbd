"""Changes to departments, officers and roles: decided by `rules`, logged in the transaction that makes them.

Methods take the caller's session, so that a change can be part of a larger act; `logged` is the edge that also
logs a refusal, in a transaction of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people import rules
from signing_service.people.departments import Department, DepartmentName
from signing_service.people.errors import AlreadyThere, PeopleError, Unknown
from signing_service.people.officers import SIGNING, Officer, OfficerCertificate, RoleGrant
from signing_service.people.rules import GrantState, Role
from signing_service.people.social_credit_code import require_valid

DEPARTMENT, OFFICER, GRANT = Text("部门", "department"), Text("人员", "officer"), Text("授权", "grant")
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class NewOfficer:
    """`id` is the log-in name."""

    id: str
    name: str
    department: str


class PeopleRegister:
    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self.database, self.clock, self._audit = database, clock, audit

    @contextmanager
    def logged(self, kind: str, actor: str, subject: str) -> Iterator[Session]:
        """A write session whose refusal by a rule of this room is logged after the rollback."""
        try:
            with self.database.write() as session:
                yield session
        except PeopleError as refusal:
            self._audit.refuse(self.database, Act(kind, actor, subject), self.clock.now(), refusal.code)
            raise

    def add_department(self, session: Session, id: str, name: str, code: str, *, actor: str = SYSTEM) -> Department:
        """Raises AlreadyThere, CodeInvalid (GB 32100)."""
        if session.get(Department, id) is not None:
            raise AlreadyThere(DEPARTMENT, id)
        now = self.clock.now()
        row = Department(id=id, code=require_valid(code), name=name, valid_from=now)
        session.add(row)
        session.flush()
        session.add(DepartmentName(department_id=id, name=name, valid_from=now))
        self._log(session, "department.add", actor, f"department:{id}", id, {"name": name, "code": code})
        return row

    def rename_department(self, session: Session, id: str, name: str, legal_basis: str, *, actor: str) -> None:
        """From now on the department bears another name; the former stays known with its dates."""
        row = self.department(session, id)
        row.name = name
        session.add(DepartmentName(department_id=id, name=name, valid_from=self.clock.now(), legal_basis=legal_basis))
        self._log(session, "department.rename", actor, f"department:{id}", id, {"name": name, "basis": legal_basis})

    def add_officer(self, session: Session, officer: NewOfficer, *, actor: str = SYSTEM) -> Officer:
        """Raises AlreadyThere, Unknown (department)."""
        if session.get(Officer, officer.id) is not None:
            raise AlreadyThere(OFFICER, officer.id)
        self.department(session, officer.department)
        row = Officer(id=officer.id, name=officer.name, department_id=officer.department, created_at=self.clock.now())
        session.add(row)
        session.flush()
        self._log(session, "officer.add", actor, f"officer:{officer.id}", officer.department, {"name": officer.name})
        return row

    def remove_officer(self, session: Session, id: str, reason: str, *, actor: str) -> None:
        """The officer leaves: grants and certificates end today; what was signed stays signed."""
        row, now = self.officer(session, id), self.clock.now()
        row.left_at = now
        for grant in self._active_grants(session, id):
            grant.state, grant.ended_by, grant.ended_at = GrantState.ENDED, actor, now
        for certificate in self.certificates(session, id):
            certificate.ended_at = now
        self._log(session, "officer.remove", actor, f"officer:{id}", row.department_id, {"reason": reason})

    def bind_certificate(
        self, session: Session, officer: str, certificate: bytes, *, purpose: str = SIGNING, actor: str = SYSTEM
    ) -> OfficerCertificate:
        """From now on this certificate (DER) stands for the officer. Raises AlreadyThere, Unknown."""
        fingerprint = hashlib.sha256(certificate).hexdigest()
        row = self.officer(session, officer)
        if session.get(OfficerCertificate, fingerprint) is not None:
            raise AlreadyThere(Text("证书", "certificate"), fingerprint)
        bound = OfficerCertificate(
            fingerprint=fingerprint, officer_id=officer, purpose=purpose, der=certificate, bound_at=self.clock.now()
        )
        session.add(bound)
        details = {"fingerprint": fingerprint, "purpose": purpose}
        self._log(session, "officer.bind_certificate", actor, f"officer:{officer}", row.department_id, details)
        return bound

    def bootstrap(self, session: Session, grants: Sequence[tuple[str, Role]], *, actor: str = SYSTEM) -> None:
        """The first grants (officer id, role), once and never again; at least two seal administrators."""
        before = session.scalar(select(RoleGrant.id).limit(1)) is not None
        rules.check_bootstrap(grants, any_grant_before=before)
        now = self.clock.now()
        for officer, role in grants:
            self.officer(session, officer)
            session.add(
                RoleGrant(
                    officer_id=officer, role=role, state=GrantState.ACTIVE, reason="bootstrap",
                    proposed_by=actor, proposed_at=now, decided_by=actor, decided_at=now,
                )
            )  # fmt: skip
        details = {"grants": [[officer, str(role)] for officer, role in grants]}
        self._log(session, "role.bootstrap", actor, "roles", "", details)

    def propose_grant(self, session: Session, officer: str, role: Role, reason: str, *, actor: str) -> RoleGrant:
        """The first of two persons. Raises GrantRefused, RoleMissing, Unknown."""
        row = self.officer(session, officer)
        rules.check_proposal(role, officer, actor, self.roles_of(session, actor))
        rules.check_separation(role, self.roles_of(session, officer))
        grant = RoleGrant(
            officer_id=officer, role=role, state=GrantState.PROPOSED, reason=reason[:500], proposed_by=actor,
            proposed_at=self.clock.now(),
        )  # fmt: skip
        session.add(grant)
        session.flush()
        details = {"grant": grant.id, "role": role, "reason": reason[:500]}
        self._log(session, "role.propose", actor, f"officer:{officer}", row.department_id, details)
        return grant

    def decide_grant(self, session: Session, grant_id: int, *, confirm: bool, actor: str) -> RoleGrant:
        """The second of two persons confirms or refuses. Raises GrantRefused, RoleMissing, Unknown."""
        grant = self.grant(session, grant_id)
        move = "confirm" if confirm else "refuse"
        after = rules.next_state(move, grant.state)
        rules.check_decision(grant.officer_id, grant.proposed_by, actor, self.roles_of(session, actor))
        if confirm:
            rules.check_separation(Role(grant.role), self.roles_of(session, grant.officer_id))
        grant.state, grant.decided_by, grant.decided_at = after, actor, self.clock.now()
        details = {"grant": grant.id, "role": grant.role, "proposed_by": grant.proposed_by}
        self._log(session, f"role.{move}", actor, f"officer:{grant.officer_id}", "", details)
        return grant

    def end_grant(self, session: Session, grant_id: int, reason: str, *, actor: str) -> RoleGrant:
        """One administrator is enough to take a role away."""
        grant = self.grant(session, grant_id)
        rules.require_role(self.roles_of(session, actor), Role.SEAL_ADMINISTRATOR)
        grant.state = rules.next_state("end", grant.state)
        grant.ended_by, grant.ended_at = actor, self.clock.now()
        details = {"grant": grant.id, "role": grant.role, "reason": reason[:500]}
        self._log(session, "role.end", actor, f"officer:{grant.officer_id}", "", details)
        return grant

    def log(self, session: Session, kind: str, actor: str, subject: str, details: dict[str, Any]) -> None:
        """An entry for an act on persons that another module of this room does."""
        self._log(session, kind, actor, subject, "", details)

    def department(self, session: Session, id: str) -> Department:
        """Raises Unknown."""
        row = session.get(Department, id)
        if row is None:
            raise Unknown(DEPARTMENT, id)
        return row

    def officer(self, session: Session, id: str) -> Officer:
        """Raises Unknown."""
        row = session.get(Officer, id)
        if row is None:
            raise Unknown(OFFICER, id)
        return row

    def grant(self, session: Session, id: int) -> RoleGrant:
        """Raises Unknown."""
        row = session.get(RoleGrant, id)
        if row is None:
            raise Unknown(GRANT, str(id))
        return row

    def officer_of(self, session: Session, certificate: bytes, purpose: str) -> Officer | None:
        """Whom a certificate (DER) stands for now, when it serves that purpose and the officer still works here."""
        bound = session.get(OfficerCertificate, hashlib.sha256(certificate).hexdigest())
        if bound is None or bound.purpose != purpose or bound.ended_at is not None:
            return None
        officer = self.officer(session, bound.officer_id)
        return officer if officer.works_at(self.clock.now()) else None

    def certificates(self, session: Session, officer: str, purpose: str | None = None) -> list[OfficerCertificate]:
        """Those that stand for the officer now, newest first."""
        query = select(OfficerCertificate).where(
            OfficerCertificate.officer_id == officer, OfficerCertificate.ended_at.is_(None)
        )
        if purpose is not None:
            query = query.where(OfficerCertificate.purpose == purpose)
        return list(session.scalars(query.order_by(OfficerCertificate.bound_at.desc())))

    def roles_of(self, session: Session, officer: str) -> frozenset[Role]:
        """The roles in force now; none once the officer has left."""
        return frozenset(Role(grant.role) for grant in self._active_grants(session, officer))

    def officers_with(self, session: Session, role: Role, department: str | None = None) -> list[Officer]:
        """Who holds a role now, by name."""
        query = select(Officer).join(RoleGrant, RoleGrant.officer_id == Officer.id)
        query = query.where(RoleGrant.role == role, RoleGrant.state == GrantState.ACTIVE, Officer.left_at.is_(None))
        if department is not None:
            query = query.where(Officer.department_id == department)
        return list(session.scalars(query.order_by(Officer.name, Officer.id).distinct()))

    def _active_grants(self, session: Session, officer: str) -> Collection[RoleGrant]:
        query = select(RoleGrant).where(RoleGrant.officer_id == officer, RoleGrant.state == GrantState.ACTIVE)
        return list(session.scalars(query))

    def _log(
        self, session: Session, kind: str, actor: str, subject: str, department: str, details: dict[str, Any]
    ) -> None:
        at: datetime = self.clock.now()
        self._audit.record(session, Act(kind, actor, subject, department=department, details=details), at)
