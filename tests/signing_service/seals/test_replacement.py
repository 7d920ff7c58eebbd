"""One seal in the place of another: both at the same instant, or neither."""

from datetime import timedelta

import pytest
from seal_world import CLERK, DAY, FIRST, NOW

from signing_service.kernel.audit_log import entries_about
from signing_service.seals.register import SealApplicationRefused, SealUnknown
from signing_service.seals.replacement import replace_seal
from signing_service.seals.rules import SealMoveNotAllowed, State, Why

WHY = Why("印模磨损,换发", "示例备案 2026-0002")


def test_the_old_stops_and_the_new_begins_at_one_instant(world):
    world.add("old")
    world.add("new", until="filed", replaces="old")
    replace_seal(world.register, "old", "new", FIRST, Why(WHY.reason, WHY.legal_basis, NOW + DAY))
    just_before = NOW + DAY - timedelta(seconds=1)
    assert [world.state(seal, just_before) for seal in ("old", "new")] == [State.ACTIVE, State.FILED]
    assert [world.state(seal, NOW + DAY) for seal in ("old", "new")] == [State.REPLACED, State.ACTIVE]
    with world.register.database.read() as session:
        assert world.register.find(session, "new").replaces == "old"
        assert entries_about(session, "seal:old")[-1].kind == "seal.replace"


@pytest.mark.parametrize(
    ("new", "actor", "why", "refusal"),
    [
        ({"until": "made"}, FIRST, WHY, SealMoveNotAllowed),
        ({"until": "filed"}, CLERK, WHY, SealMoveNotAllowed),
        ({"until": "filed"}, FIRST, Why(), SealMoveNotAllowed),
        ({"until": "filed", "owner_code": "11990000MB9900021N"}, FIRST, WHY, SealApplicationRefused),
        ({"until": "filed", "replaces": "third"}, FIRST, WHY, SealApplicationRefused),
    ],
)
def test_what_does_not_fit_changes_neither(world, new, actor, why, refusal):
    for seal_id in ("old", "third"):
        world.add(seal_id)
    world.add("new", **new)
    with pytest.raises(refusal):
        replace_seal(world.register, "old", "new", actor, why)
    assert world.state("old") is State.ACTIVE
    assert world.state("new") in (State.MADE, State.FILED)
    with pytest.raises(SealUnknown):
        replace_seal(world.register, "old", "nothing", FIRST, WHY)
