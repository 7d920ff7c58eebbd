"""One-time notice (一次性告知): everything that is missing is said once. A second notice is possible, but flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from signing_service.approvals.casework import Casework
from signing_service.approvals.errors import RequestIncomplete
from signing_service.approvals.register import MaterialNotice
from signing_service.approvals.rules import Actor
from signing_service.approvals.texts import texts_of
from signing_service.errors import Text


def ask_material(work: Casework, case_id: str, actor: Actor, items: Sequence[str]) -> bool:
    """Tell the applicant what is missing; True when it is a repeated notice, which supervision sees.

    Raises MoveNotAllowed, RequestIncomplete.
    """
    wanted = [item.strip() for item in items if item.strip()]
    if not wanted:
        raise RequestIncomplete(Text("没有写明缺少什么", "it does not say what is missing"))
    with work.change(case_id) as (session, case):
        count = select(func.count()).select_from(MaterialNotice).where(MaterialNotice.case_id == case_id)
        repeated = session.scalars(count).one() > 0
        work.move(session, case, "ask_material", actor)
        session.add(
            MaterialNotice(
                case_id=case_id, items=wanted, repeated=repeated, given_at=work.clock.now(), given_by=actor.id
            )
        )
        work.log(session, case, "material_notice", actor, items=len(wanted), repeated=repeated)
        return repeated


def supplement(work: Casework, case_id: str, actor: Actor, fields: Mapping[str, Any] | None = None) -> None:
    """The missing material came in; `fields` replaces the request's. Raises MoveNotAllowed, RequestIncomplete."""
    with work.change(case_id) as (session, case):
        work.move(session, case, "supplement", actor)
        if fields is not None:
            matter = work.matter_of(case)
            case.content = texts_of(matter, case.applicant_name, "", fields, simulated=case.simulated)
            case.title = case.content["title"]
        query = select(MaterialNotice).where(MaterialNotice.case_id == case_id, MaterialNotice.answered_at.is_(None))
        for notice in session.scalars(query):
            notice.answered_at = work.clock.now()
