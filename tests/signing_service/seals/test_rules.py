"""The life of a seal: which moves there are, who may make them, and the state at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from signing_service.pki.rules import Actor
from signing_service.seals.conditions import (
    Conditions,
    Counts,
    DailyLimitReached,
    DocumentTypeNotAllowed,
    OutsideDates,
    OutsideHours,
    PersonNotAllowed,
    SecondPersonMissing,
    TotalLimitReached,
    UseRequest,
    check_conditions,
)
from signing_service.seals.rules import (
    ADMINISTRATOR,
    ENDED,
    MOVES,
    STATE_NAMES,
    Change,
    SealMoveNotAllowed,
    State,
    Why,
    decide,
    status_at,
)

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # 10:00 in the city
DAY = timedelta(days=1)
ADMIN = Actor("管理员乙", frozenset({ADMINISTRATOR}))
FULL = Why("换发", "示例文〔2026〕1号")
START, END = NOW - 10 * DAY, NOW + 100 * DAY


def at(state, when=NOW - DAY):
    return [Change(State.REQUESTED, NOW - 5 * DAY, ""), Change(state, when, "")]


def move(name, state, actor=ADMIN, why=FULL, **changed):
    given = {"applicant": "经办人甲", "holders": ["持有人丙"], "now": NOW, **changed}
    return decide(MOVES[name], at(state), actor, why=why, **given)


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("state", [s for s in State if s not in (State.EXPIRED, State.UNKNOWN)])
def test_a_move_is_possible_exactly_from_its_states(name, state):
    if state in MOVES[name].before:
        assert move(name, state)[0] is MOVES[name].after
    else:
        with pytest.raises(SealMoveNotAllowed):
            move(name, state)


def test_what_has_ended_stays_ended():
    assert not any(rule.before & ENDED for rule in MOVES.values())


def test_every_state_has_a_name():
    assert set(STATE_NAMES) == set(State)


def test_whoever_applied_does_not_approve():
    with pytest.raises(SealMoveNotAllowed, match="applied"):
        move("approve", State.REQUESTED, applicant=ADMIN.id)


def test_only_administrators_but_a_holder_may_suspend():
    with pytest.raises(SealMoveNotAllowed):
        move("activate", State.FILED, actor=Actor("路人"))
    holder = Actor("持有人丙")
    assert move("suspend", State.ACTIVE, actor=holder)[0] is State.SUSPENDED
    with pytest.raises(SealMoveNotAllowed):
        move("resume", State.SUSPENDED, actor=holder)


@pytest.mark.parametrize(("name", "why"), [("cancel", Why("撤销")), ("suspend", Why()), ("file", Why("备案"))])
def test_reason_and_basis_are_asked_for(name, why):
    with pytest.raises(SealMoveNotAllowed):
        move(name, next(iter(MOVES[name].before)), why=why)


def test_nothing_takes_effect_before_what_was_recorded_last():
    with pytest.raises(SealMoveNotAllowed, match="before"):
        move("suspend", State.ACTIVE, why=Why("遗失", "", NOW - 2 * DAY))
    assert move("suspend", State.ACTIVE, why=Why("遗失", "", NOW + DAY))[1] == NOW + DAY


def test_the_state_at_a_time_is_what_was_in_force_then():
    changes = [
        Change(State.REQUESTED, NOW - 9 * DAY, ""), Change(State.ACTIVE, NOW - 6 * DAY, ""),
        Change(State.SUSPENDED, NOW - 4 * DAY, "遗失"), Change(State.ACTIVE, NOW - 2 * DAY, "找回"),
    ]  # fmt: skip
    asked = {days: status_at(changes, START, END, NOW - days * DAY) for days in (10, 8, 5, 3, 1)}
    assert [status.state for status in asked.values()] == [
        State.UNKNOWN, State.REQUESTED, State.ACTIVE, State.SUSPENDED, State.ACTIVE,
    ]  # fmt: skip
    assert asked[3].reason == "遗失"
    assert status_at(changes, START, END, END + DAY).state is State.EXPIRED


def test_a_future_activation_counts_from_its_day():
    changes = [*at(State.FILED), Change(State.ACTIVE, NOW + 5 * DAY, "承接")]
    assert status_at(changes, START, END, NOW).state is State.FILED
    assert status_at(changes, START, END, NOW + 5 * DAY).usable


def test_a_void_seal_was_never_valid():
    after, effective = move("void", State.ACTIVE)
    changes = [*at(State.ACTIVE), Change(after, effective, "制作错误")]
    assert effective == NOW - 5 * DAY
    assert status_at(changes, START, END, NOW - DAY).state is State.VOID


REQUEST = UseRequest("ref", "批复", "0" * 64, "经办人甲", "复核人乙")


@pytest.mark.parametrize(
    ("conditions", "refusal"),
    [
        ({"document_types": ("证照",)}, DocumentTypeNotAllowed),
        ({"persons": ("经办人丁",)}, PersonNotAllowed),
        ({"per_day": 3}, DailyLimitReached),
        ({"total": 7}, TotalLimitReached),
        ({"hour_from": "10:01"}, OutsideHours),
        ({"hour_until": "10:00"}, OutsideHours),
        ({"date_from": "2026-11-25"}, OutsideDates),
        ({"date_until": "2026-11-23"}, OutsideDates),
    ],
)
def test_each_condition_refuses_by_name(conditions, refusal):
    with pytest.raises(refusal):
        check_conditions(Conditions(**conditions), REQUEST, Counts(3, 7), NOW)


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"document_types": ("批复", "证照"), "persons": ("经办人甲",), "per_day": 4, "total": 8, "two_persons": True},
        {"hour_from": "10:00", "hour_until": "10:01", "date_from": "2026-11-24", "date_until": "2026-11-24"},
    ],
)
def test_met_conditions_let_pass(conditions):
    check_conditions(Conditions(**conditions), REQUEST, Counts(3, 7), NOW)


@pytest.mark.parametrize("approver", ["", "经办人甲"])
def test_two_persons_are_two(approver):
    request = UseRequest("ref", "批复", "0" * 64, "经办人甲", approver)
    with pytest.raises(SecondPersonMissing):
        check_conditions(Conditions(two_persons=True), request, Counts(0, 0), NOW)


@pytest.mark.parametrize("wrong", [{"hour_from": "25:00"}, {"date_from": "2026-02-30"}, {"per_day": -1}])
def test_conditions_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        Conditions(**wrong)


def test_conditions_read_back_from_json():
    made = Conditions(document_types=("批复",), per_day=3, hour_from="08:30", two_persons=True)
    assert Conditions.from_json(made.as_json()) == made
