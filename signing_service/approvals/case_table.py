"""Cases as a table that a clerk filters, sorts and exports; only those in which the officer's department has a part."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework, case_due
from signing_service.approvals.clock_changes import open_pause
from signing_service.approvals.deadlines import CARD_WORDS, Card, card
from signing_service.approvals.register import ApprovalCase, MaterialNotice, RouteStep
from signing_service.approvals.rules import CASE_WORDS, CaseState
from signing_service.errors import Language, Text
from signing_service.kernel.clock import local

MOST_ROWS = 2000
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


class Sort(StrEnum):
    DUE = "due"
    RECEIVED = "received"
    NUMBER = "number"
    STATE = "state"


SORT_WORDS: Mapping[Sort, Text] = {
    Sort.DUE: Text("按期限", "by deadline"),
    Sort.RECEIVED: Text("按收件时间", "by receipt"),
    Sort.NUMBER: Text("按编号", "by number"),
    Sort.STATE: Text("按状态", "by state"),
}


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """`running`: only cases that have not ended; `state`, `card` empty: all; `text`: in number, title, applicant."""

    state: str = ""
    card: str = ""
    text: str = ""
    running: bool = False
    sort: Sort = Sort.DUE


@dataclass(frozen=True, slots=True)
class CaseRow:
    """`second_notice`: the applicant was told of missing material more than once."""

    id: str
    number: str
    title: str
    applicant: str
    matter: str
    state: CaseState
    simulated: bool
    received_at: datetime
    due: date | None
    provisional: bool
    card: Card
    second_notice: bool


def case_table(work: Casework, department: str, wanted: CaseFilter) -> Sequence[CaseRow]:
    """The department's cases, those that it issues and those in whose route it stands."""
    with work.database.read() as session:
        repeated = set(session.scalars(select(MaterialNotice.case_id).where(MaterialNotice.repeated)))
        rows = [_row(work, session, case, repeated) for case in session.scalars(_query(department, wanted))]
    if wanted.card:
        rows = [row for row in rows if row.card == wanted.card]
    return sorted(rows, key=_ORDERS[wanted.sort])


def takes_part(case: ApprovalCase, department: str) -> bool:
    """May an officer of this department see the case?"""
    return case.department == department or any(step.department == department for step in case.steps)


def as_csv(rows: Sequence[CaseRow], language: Language) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets want it; a cell that would be a formula is made text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_heading(language))
    for row in rows:
        words = Text(f"{row.due}(暂定)", f"{row.due} (provisional)").in_(language) if row.provisional else row.due or ""
        writer.writerow(
            _plain(cell)
            for cell in (
                row.number, row.title, row.applicant, row.matter, CASE_WORDS[row.state].in_(language),
                CARD_WORDS[row.card].in_(language), words, local(row.received_at).strftime("%Y-%m-%d %H:%M"),
            )
        )  # fmt: skip
    return out.getvalue().encode("utf-8-sig")


def _heading(language: Language) -> list[str]:
    zh = ["办件编号", "名称", "申请人", "事项", "状态", "牌", "承诺期限", "收件时间"]
    en = ["Case", "Title", "Applicant", "Matter", "State", "Card", "Promised by", "Received"]
    return zh if language == "zh" else en


def _plain(cell: Any) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _query(department: str, wanted: CaseFilter) -> Select[ApprovalCase]:
    in_route = select(RouteStep.case_id).where(RouteStep.department == department)
    query = select(ApprovalCase).where(or_(ApprovalCase.department == department, ApprovalCase.id.in_(in_route)))
    if wanted.state:
        query = query.where(ApprovalCase.state == wanted.state)
    if wanted.running:
        query = query.where(ApprovalCase.ended_at.is_(None))
    if text := wanted.text.strip():
        columns = (ApprovalCase.number, ApprovalCase.title, ApprovalCase.applicant_name)
        query = query.where(or_(*(column.contains(text, autoescape=True) for column in columns)))
    return query.order_by(ApprovalCase.received_at.desc()).limit(MOST_ROWS)


def _row(work: Casework, session: Session, case: ApprovalCase, repeated: set[str]) -> CaseRow:
    matter = work.matter_of(case)
    due = case_due(work, session, case, matter.promised_days)
    shown = Card.NONE
    if due is not None and case.ended_at is None:
        shown = card(work.calendar, due.day, work.today, paused=open_pause(session, case.id) is not None)
    return CaseRow(
        case.id, case.number, case.title, case.applicant_name, matter.name, CaseState(case.state), case.simulated,
        case.received_at, due.day if due else None, bool(due and due.provisional), shown, case.id in repeated,
    )  # fmt: skip


_ORDERS: Mapping[Sort, Callable[[CaseRow], Any]] = {
    Sort.DUE: lambda row: (row.due is None, row.due or date.max, row.number),
    Sort.RECEIVED: lambda row: (-row.received_at.timestamp(), row.number),
    Sort.NUMBER: lambda row: row.number,
    Sort.STATE: lambda row: (list(CaseState).index(row.state), row.number),
}
