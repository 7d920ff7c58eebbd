"""Standing in (AB角): an officer hands one step to a named colleague for some days; the signature is shown as 代."""

from __future__ import annotations

from datetime import date

from signing_service.approvals import rules
from signing_service.approvals.casework import Casework, find_step
from signing_service.approvals.errors import NotYourStep, ReasonMissing, RequestIncomplete, StepAlreadySigned
from signing_service.approvals.rules import Actor, StepState
from signing_service.errors import Text

WORDS = Text("委托代办", "delegated")


def delegate(
    work: Casework, case_id: str, step_id: int, actor: Actor, *, to: str, begin: date, until: date, reason: str
) -> None:
    """Raises NotYourStep (a delegate cannot delegate on), StepAlreadySigned, ReasonMissing, RequestIncomplete."""
    if not reason.strip():
        raise ReasonMissing(WORDS)
    if until < begin or not to or to == actor.id:
        raise RequestIncomplete(Text("代办人或起止日期不对", "the colleague or the dates are wrong"))
    with work.change(case_id) as (session, case):
        step = find_step(case, step_id)
        if step.state == StepState.SIGNED:
            raise StepAlreadySigned(step.title)
        if rules.acts_as_delegate(step.as_rule(), actor, work.today):
            raise NotYourStep(step.title)
        step.officer = step.officer or actor.id
        step.delegate, step.delegate_from, step.delegate_until = to, begin, until
        work.log(
            session, case, "delegated", actor, step=step.id, to=to, begin=begin.isoformat(), until=until.isoformat(),
            reason=reason,
        )  # fmt: skip


def end_delegation(work: Casework, case_id: str, step_id: int, actor: Actor) -> None:
    """The officer is back. Raises NotYourStep."""
    with work.change(case_id) as (session, case):
        step = find_step(case, step_id)
        if step.officer != actor.id:
            raise NotYourStep(step.title)
        step.delegate, step.delegate_from, step.delegate_until = "", None, None
        work.log(session, case, "delegation_ended", actor, step=step.id)
