"""Chinese working days: weekends, public holidays and the weekend days worked in exchange (调休).

A dated calendar file of the operator's goes first; `chinesecalendar` seeds the years that it knows. For other years
only weekends are known: a deadline that reaches into them is provisional, never a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import yaml

from signing_service.approvals.errors import ApprovalError
from signing_service.errors import Text

SEEDED_YEARS = range(2004, max(day.year for day in chinese_calendar.holidays) + 1)
SATURDAY = 5


class CalendarUnreadable(ApprovalError):
    code = "calendar_unreadable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            Text(f"工作日历 {name} 有误。", f"The calendar file {name} is wrong."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "每年一项,写明 holidays(放假的日子)和 workdays(调休上班的日子)。",
                "It has one entry a year, with its holidays and its workdays (weekend days that are worked).",
            ),
        )


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """A year's days off besides weekends, and the weekend days that are worked."""

    holidays: frozenset[date]
    workdays: frozenset[date]


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a period. `provisional`: some year on the way has no published calendar yet."""

    day: date
    provisional: bool


@dataclass(frozen=True)
class WorkingDays:
    """`years` are the operator's; they replace the seeded ones."""

    years: dict[int, CalendarYear] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> WorkingDays:
        """YAML: `2027: {holidays: [2027-01-01, …], workdays: [2027-02-06, …]}`. Raises CalendarUnreadable."""
        try:
            entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            years = {int(year): _year(int(year), content) for year, content in entries.items()}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, TypeError, AttributeError) as failure:
            raise CalendarUnreadable(path.name, f"{type(failure).__name__}: {failure}") from failure
        return cls(years)

    def is_known(self, year: int) -> bool:
        return year in self.years or year in SEEDED_YEARS

    def is_working(self, day: date) -> bool:
        given = self.years.get(day.year)
        if given is not None:
            return day in given.workdays or (day.weekday() < SATURDAY and day not in given.holidays)
        if day.year in SEEDED_YEARS:
            return bool(chinese_calendar.is_workday(day))
        return day.weekday() < SATURDAY

    def after(self, start: date, days: int) -> Due:
        """The last of `days` working days, counted from the day after `start` (the day itself does not count)."""
        day, left = start, days
        provisional = False
        while left > 0:
            day += timedelta(days=1)
            provisional |= not self.is_known(day.year)
            left -= self.is_working(day)
        return Due(day, provisional)

    def between(self, start: date, end: date) -> int:
        """Working days after `start`, up to and including `end`; negative when `end` lies before."""
        if end < start:
            return -self.between(end, start)
        return sum(self.is_working(start + timedelta(days=n)) for n in range(1, (end - start).days + 1))


def _year(year: int, content: dict[str, list[date]]) -> CalendarYear:
    unknown = set(content) - {"holidays", "workdays"}
    days = [*content.get("holidays", []), *content.get("workdays", [])]
    if unknown or not all(isinstance(day, date) and day.year == year for day in days):
        raise ValueError(f"year {year} has unknown entries or days of other years")
    return CalendarYear(frozenset(content.get("holidays", [])), frozenset(content.get("workdays", [])))
