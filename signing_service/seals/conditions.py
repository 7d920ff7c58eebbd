"""Conditions of a seal's use: for what, how often, when, and by how many persons. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from signing_service.kernel.clock import local
from signing_service.seals.errors import SealError, Text


class ConditionNotMet(SealError):
    """Root of what a condition refuses."""

    code = "seal_condition_not_met"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("不符合该印章的使用条件,没有盖章。", "The seal's conditions of use are not met; nothing was sealed."),
            why=Text(zh, en),
            advice=Text(
                "请核对用印事项,或由印章管理员调整条件。", "Check the request, or have the conditions changed."
            ),
        )


class DocumentTypeNotAllowed(ConditionNotMet):
    code = "seal_document_type_not_allowed"


class PersonNotAllowed(ConditionNotMet):
    code = "seal_person_not_allowed"


class SecondPersonMissing(ConditionNotMet):
    code = "seal_second_person_missing"


class OutsideHours(ConditionNotMet):
    code = "seal_outside_hours"


class OutsideDates(ConditionNotMet):
    code = "seal_outside_dates"


class DailyLimitReached(ConditionNotMet):
    code = "seal_daily_limit_reached"


class TotalLimitReached(ConditionNotMet):
    code = "seal_total_limit_reached"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Empty or zero means no limit. Hours are local, "08:30"; the end is the first minute outside. Dates are local and
    both included. `persons` are officers' ids who may ask for the seal."""

    document_types: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    per_day: int = 0
    total: int = 0
    hour_from: str = ""
    hour_until: str = ""
    date_from: str = ""
    date_until: str = ""
    two_persons: bool = False

    def __post_init__(self) -> None:
        for hour in filter(None, (self.hour_from, self.hour_until)):
            datetime.strptime(hour, "%H:%M")  # noqa: DTZ007 - an hour of the day, no instant
        for day in filter(None, (self.date_from, self.date_until)):
            date.fromisoformat(day)
        if self.per_day < 0 or self.total < 0:
            raise ValueError("a limit is not negative")

    def as_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Conditions:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class UseRequest:
    """Who wants to seal what. `reference` is unique for the seal; `digest` the document's SHA-256 in hex."""

    reference: str
    document_type: str
    digest: str
    actor: str
    approver: str = ""
    authorisation: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Uses so far that were not voided."""

    today: int
    total: int


def check_conditions(conditions: Conditions, request: UseRequest, counts: Counts, now: datetime) -> None:
    """Raises the first condition that is not met: type, person, second person, dates, hours, day's and total count."""
    if conditions.document_types and request.document_type not in conditions.document_types:
        types = "、".join(conditions.document_types)
        raise DocumentTypeNotAllowed(f"该印章只用于:{types}。", f"The seal is for: {types}.")
    if conditions.persons and request.actor not in conditions.persons:
        raise PersonNotAllowed("经办人不在可用印人员之列。", "This person may not ask for the seal.")
    if conditions.two_persons and request.approver in ("", request.actor):
        raise SecondPersonMissing("该印章须由两人办理。", "This seal takes two persons.")
    _check_time(conditions, local(now))
    if conditions.per_day and counts.today >= conditions.per_day:
        raise DailyLimitReached(f"今日已用 {counts.today} 次。", f"It was used {counts.today} times today.")
    if conditions.total and counts.total >= conditions.total:
        raise TotalLimitReached(f"已用 {counts.total} 次。", f"It was used {counts.total} times.")


def _check_time(conditions: Conditions, here: datetime) -> None:
    day, hour = here.date().isoformat(), f"{here:%H:%M}"
    if (conditions.date_from and day < conditions.date_from) or (conditions.date_until and day > conditions.date_until):
        raise OutsideDates(f"今天是 {day},不在用印日期内。", f"Today, {day}, is not within the dates of use.")
    if (conditions.hour_from and hour < conditions.hour_from) or (
        conditions.hour_until and hour >= conditions.hour_until
    ):
        raise OutsideHours(f"现在是 {hour},不在用印时间内。", f"It is {hour}, outside the hours of use.")
