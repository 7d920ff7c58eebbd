"""What a clerk may do to a case on its page, as data: the words, the fields to be filled in, when it is offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from signing_service.approvals import access, clock_changes, conversion, course, intake, material_notices, returning
from signing_service.approvals import simulated as simulation
from signing_service.approvals.casework import case_id_of
from signing_service.approvals.course_view import CaseView
from signing_service.approvals.deadlines import PAUSE
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CASE_MOVES, ENDED, Actor, CaseState
from signing_service.errors import Text
from signing_service.web.error_edge import RequestInvalid


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed. `items` has one missing thing a line; `typed` repeats the case's number as a confirmation."""

    case_id: str
    number: str
    actor: Actor
    reason: str = ""
    legal_basis: str = ""
    items: str = ""
    days: int = 0
    typed: str = ""
    formal: str = ""


Do = Callable[[Any, Given], Text | None]
"""Does it, given the pages' parts; what the clerk is told, None where the page itself tells."""


@dataclass(frozen=True, slots=True)
class ClerkAct:
    """`fields`: reason, legal_basis, items, days, formal, typed. `hint` tells what follows."""

    words: Text
    do: Do
    fields: Sequence[str] = ()
    hint: Text | None = None


def acts_for(view: CaseView, case: ApprovalCase, *, can_seal: bool) -> list[tuple[str, ClerkAct]]:
    """The acts that the case's state allows, the usual one first."""
    state, paused = CaseState(view.state), any(c.kind == PAUSE and c.ended_on is None for c in view.clock)
    running = case.accepted_at is not None and state not in ENDED
    delivered = state is CaseState.DELIVERED
    offered = {
        "accept": state is CaseState.RECEIVED,
        "review": state is CaseState.ACCEPTED,
        "ask": state is CaseState.RECEIVED,
        "supplement": state is CaseState.MATERIAL_MISSING,
        "resubmit": state is CaseState.RETURNED,
        "seal": state is CaseState.APPROVED and can_seal,
        "release": state is CaseState.SEALED,
        "complete": delivered and case.simulated and case.complete_since is None,
        "formal": delivered and case.simulated and case.complete_since is not None and not case.formal_case,
        "convert": delivered and case.simulated,
        "pause": running and not paused,
        "resume": running and paused,
        "extend": running,
        "refuse": state in CASE_MOVES["refuse"].sources,
        "withdraw": state in CASE_MOVES["withdraw"].sources,
        "query-code": True,
        "recall": state in CASE_MOVES["recall"].sources,
    }
    return [(name, ACTS[name]) for name, shown in offered.items() if shown]


def _accept(parts: Any, given: Given) -> None:
    intake.accept(parts.work, given.case_id, given.actor)
    course.begin_review(parts.work, given.case_id, given.actor)


def _review(parts: Any, given: Given) -> None:
    course.begin_review(parts.work, given.case_id, given.actor)


def _ask(parts: Any, given: Given) -> Text | None:
    repeated = material_notices.ask_material(parts.work, given.case_id, given.actor, given.items.splitlines())
    if not repeated:
        return None
    return Text("已告知。这是第二次告知,已标记并可被监察查看。", "Told; a second notice is marked for supervision.")


def _supplement(parts: Any, given: Given) -> None:
    material_notices.supplement(parts.work, given.case_id, given.actor)


def _resubmit(parts: Any, given: Given) -> None:
    returning.resubmit(parts.work, given.case_id, given.actor)


def _refuse(parts: Any, given: Given) -> None:
    intake.refuse(parts.work, given.case_id, given.actor, given.reason)


def _withdraw(parts: Any, given: Given) -> None:
    intake.withdraw(parts.work, given.case_id, given.actor, given.reason)


def _pause(parts: Any, given: Given) -> None:
    clock_changes.pause(parts.work, given.case_id, given.actor, reason=given.reason, legal_basis=given.legal_basis)


def _resume(parts: Any, given: Given) -> None:
    clock_changes.resume(parts.work, given.case_id, given.actor)


def _extend(parts: Any, given: Given) -> None:
    clock_changes.extend(
        parts.work, given.case_id, given.actor, days=given.days, reason=given.reason, legal_basis=given.legal_basis
    )


def _seal(parts: Any, given: Given) -> None:
    parts.seal(given.case_id, given.actor)


