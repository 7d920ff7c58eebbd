"""The rules of supervision, each with what it finds and what it must leave alone. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cert_registry.audit.irregularities import (
    BURST,
    WITHIN,
    CaseFact,
    NoticeFact,
    StepFact,
    UseFact,
    of_case,
    of_uses,
    outside_list,
    skipped,
)
from signing_service.approvals.working_days import WorkingDays

SEALED = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)  # 10:00 in the city, a Tuesday
HOUR = timedelta(hours=1)


def steps(*signed: tuple[int, int | None]) -> list[StepFact]:
    """(stage, hours before sealing); None: unsigned."""
    return [
        StepFact(stage, f"step {n}", None if hours is None else SEALED - hours * HOUR)
        for n, (stage, hours) in enumerate(signed)
    ]


CASE = CaseFact(
    "c1", "示办202600000001", "approvals", ("申请书", "规划总平面图"), (), steps((1, 4), (2, 2)), date(2026, 3, 10),
    SEALED,
)  # fmt: skip


def codes(case: CaseFact) -> list[str]:
    return [found.code for found in of_case(case)]


def test_a_case_by_the_book_has_none() -> None:
    notice = NoticeFact(("规划总平面图(加盖公章)",), SEALED - 9 * HOUR, "clerk")
    assert codes(replace(CASE, notices=(notice,))) == []
    assert codes(replace(CASE, document_date=date(2026, 3, 11))) == []


def test_a_second_notice_is_found_once_for_each_further_one() -> None:
    notices = [NoticeFact(("申请书",), SEALED - n * HOUR, "clerk") for n in (9, 7, 8)]
    found = list(of_case(replace(CASE, notices=notices)))
    assert [(each.code, each.at) for each in found] == [
        ("second_notice", SEALED - 8 * HOUR), ("second_notice", SEALED - 7 * HOUR)
    ]  # fmt: skip
    assert found[1].detail.en == "number 3"


def test_material_outside_the_list_is_named() -> None:
    notice = NoticeFact(("申请书", "无犯罪记录证明"), SEALED, "clerk")
    (found,) = of_case(replace(CASE, notices=(notice,), sealed_at=None))
    assert (found.code, found.detail.zh, found.who) == ("material_outside_list", "无犯罪记录证明", "clerk")
    assert outside_list(["anything"], ()) == []


@pytest.mark.parametrize(
    ("route", "wrong"),
    [
        (((1, 4), (2, 2)), []),
        (((1, 4), (1, 1), (2, 0)), []),
        (((1, None), (2, 2)), ["step 0", "step 1"]),
        (((1, 4), (2, None)), ["step 1"]),
        (((1, 2), (2, 4)), ["step 1"]),
        (((1, 4), (2, -1)), ["step 1"]),
    ],
)
def test_a_skipped_or_overtaken_step_is_found(route: tuple[tuple[int, int | None], ...], wrong: list[str]) -> None:
    assert [step.title for step in skipped(steps(*route), SEALED)] == wrong


def test_steps_of_a_case_that_is_not_sealed_are_not_judged() -> None:
    assert codes(replace(CASE, steps=steps((1, None)), sealed_at=None)) == []


def test_a_date_before_the_day_of_sealing_is_found() -> None:
    assert codes(replace(CASE, document_date=date(2026, 3, 9))) == ["date_before_seal"]
    night = SEALED.replace(hour=17)  # 01:00 of the next day in the city
    assert codes(replace(CASE, sealed_at=night, document_date=date(2026, 3, 10))) == ["date_before_seal"]


def use(minutes: float = 0, holder: str = "li", reference: str = "c1", at: datetime = SEALED) -> UseFact:
    return UseFact("default", holder, at + timedelta(minutes=minutes), reference)


@pytest.mark.parametrize(
    ("at", "unusual"),
    [
        (datetime(2026, 3, 10, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 9, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 10, 11, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 14, 2, 0, tzinfo=UTC), True),
        (datetime(2026, 10, 1, 2, 0, tzinfo=UTC), True),
    ],
)
def test_use_outside_office_hours_is_found(at: datetime, unusual: bool) -> None:
    found = list(of_uses([use(at=at)], WorkingDays().is_working))
    assert [each.code for each in found] == (["outside_hours"] if unusual else [])


def test_a_burst_is_told_once_and_again_when_it_happens_again() -> None:
    one = [use(n * 0.1) for n in range(BURST + 5)]
    assert [each.code for each in of_uses(one, WorkingDays().is_working)] == ["burst"]
    later = [use(60 + n * 0.1) for n in range(BURST + 1)]
    assert len(list(of_uses([*later, *one], WorkingDays().is_working))) == 2


def test_no_burst_by_several_people_slowly_or_from_a_signed_list() -> None:
    pace = WITHIN.total_seconds() / 60 / BURST
    slow = [use(n * pace * 1.01) for n in range(BURST * 2)]
    two = [use(n * 0.1, holder=("li", "wang")[n % 2]) for n in range(BURST * 2)]
    batch = [use(n * 0.01, reference=f"batch:{n}") for n in range(200)]
    for several in (slow, two, batch):
        assert list(of_uses(several, WorkingDays().is_working)) == []
