"""What an authorisation covers, and that nothing but the holder's own signature makes one."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing_service.seals import authorisation_errors as errors
from signing_service.seals.authorisation import (
    FIRST_LINE,
    Authorisation,
    Kind,
    Uses,
    authorise_digests,
    canonical_json,
    covers,
    emergency_order,
    standing_order,
)
from signing_service.seals.holder_signature import SignedAuthorisation, sign_authorisation, verified

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
PERIOD = {"not_before": NOW - timedelta(hours=1), "until": NOW + timedelta(hours=1)}
ONE, TWO, OTHER = "11" * 32, "22" * 32, "33" * 32


@pytest.fixture(scope="module")
def holder(holders):
    return holders.Holder("示例持有人甲")


def judge(encoded, holders=(), appointed=(), now=NOW):
    return verified(SignedAuthorisation.decode(encoded), holders=holders, appointed=appointed, now=now)


def test_a_digest_is_covered_once():
    one = authorise_digests("seal-1", {ONE}, **PERIOD)
    covers(one, ONE, "", NOW, Uses(), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationUsed):
        covers(one, ONE, "", NOW, Uses(total=1, of_digest=1), seal_id="seal-1")


def test_a_batch_covers_each_of_its_digests_once():
    batch = authorise_digests("seal-1", {ONE, TWO}, **PERIOD)
    covers(batch, TWO, "", NOW, Uses(total=1), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationUsed):
        covers(batch, ONE, "", NOW, Uses(total=1, of_digest=1), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationNotForThisDocument):
        covers(batch, OTHER, "", NOW, Uses(), seal_id="seal-1")


def test_a_standing_order_has_type_count_and_end():
    order = standing_order("seal-1", "批复", 2, **PERIOD)
    covers(order, OTHER, "批复", NOW, Uses(total=1), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationNotForThisType):
        covers(order, OTHER, "证照", NOW, Uses(), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationUsed):
        covers(order, OTHER, "批复", NOW, Uses(total=2), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationUsed):
        covers(order, OTHER, "批复", NOW, Uses(total=1, of_digest=1), seal_id="seal-1")


@pytest.mark.parametrize(
    ("moment", "refusal"),
    [
        (PERIOD["not_before"] - timedelta(seconds=1), errors.AuthorisationNotYetValid),
        (PERIOD["not_before"], None),
        (PERIOD["until"], None),
        (PERIOD["until"] + timedelta(seconds=1), errors.AuthorisationExpired),
    ],
)
def test_it_is_in_force_from_and_until_its_own_seconds(moment, refusal):
    one = authorise_digests("seal-1", {ONE}, **PERIOD)
    if refusal is None:
        covers(one, ONE, "", moment, Uses(), seal_id="seal-1")
    else:
        with pytest.raises(refusal):
            covers(one, ONE, "", moment, Uses(), seal_id="seal-1")


def test_withdrawn_and_foreign_seal_are_named():
    one = authorise_digests("seal-1", {ONE}, **PERIOD)
    with pytest.raises(errors.AuthorisationWithdrawn):
        covers(one, ONE, "", NOW, Uses(withdrawn_at=NOW), seal_id="seal-1")
    with pytest.raises(errors.AuthorisationNotForThisSeal):
        covers(one, ONE, "", NOW, Uses(), seal_id="seal-2")


@pytest.mark.parametrize("kind", ["p256", "rsa2048", "ed25519"])
def test_the_holders_signature_holds_with_every_kind_of_key(holders, kind):
    person = holders.Holder("示例持有人乙", kind)
    order = standing_order("seal-1", "批复", 9, **PERIOD)
    assert judge(sign_authorisation(order, person.signer), [person.certificate]) == order


def test_a_stranger_is_no_holder(holders, holder):
    stranger = holders.Holder("示例持有人甲")  # even under the same name
    encoded = sign_authorisation(authorise_digests("seal-1", {ONE}, **PERIOD), stranger.signer)
    with pytest.raises(errors.HolderUnknown):
        judge(encoded, [holder.certificate])


def test_an_altered_statement_is_named(holder):
    one = authorise_digests("seal-1", {ONE}, **PERIOD)
    signed = SignedAuthorisation.decode(sign_authorisation(one, holder.signer))
    forged = replace(signed, statement=replace(one, digests=frozenset({TWO})).statement())
    with pytest.raises(errors.AuthorisationAltered):
        judge(forged.encode(), [holder.certificate])


def test_a_signature_made_over_something_else_is_refused(holder):
    """Bytes that the holder signed for another purpose (a log-in, a document) are no authorisation."""
    one = authorise_digests("seal-1", {ONE}, **PERIOD)
    signed = SignedAuthorisation.decode(sign_authorisation(one, holder.signer))
    without_first_line = signed.statement[len(FIRST_LINE) :]
    with pytest.raises(errors.AuthorisationUnreadable):
        judge(replace(signed, statement=without_first_line).encode(), [holder.certificate])


def test_no_signature_and_no_authorisation(holder):
    unsigned = SignedAuthorisation(authorise_digests("seal-1", {ONE}, **PERIOD).statement(), ())
    with pytest.raises(errors.AuthorisationAltered):
        judge(unsigned.encode(), [holder.certificate])
    with pytest.raises(errors.AuthorisationMissing):
        judge(b"")


def test_an_expired_holder_certificate_is_refused(holder):
    encoded = sign_authorisation(standing_order("seal-1", "批复", 1, **PERIOD), holder.signer)
    with pytest.raises(errors.HolderCertificateNotValid):
        judge(encoded, [holder.certificate], now=NOW + timedelta(days=400))


def test_emergency_use_takes_two_appointed_persons(holders, holder):
    deputies = [holders.Holder("示例副职甲"), holders.Holder("示例副职乙")]
    pinned = [deputy.certificate for deputy in deputies]
    order = emergency_order("seal-1", {ONE}, "持有人因公外出,群众急办", **PERIOD)
    assert judge(sign_authorisation(order, *(d.signer for d in deputies)), [], pinned) == order
    with pytest.raises(errors.SecondSignerMissing):
        judge(sign_authorisation(order, deputies[0].signer), [], pinned)
    with pytest.raises(errors.SecondSignerMissing):
        judge(sign_authorisation(order, deputies[0].signer, deputies[0].signer), [], pinned)
    with pytest.raises(errors.HolderUnknown):
        judge(sign_authorisation(order, deputies[0].signer, holder.signer), [holder.certificate], pinned)


def test_two_certificates_of_one_person_are_one_person(holders):
    twice = [holders.Holder("示例副职甲"), holders.Holder("示例副职甲")]
    order = emergency_order("seal-1", {ONE}, "急办", **PERIOD)
    with pytest.raises(errors.SecondSignerMissing):
        judge(sign_authorisation(order, *(d.signer for d in twice)), [], [d.certificate for d in twice])


def test_emergency_appointees_cannot_make_a_common_authorisation(holders, holder):
    deputy = holders.Holder("示例副职甲")
    encoded = sign_authorisation(authorise_digests("seal-1", {ONE}, **PERIOD), deputy.signer)
    with pytest.raises(errors.HolderUnknown):
        judge(encoded, [holder.certificate], [deputy.certificate])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"},
        {"seal_id": ""},
        {"digests": frozenset({ONE.upper().replace("1", "A")})},
        {"count": 2},
        {"count": True, "kind": Kind.STANDING, "digests": frozenset(), "document_type": "批复"},
        {"document_type": "批复"},
        {"until": NOW - timedelta(days=1)},
        {"until": NOW + timedelta(days=40)},
        {"not_before": NOW.replace(tzinfo=None)},
        {"kind": Kind.STANDING},
        {"kind": Kind.EMERGENCY},
        {"not_before": NOW - timedelta(minutes=1, microseconds=1)},
    ],
)
def test_content_that_makes_no_sense_cannot_even_be_built(change):
    with pytest.raises(errors.AuthorisationUnreadable):
        replace(authorise_digests("seal-1", {ONE}, **PERIOD), **change)


@pytest.mark.parametrize(
    "alter",
    [
        lambda c: json.dumps(c).encode(),  # spaces: not the one written form
        lambda c: canonical_json({**c, "more": 1}),
        lambda c: canonical_json({k: v for k, v in c.items() if k != "until"}),
        lambda c: canonical_json({**c, "digests": [ONE, ONE]}),
        lambda c: canonical_json({**c, "until": "2026-11-24T09:00:00+00:00"}),
        lambda c: canonical_json({**c, "kind": "all"}),
        lambda c: canonical_json({**c, "digests": [[]]}),
        lambda c: b'{"count":1,' + canonical_json(c)[1:],
        lambda c: b"[" * 100_000,
        lambda c: b"\xff",
    ],
)
def test_only_the_one_written_form_is_read(alter):
    statement = authorise_digests("seal-1", {ONE}, **PERIOD).statement()
    content = json.loads(statement[len(FIRST_LINE) :])
    with pytest.raises(errors.AuthorisationUnreadable):
        Authorisation.from_statement(FIRST_LINE + alter(content))


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=20),
    st.text(min_size=1).filter(lambda text: text.isprintable()),
    st.integers(0, 31 * 86400),
)
def test_every_authorisation_reads_back(digests, seal, seconds):
    made = authorise_digests(seal, digests, not_before=NOW, until=NOW + timedelta(seconds=seconds))
    assert Authorisation.from_statement(made.statement()) == made


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_junk_is_refused_by_name(junk):
    with pytest.raises(errors.AuthorisationRefused):
        SignedAuthorisation.decode(junk)
    with pytest.raises(errors.AuthorisationRefused):
        Authorisation.from_statement(FIRST_LINE + junk)
