"""Which acts on a case are told to its applicant, and to the hall. Texts carry no personal data: a case number, what
happened, where to look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from signing_service.approvals.platform_tables import ApplicantContact
from signing_service.approvals.register import ApprovalCase
from signing_service.errors import Text
from signing_service.people.notice_outbox import HALL, Notice, To, queue_notice

QUERY_CODE, MATERIAL, RESULT, RECALLED = "query_code", "material", "result", "recalled"
_TEXTS: Mapping[str, tuple[str, Text]] = {
    "ask_material": (
        MATERIAL,
        Text(
            "办件{number}需要补正材料,请凭查询码查看一次性告知。{site}",
            "Case {number} needs more material; see the notice with your query code. {site}",
        ),
    ),
    "refuse": (
        RESULT,
        Text(
            "办件{number}不予受理,请凭查询码查看原因。{site}",
            "Case {number} was not accepted; see why with your query code. {site}",
        ),
    ),
    "reject": (
        RESULT,
        Text(
            "办件{number}已有审批结果,请凭查询码查看。{site}",
            "Case {number} was decided; see the result with your query code. {site}",
        ),
    ),
    "release": (
        RESULT,
        Text(
            "办件{number}已办结,请凭查询码查看和下载结果。{site}",
            "Case {number} is finished; see and download the result with your query code. {site}",
        ),
    ),
    "recall": (
        RECALLED,
        Text(
            "办件{number}的文件已收回,不得再使用。{site}",
            "The document of case {number} was recalled and must not be used any more. {site}",
        ),
    ),
}
_CODE = Text(
    "您的办件{number}已登记,查询码{secret}。请妥善保管,工作人员不会向您索要。{site}",
    "Your case {number} is on record; your query code is {secret}. Keep it to yourself: nobody of us asks for it. "
    "{site}",
)
_IN_THE_HALL = frozenset({"release"})


def tell(session: Session, case: ApprovalCase, kind: str, at: datetime) -> None:
    """Queue the notices of an act beside the act."""
    if kind not in _TEXTS:
        return
    sort, text = _TEXTS[kind]
    for contact in _contacts(session, case.id):
        to = To(contact.channel, sealed=contact.address_sealed, bound_to=case.id)
        _queue(session, case, sort, to, text, at)
    if kind in _IN_THE_HALL:
        _queue(session, case, sort, HALL, Text("办件{number} 已办结", "Case {number} is finished"), at)


def tell_query_code(session: Session, case: ApprovalCase, secret: bytes, at: datetime) -> None:
    """The query code to the applicant's addresses; `secret` is the code, sealed and bound to the case."""
    for contact in _contacts(session, case.id):
        to = To(contact.channel, sealed=contact.address_sealed, bound_to=case.id, secret=secret)
        _queue(session, case, QUERY_CODE, to, _CODE, at)


def has_contacts(session: Session, case_id: str) -> bool:
    return bool(_contacts(session, case_id))


def _contacts(session: Session, case_id: str) -> list[ApplicantContact]:
    return list(session.scalars(select(ApplicantContact).where(ApplicantContact.case_id == case_id)))


def _queue(session: Session, case: ApprovalCase, kind: str, to: To, text: Text, at: datetime) -> None:
    """An act may happen again (a second notice of missing material): each gets a key of its own."""
    stem = f"{kind}:{case.id}:{to.channel}"
    times = session.scalar(select(func.count()).select_from(Notice).where(Notice.key.startswith(stem + ":"))) or 0
    named = Text(*(one.replace("{number}", case.number) for one in (text.zh, text.en)))
    queue_notice(session, f"{stem}:{times + 1}", kind, to, named, at)
