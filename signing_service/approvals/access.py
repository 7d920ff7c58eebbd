"""What the holder of a query code may do with a case, each use logged under the person's name on the code.

A lost code is replaced at the window; the principal hands out sub-codes to named clerks and agents (代办).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from signing_service.approvals.casework import Casework
from signing_service.approvals.errors import CodeRefused, RequestIncomplete, TooManyTries
from signing_service.approvals.query_codes import (
    ALL_RIGHTS,
    Access,
    QueryCode,
    Right,
    enter,
    fresh_code,
    issue_code,
    withdraw_codes,
)
from signing_service.approvals.rules import Actor
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act

MOST_SUB_CODES = 10


class RightMissing(SigningServiceError):
    """The code is right, but was not given for this."""

    code = "right_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("您的查询码没有这项权限。", "Your query code does not allow this."),
            advice=Text("请向给您查询码的申请人申请。", "Ask the applicant who gave you the code."),
        )


def open_with_code(work: Casework, number: str, code: str, *, client: str) -> Access:
    """Enter, and log who did; a refusal is logged under a hash of what was typed. Raises CodeRefused, TooManyTries."""
    try:
        access = enter(work.database, number, code, client=client, at=work.clock.now())
    except (CodeRefused, TooManyTries) as refusal:
        typed = hashlib.sha256(number.strip().encode()).hexdigest()[:16]
        work.audit.refuse(
            work.database,
            Act("case.opened_with_code", "public", f"case-number:{typed}"),
            work.clock.now(),
            refusal.code,
        )
        raise
    with work.change(access.case_id) as (session, case):
        work.log(session, case, "opened_with_code", as_actor(access), person=access.person)
    return access


def use(work: Casework, access: Access, right: Right, **details: str) -> None:
    """Log a view, download or print before it happens; its refusal too. Raises RightMissing."""
    if right not in access.rights:
        act = Act(
            f"case.code_{right}", as_actor(access).id, f"case:{access.case_id}",
            details={"person": access.person, **details},
        )  # fmt: skip
        work.audit.refuse(work.database, act, work.clock.now(), RightMissing.code)
        raise RightMissing
    with work.change(access.case_id) as (session, case):
        work.log(session, case, f"code_{right}", as_actor(access), person=access.person, **details)


def give_sub_code(work: Casework, access: Access, *, person: str, rights: Iterable[Right], expires_on: date) -> str:
    """A code for a named person, with no more rights than one's own. Raises RightMissing, RequestIncomplete."""
    wanted = frozenset(rights) - {Right.SHARE}
    if Right.SHARE not in access.rights or not wanted <= access.rights:
        raise RightMissing
    if not person.strip() or not wanted or expires_on < work.today:
        raise RequestIncomplete(Text("缺少姓名、权限或有效期", "name, rights or expiry are missing"))
    fresh = fresh_code(access.case_id)
    with work.change(access.case_id) as (session, case):
        query = select(QueryCode).where(QueryCode.case_id == case.id, QueryCode.withdrawn_at.is_(None))
        if len(list(session.scalars(query))) > MOST_SUB_CODES:
            raise RequestIncomplete(
                Text(f"最多 {MOST_SUB_CODES} 个有效的代办码", f"at most {MOST_SUB_CODES} sub-codes")
            )
        work.log(session, case, "sub_code_given", as_actor(access), person=person, rights=sorted(wanted))
        return issue_code(
            session, fresh, by=as_actor(access).id, at=work.clock.now(), person=person.strip(), rights=sorted(wanted),
            expires_on=expires_on,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubCode:
    """A code that a principal gave away; the code itself is shown once only and is not kept."""

    person: str
    rights: tuple[Right, ...]
    issued_at: datetime
    expires_on: date | None
    ended: bool


def sub_codes(work: Casework, access: Access) -> list[SubCode]:
    """All that were given for this case, newest first, ended ones included. Raises RightMissing."""
    if Right.SHARE not in access.rights:
        raise RightMissing
    query = select(QueryCode).where(QueryCode.case_id == access.case_id, QueryCode.person != "")
    with work.database.read() as session:
        return [
            SubCode(
                row.person, tuple(right for right in Right if right in row.rights), row.issued_at, row.expires_on,
                row.withdrawn_at is not None or (row.expires_on is not None and row.expires_on < work.today),
            )
            for row in session.scalars(query.order_by(QueryCode.id.desc()))
        ]  # fmt: skip


def withdraw_sub_code(work: Casework, access: Access, person: str) -> int:
    """Withdraw the codes of a person; how many. Raises RightMissing, RequestIncomplete."""
    if Right.SHARE not in access.rights:
        raise RightMissing
    if not person:
        raise RequestIncomplete(Text("缺少姓名", "the name is missing"))
    with work.change(access.case_id) as (session, case):
        work.log(session, case, "sub_code_withdrawn", as_actor(access), person=person)
        return withdraw_codes(session, case.id, work.clock.now(), person=person)


def replace_code(work: Casework, case_id: str, actor: Actor, *, identity_check: str) -> str:
    """A new code at the window for a lost one; all old ones end. Raises CaseNotFound, RequestIncomplete."""
    if not identity_check.strip():
        raise RequestIncomplete(Text("没有写明如何核验身份", "it does not say how the identity was checked"))
    fresh = fresh_code(case_id)
    with work.change(case_id) as (session, case):
        ended = withdraw_codes(session, case_id, work.clock.now())
        work.log(session, case, "code_replaced", actor, identity_check=identity_check, ended=ended)
        return issue_code(session, fresh, by=actor.id, at=work.clock.now(), rights=ALL_RIGHTS)


def as_actor(access: Access) -> Actor:
    """The log's name for whoever entered with this code."""
    return Actor(f"code:{access.code_id}")
