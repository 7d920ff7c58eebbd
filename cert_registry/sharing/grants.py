"""Grants in the database: recorded, withdrawn, read for each call."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import JSON, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import RegistryError, Text
from cert_registry.sharing.access import ANY, GRANTABLE, Action, Grant
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime

GRANTED, WITHDRAWN = "sharing.granted", "sharing.withdrawn"


class SharingGrant(Base):
    __tablename__ = "sharing_grant"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    department: Mapped[str] = mapped_column(String(64), index=True)
    type_code: Mapped[str] = mapped_column(String(21))
    actions: Mapped[list[str]] = mapped_column(JSON)
    fields: Mapped[list[str]] = mapped_column(JSON)
    matters: Mapped[list[str]] = mapped_column(JSON)
    consent_needed: Mapped[bool]
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    basis: Mapped[str] = mapped_column(String(500))
    granted_by: Mapped[str] = mapped_column(String(128))


class GrantNotFound(RegistryError):
    code = "grant_not_found"

    def __init__(self) -> None:
        super().__init__(
            Text("没有这项授权,或已撤销。", "There is no such grant, or it is withdrawn."),
            advice=Text("请查看该部门的授权列表。", "See the department's list of grants."),
        )


def grant(
    session: Session,
    department: str,
    type_code: str,
    actions: Collection[Action],
    *,
    matters: Collection[str],
    fields: Collection[str] = (ANY,),
    consent_needed: bool = False,
    since: datetime,
    until: datetime | None = None,
    basis: str,
    actor: str,
) -> str:
    """Record a grant, in the caller's transaction; gives its id. `type_code`, `matters`, `fields` may be ANY."""
    if not set(actions) <= GRANTABLE or not actions:
        raise ValueError("these actions cannot be granted")
    row = SharingGrant(
        id=secrets.token_hex(8), department=department, type_code=type_code, actions=sorted(actions),
        fields=sorted(fields), matters=sorted(matters), consent_needed=consent_needed, since=since, until=until,
        basis=basis, granted_by=actor,
    )  # fmt: skip
    session.add(row)
    details = {"department": department, "type": type_code, "actions": sorted(actions), "matters": sorted(matters)}
    AuditLog().record(session, Act(GRANTED, actor, f"grant:{row.id}", details={**details, "basis": basis}), since)
    return row.id


def withdraw(session: Session, grant_id: str, *, at: datetime, reason: str, actor: str) -> None:
    """End a grant now. Raises GrantNotFound."""
    row = session.scalar(select(SharingGrant).where(SharingGrant.id == grant_id).with_for_update())
    if row is None or row.withdrawn_at is not None:
        raise GrantNotFound
    row.withdrawn_at = at
    AuditLog().record(session, Act(WITHDRAWN, actor, f"grant:{grant_id}", details={"reason": reason}), at)


def grants_of(session: Session, department: str, type_code: str | None = None) -> list[Grant]:
    """The department's grants, ended ones too; with `type_code` only those that may concern that type."""
    query = select(SharingGrant).where(SharingGrant.department == department).order_by(SharingGrant.since)
    if type_code is not None:
        query = query.where(or_(SharingGrant.type_code == type_code, SharingGrant.type_code == ANY))
    return [_value(row) for row in session.scalars(query)]


def all_grants(session: Session) -> list[Grant]:
    """Every department's, ended ones too."""
    return [_value(row) for row in session.scalars(select(SharingGrant).order_by(SharingGrant.since))]


def _value(row: SharingGrant) -> Grant:
    return Grant(
        row.id, row.department, row.type_code, frozenset(Action(action) for action in row.actions),
        frozenset(row.fields), frozenset(row.matters), row.consent_needed, row.since, row.until, row.withdrawn_at,
    )  # fmt: skip