def _release(parts: Any, given: Given) -> None:
    course.release(parts.work, given.case_id, given.actor, examine=parts.examine)


def _complete(parts: Any, given: Given) -> Text:
    due = simulation.conditions_complete(parts.work, given.case_id, given.actor).day
    return Text(f"条件已齐备,须在 {due} 前转为正式审批。", f"Conditions are complete; formal by {due}.")


def _formal(parts: Any, given: Given) -> Text:
    opened = conversion.open_formal(parts.work, given.case_id, given.actor)
    return Text(
        f"已建立正式办件 {opened.number},查询码 {opened.query_code}(只显示一次)。正式件办结时,模拟件自动收回。",
        f"Formal case {opened.number} is open; its query code is {opened.query_code} (shown once). "
        "When it is released, the simulated one is recalled by itself.",
    )


def _convert(parts: Any, given: Given) -> None:
    with parts.work.database.read() as session:
        formal = case_id_of(session, given.formal)
    simulation.convert(parts.work, given.case_id, formal, given.actor)


def _recall(parts: Any, given: Given) -> None:
    if given.typed.strip() != given.number:
        raise RequestInvalid("请输入办件编号以确认。", "Type the case number to confirm.")
    simulation.recall(parts.work, given.case_id, given.actor, given.reason)


def _query_code(parts: Any, given: Given) -> Text:
    code = access.replace_code(parts.work, given.case_id, given.actor, identity_check=given.reason)
    return Text(
        f"新的查询码 {code},只显示这一次;旧的已全部作废。", f"The new query code is {code}, shown once; old ones ended."
    )


ACTS: Mapping[str, ClerkAct] = {
    "accept": ClerkAct(
        Text("受理并送审", "Accept and put into review"),
        _accept,
        hint=Text("次日起计时,第一环节打开。", "The clock starts tomorrow; the first step opens."),
    ),
    "review": ClerkAct(Text("送审", "Put into review"), _review),
    "ask": ClerkAct(
        Text("一次性告知补正", "Tell what is missing"),
        _ask,
        ("items",),
        Text("每行一项,一次说全;再次告知会被标记。", "One thing a line, all at once; a second notice is marked."),
    ),
    "supplement": ClerkAct(Text("材料已补正", "The material came in"), _supplement),
    "resubmit": ClerkAct(Text("重新送审", "Put into review again"), _resubmit),
    "seal": ClerkAct(
        Text("排版并用印", "Typeset and seal"),
        _seal,
        hint=Text(
            "按用印人的长期授权盖章,盖章后自动核验。", "Sealed under the holder's standing order, then verified."
        ),
    ),
    "release": ClerkAct(
        Text("办结", "Release"),
        _release,
        hint=Text("再次核验全部签名后发出。", "Every signature is verified once more before it goes out."),
    ),
    "complete": ClerkAct(
        Text("条件已齐备", "Conditions are complete"),
        _complete,
        hint=Text("五个工作日内须转为正式。", "It has to be formal within five working days."),
    ),
    "formal": ClerkAct(Text("转为正式审批", "Open the formal case"), _formal),
    "convert": ClerkAct(Text("由另一正式件替代", "Another formal case replaces it"), _convert, ("formal",)),
    "pause": ClerkAct(
        Text("暂停计时(特别程序)", "Stop the clock (special procedure)"), _pause, ("reason", "legal_basis")
    ),
    "resume": ClerkAct(Text("恢复计时", "Let the clock run again"), _resume),
    "extend": ClerkAct(Text("延长期限", "Extend the deadline"), _extend, ("days", "reason", "legal_basis")),
    "refuse": ClerkAct(Text("不予受理", "Refuse to accept"), _refuse, ("reason",)),
    "withdraw": ClerkAct(Text("申请人撤回", "The applicant withdraws"), _withdraw, ("reason",)),
    "query-code": ClerkAct(
        Text("补发查询码", "Replace the query code"),
        _query_code,
        ("reason",),
        Text("写明如何核验身份,例:查验身份证原件。", "How was the identity checked? For example: saw the card."),
    ),
    "recall": ClerkAct(
        Text("收回文件", "Recall the document"),
        _recall,
        ("reason", "typed"),
        Text("不能撤销;此后每次核验都显示已收回。", "Cannot be undone: every verification says recalled."),
    ),
}
