"""Conditions are changed by two administrators, on record; what is reserved afterwards obeys the new ones."""

import pytest
from seal_world import CLERK, FIRST, SECOND, request

from signing_service.kernel.audit_log import entries_about
from signing_service.seals.condition_changes import ChangeState, ConditionChangeRefused, ConditionChanges
from signing_service.seals.conditions import Conditions, TotalLimitReached
from signing_service.seals.rules import Why
from signing_service.seals.use_book import UseBook

WHY = Why("业务调整", "示例通知 2026-7")


@pytest.fixture
def changes(world):
    world.add(conditions=Conditions(total=1))
    return ConditionChanges(world.register)


def test_the_second_administrator_puts_them_into_force(world, changes):
    book = UseBook(world.register)
    number = changes.propose("bureau", Conditions(total=2), FIRST, WHY)
    book.reserve("bureau", request(1), CLERK)
    with pytest.raises(TotalLimitReached):
        book.reserve("bureau", request(2), CLERK)
    assert changes.decide(number, SECOND, approve=True).state == ChangeState.APPROVED
    book.reserve("bureau", request(2), CLERK)
    with world.register.database.read() as session:
        entries = entries_about(session, "seal:bureau")
    entry = next(each for each in entries if each.kind == "seal.conditions.approve")
    assert (entry.actor, entry.details["before"]["total"], entry.details["after"]["total"]) == ("seal-admin-2", 1, 2)


def test_refused_ones_change_nothing(world, changes):
    number = changes.propose("bureau", Conditions(), FIRST, WHY)
    changes.decide(number, SECOND, approve=False)
    with world.register.database.read() as session:
        assert world.register.find(session, "bureau").conditions["total"] == 1
    with pytest.raises(ConditionChangeRefused, match="decided before"):
        changes.decide(number, SECOND, approve=True)


def test_nobody_decides_alone_and_every_refusal_is_logged(world, changes):
    with pytest.raises(ConditionChangeRefused, match="administrator"):
        changes.propose("bureau", Conditions(), CLERK, WHY)
    for wrong, why in ((Conditions(total=1), WHY), (Conditions(), Why())):
        with pytest.raises(ConditionChangeRefused):
            changes.propose("bureau", wrong, FIRST, why)
    number = changes.propose("bureau", Conditions(), FIRST, WHY)
    with pytest.raises(ConditionChangeRefused, match="proposed it"):
        changes.decide(number, FIRST, approve=True)
    with pytest.raises(ConditionChangeRefused, match="waits"):
        changes.propose("bureau", Conditions(total=9), SECOND, WHY)
    with pytest.raises(ConditionChangeRefused):
        changes.decide(number + 1, SECOND, approve=True)
    with world.register.database.read() as session:
        refused = [each for each in entries_about(session, "seal:bureau") if each.result == "refused"]
    assert [each.kind for each in refused] == ["seal.conditions.propose"] * 4


def test_an_ended_seal_keeps_its_conditions(world, changes):
    number = changes.propose("bureau", Conditions(), FIRST, WHY)
    world.register.change("bureau", "cancel", FIRST, WHY)
    for act in (
        lambda: changes.decide(number, SECOND, approve=True),
        lambda: changes.propose("bureau", Conditions(total=5), FIRST, WHY),
    ):
        with pytest.raises(ConditionChangeRefused, match="cancelled"):
            act()
