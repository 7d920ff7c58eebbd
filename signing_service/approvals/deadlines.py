"""When a case or a step is due, and its card: yellow shortly before, red after. Pure, over dates.

Special procedures (特别程序) stop the clock for the working days that they last; an extension (延期) adds days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from signing_service.approvals.working_days import Due, WorkingDays
from signing_service.errors import Text

PAUSE, EXTENSION = "pause", "extension"
YELLOW_FROM_DAYS = 2


class Card(StrEnum):
    NONE = "none"
    YELLOW = "yellow"
    RED = "red"


CARD_WORDS = {
    Card.NONE: Text("正常", "in time"),
    Card.YELLOW: Text("黄牌(将到期)", "yellow card (nearly due)"),
    Card.RED: Text("红牌(已超期)", "red card (overdue)"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A pause from `begun` until `ended` (None while it lasts), or an extension by `days`."""

    kind: str
    begun: date
    ended: date | None = None
    days: int = 0


def due(calendar: WorkingDays, start: date, days: int, changes: Sequence[Change], today: date) -> Due:
    """The last day for work that began on `start` and may take `days` working days.

    A pause that still lasts is counted up to `today`, so that the date moves on with it.
    """
    allowed = days + sum(change.days for change in changes if change.kind == EXTENSION)
    provisional_end = calendar.after(start, allowed)
    for change in sorted((c for c in changes if c.kind == PAUSE), key=lambda c: c.begun):
        if change.begun <= provisional_end.day:
            allowed += max(calendar.between(max(change.begun, start), change.ended or today), 0)
            provisional_end = calendar.after(start, allowed)
    return provisional_end


def card(calendar: WorkingDays, last_day: date, today: date, *, paused: bool = False) -> Card:
    """Red from the day after the last day, yellow on the last YELLOW_FROM_DAYS working days; none while paused."""
    if paused:
        return Card.NONE
    if today > last_day:
        return Card.RED
    return Card.YELLOW if calendar.between(today, last_day) < YELLOW_FROM_DAYS else Card.NONE


def date_in_words(day: date) -> str:
    """2026年11月24日"""
    return f"{day.year}年{day.month}月{day.day}日"


def due_in_words(due_day: Due) -> str:
    """2026年12月22日, with (暂定) while a year's calendar is not published."""
    return date_in_words(due_day.day) + ("（暂定）" if due_day.provisional else "")
