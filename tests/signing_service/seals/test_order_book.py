"""Standing and emergency orders on their way: drafted, signed by those whom custody has pinned, withdrawn."""

from dataclasses import replace
from datetime import timedelta

import pytest
from seal_world import CLERK, DAY, FIRST, HOLDER, NOW, SECOND

from signing_service.custody.errors import CustodyUnreachable
from signing_service.custody.policy import Pinned
from signing_service.seals.authorisation import emergency_order, standing_order
from signing_service.seals.authorisation_errors import AuthorisationAltered, HolderUnknown
from signing_service.seals.holder_signature import HolderSignature, SignedAuthorisation
from signing_service.seals.order_book import ForDocument, OrderBook, OrderRefused, OrderState, signatures_of
from signing_service.seals.register import SealUnknown


@pytest.fixture(scope="module")
def persons(holders):
    return {name: holders.Holder(name) for name in ("用印人", "印章管理员甲", "印章管理员乙", "路人")}


@pytest.fixture
def pinned(persons):
    return Pinned(
        (persons["用印人"].certificate,),
        (persons["印章管理员甲"].certificate, persons["印章管理员乙"].certificate),
    )


@pytest.fixture
def book(world):
    world.add()
    return OrderBook(world.register)


@pytest.fixture
def sign(persons):
    """What a person's own PC sends back for an order."""

    def make(order, name):
        signed, person = SignedAuthorisation.decode(order.encoded), persons[name]
        made = HolderSignature(person.certificate, person.mechanism, person.sign(signed.statement, person.mechanism))
        return replace(signed, signatures=(*signed.signatures, made)).encode()

    return make


def told(_order, _reason):
    """Custody, which heard it."""


def standing(seal_id="bureau", **changed):
    given = {"not_before": NOW, "until": NOW + 30 * DAY, **changed}
    return standing_order(seal_id, "批复", 10, **given)


def emergency():
    return emergency_order("bureau", {"a" * 64}, "持有人出差", not_before=NOW, until=NOW + timedelta(hours=4))


def test_a_standing_order_is_in_force_when_the_holder_has_signed_it(book, sign, pinned):
    order = book.draft(standing(), HOLDER)
    assert book.standing("bureau", "批复", NOW) == []
    order = book.add_signature(order.id, sign(order, "用印人"), pinned, HOLDER)
    assert order.state == OrderState.SIGNED
    assert [each.id for each in book.standing("bureau", "批复", NOW)] == [order.id]
    assert book.standing("bureau", "函", NOW) == []
    assert book.standing("bureau", "批复", NOW + 31 * DAY) == []


def test_an_emergency_order_takes_two_appointed_persons(book, sign, pinned):
    order = book.draft(emergency(), FIRST, ForDocument("{}", "b" * 64, "批复"))
    order = book.add_signature(order.id, sign(order, "印章管理员甲"), pinned, FIRST)
    assert (order.state, signatures_of(order)) == (OrderState.DRAFTED, 1)
    order = book.add_signature(order.id, sign(order, "印章管理员甲"), pinned, FIRST)
    assert (order.state, signatures_of(order)) == (OrderState.DRAFTED, 1)
    with pytest.raises(OrderRefused):
        book.done(order.id, "c" * 64, FIRST)
    order = book.add_signature(order.id, sign(order, "印章管理员乙"), pinned, SECOND)
    assert (order.state, signatures_of(order)) == (OrderState.SIGNED, 2)
    book.done(order.id, "c" * 64, SECOND)
    with pytest.raises(OrderRefused):
        book.withdraw(order.id, "晚了", FIRST, tell=told)


@pytest.mark.parametrize("who", ["路人", "印章管理员甲"])
def test_somebody_elses_signature_is_refused_by_name(book, sign, pinned, who):
    order = book.draft(standing(), HOLDER)
    with pytest.raises(HolderUnknown):
        book.add_signature(order.id, sign(order, who), pinned, HOLDER)
    assert book.find(order.id).state == OrderState.DRAFTED


def test_another_statement_or_a_pasted_signature_is_altered(book, sign, pinned, persons):
    order, other = book.draft(standing(), HOLDER), book.draft(standing(), HOLDER)
    with pytest.raises(AuthorisationAltered):
        book.add_signature(order.id, sign(other, "用印人"), pinned, HOLDER)
    with pytest.raises(AuthorisationAltered):
        book.add_signature(order.id, order.encoded, pinned, HOLDER)
    stranger = SignedAuthorisation.decode(sign(order, "路人"))
    pasted = replace(stranger.signatures[0], certificate=persons["用印人"].certificate)
    with pytest.raises(AuthorisationAltered):
        book.add_signature(order.id, replace(stranger, signatures=(pasted,)).encode(), pinned, HOLDER)


def test_who_may_draft_and_withdraw(book, sign, pinned):
    for refused in ((standing(), FIRST), (standing(), CLERK), (emergency(), HOLDER)):
        with pytest.raises(OrderRefused):
            book.draft(*refused)
    with pytest.raises(SealUnknown):
        book.draft(standing("nothing"), HOLDER)
    order = book.draft(standing(), HOLDER)
    book.add_signature(order.id, sign(order, "用印人"), pinned, HOLDER)
    for actor, reason in ((CLERK, "不要了"), (HOLDER, " ")):
        with pytest.raises(OrderRefused):
            book.withdraw(order.id, reason, actor, tell=told)
    book.withdraw(order.id, "换人办理", HOLDER, tell=told)
    assert book.standing("bureau", "批复", NOW) == []
    with pytest.raises(OrderRefused):
        book.add_signature(order.id, sign(order, "用印人"), pinned, HOLDER)
    assert [each.state for each in book.of_seals(["bureau"])] == [OrderState.WITHDRAWN]


def test_an_order_signed_elsewhere_is_kept_once(book, sign, pinned, persons):
    drafted = book.draft(standing(), HOLDER)
    with pytest.raises(OrderRefused, match="kept already"):
        book.keep(sign(drafted, "用印人"), pinned, HOLDER)
    person, fresh = persons["用印人"], standing()
    made = HolderSignature(person.certificate, person.mechanism, person.sign(fresh.statement(), person.mechanism))
    book.keep(SignedAuthorisation(fresh.statement(), (made,)).encode(), pinned, HOLDER)
    assert [each.id for each in book.standing("bureau", "批复", NOW)] == [fresh.id]


def test_a_withdrawal_that_custody_did_not_hear_is_not_recorded(book, sign, pinned, tmp_path):
    order = book.draft(standing(), HOLDER)
    book.add_signature(order.id, sign(order, "用印人"), pinned, HOLDER)

    def silent(_order, _reason):
        raise CustodyUnreachable(tmp_path / "custody.sock", "no answer")

    with pytest.raises(CustodyUnreachable):
        book.withdraw(order.id, "换人办理", HOLDER, tell=silent)
    assert book.find(order.id).state == OrderState.SIGNED
