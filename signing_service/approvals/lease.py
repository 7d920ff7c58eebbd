"""PIN consent takes a two-minute lease on the head revision, so that parallel signers cannot outdate each other."""

from __future__ import annotations

from datetime import datetime, timedelta

from signing_service.approvals.casework import Casework, find_step
from signing_service.approvals.errors import LeaseHeld
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import Actor, check_may_sign

LEASE = timedelta(minutes=2)


def take_lease(work: Casework, case_id: str, step_id: int, actor: Actor) -> datetime:
    """The lease's end. Taking one's own again prolongs it. Raises LeaseHeld, StepNotOpen, NotYourStep."""
    with work.change(case_id) as (session, case):
        check_may_sign(find_step(case, step_id).as_rule(), actor, work.today)
        require_no_other(case, actor, work.clock.now())
        case.lease_step, case.lease_officer = step_id, actor.id
        case.lease_until = work.clock.now() + LEASE
        work.log(session, case, "lease_taken", actor, step=step_id)
        return case.lease_until


def give_back_lease(work: Casework, case_id: str, actor: Actor) -> None:
    """End one's own lease; another's stays."""
    with work.change(case_id) as (session, case):
        if case.lease_officer == actor.id:
            end_lease(case)
            work.log(session, case, "lease_given_back", actor)


def require_no_other(case: ApprovalCase, actor: Actor, now: datetime) -> None:
    """Raises LeaseHeld while somebody else's lease stands."""
    if case.lease_until is not None and case.lease_officer != actor.id and now < case.lease_until:
        raise LeaseHeld(case.lease_officer, case.lease_until)


def end_lease(case: ApprovalCase) -> None:
    case.lease_step, case.lease_officer, case.lease_until = None, "", None
