"""What a killed process left in the book of uses is ended, and nothing of it leaves."""

from datetime import timedelta

import pytest
from seal_world import CLERK, FIRST, NOW, SECOND, request

from signing_service.custody.errors import CustodyUnreachable
from signing_service.kernel.audit_log import entries_about
from signing_service.seals.conditions import Conditions, TotalLimitReached
from signing_service.seals.recovery import STALE, Recovered, recover_uses
from signing_service.seals.rules import Why
from signing_service.seals.use_book import SealNotUsable, UseBook, UseState, UseStepNotAllowed

LATER = NOW + STALE + timedelta(seconds=1)


def never(_seal, _digest):
    return False


def always(_seal, _digest):
    return True


@pytest.fixture
def book(world):
    world.add(conditions=Conditions(total=2))
    return UseBook(world.register)


def test_killed_before_the_key_signed_gives_the_count_back_and_the_case_can_be_sealed(book):
    number = book.reserve("bureau", request(1), CLERK)
    assert recover_uses(book, never, LATER) == Recovered(voided=1)
    assert book.uses("bureau")[0].state == UseState.VOIDED
    with pytest.raises(UseStepNotAllowed):
        book.signed(number, CLERK)
    for again in (1, 2):
        book.reserve("bureau", request(again), CLERK)


@pytest.mark.parametrize("noted", [False, True])
def test_killed_after_the_key_signed_counts_and_the_signature_never_leaves(book, noted):
    """Between the token's signature and the book's note of it, and after the note."""
    number = book.reserve("bureau", request(1), CLERK)
    if noted:
        book.signed(number, CLERK)
    assert recover_uses(book, never if noted else always, LATER) == Recovered(withheld=1)
    with pytest.raises(UseStepNotAllowed):
        book.release(number, CLERK)
    book.reserve("bureau", request(1), CLERK)  # the case itself may be sealed anew
    with pytest.raises(TotalLimitReached):
        book.reserve("bureau", request(2), CLERK)


@pytest.mark.parametrize(("was_signed", "end"), [(never, UseState.VOIDED), (always, UseState.WITHHELD)])
def test_a_quarantined_use_is_resolved(world, book, was_signed, end):
    number = book.reserve("bureau", request(1), CLERK)
    world.register.change("bureau", "suspend", FIRST, Why("怀疑失控"))
    with pytest.raises(SealNotUsable):
        book.signed(number, CLERK)
    recover_uses(book, was_signed, LATER)
    (use,) = book.uses("bureau")
    assert use.state == end
    assert "quarantined" in use.reason
    world.register.change("bureau", "resume", SECOND, Why("已查明"))
    with pytest.raises(UseStepNotAllowed):
        book.release(number, CLERK)


def test_a_sealing_under_way_is_left_alone(book):
    number = book.reserve("bureau", request(1), CLERK)
    assert recover_uses(book, never, NOW + STALE) == Recovered()
    book.signed(number, CLERK)
    book.release(number, CLERK)
    assert recover_uses(book, never, LATER) == Recovered()


def test_custody_that_does_not_answer_leaves_the_use_open(book, tmp_path):
    book.reserve("bureau", request(1), CLERK)

    def silent(_seal, _digest):
        raise CustodyUnreachable(tmp_path / "custody.sock", "no answer")

    assert recover_uses(book, silent, LATER) == Recovered(left=1)
    assert recover_uses(book, never, LATER) == Recovered(voided=1)


def test_what_recovery_did_is_logged_under_its_own_name(world, book):
    book.reserve("bureau", request(1), CLERK)
    recover_uses(book, never, LATER)
    with world.register.database.read() as session:
        last = entries_about(session, "seal:bureau")[-1]
    assert (last.kind, last.actor) == ("seal.use.voided", "seal-recovery")
