"""Two times, table-tested: revoke, suspend, restore, expire, succeed — before, between and after sealing and now."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from pdf_bytes import append, document, stream
from pki_world import Revoked, end_entity, revocation_list
from sealed_files import SIGNED, sign, stamp_document

from cert_registry.licences.metadata import as_keywords
from signing_service.verification.engine import verify
from signing_service.verification.ports import (
    CopyFact,
    Facts,
    LicenceFact,
    LicenceState,
    SealEvent,
    SealState,
)
from signing_service.verification.reasons import Usable, Verdict

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
BEFORE, BETWEEN, AFTER = SIGNED - timedelta(days=2), SIGNED + timedelta(days=3), NOW + timedelta(days=1)
FLAGS = x509.ReasonFlags
P, I, F = Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED  # noqa: E741
Y, N, U = Usable.YES, Usable.NO, Usable.UNKNOWN


@pytest.fixture(scope="module")
def unstamped(world) -> bytes:
    """B-B: nothing but a claim tells when it was signed (the claim is the machine's time, long after NOW)."""
    return sign(document(), world, world.seal, stamped=None)


REVOCATIONS = [
    # (revoked at, reason, compromise date, verdict, usable, reason code)
    (BEFORE, FLAGS.superseded, None, F, N, "revoked_before_signing"),
    (BEFORE, FLAGS.key_compromise, None, F, N, "revoked_before_signing"),
    (SIGNED, FLAGS.superseded, None, F, N, "revoked_before_signing"),
    (BETWEEN, FLAGS.superseded, None, P, Y, "revoked_since"),
    (BETWEEN, FLAGS.cessation_of_operation, None, P, Y, "revoked_since"),
    (BETWEEN, FLAGS.key_compromise, BETWEEN, P, Y, "revoked_since"),
    (BETWEEN, FLAGS.key_compromise, BEFORE, I, U, "compromised_before_signing"),
    (BETWEEN, FLAGS.ca_compromise, BEFORE, I, U, "compromised_before_signing"),
    (BETWEEN, FLAGS.superseded, BEFORE, P, Y, "revoked_since"),
    (BEFORE, FLAGS.certificate_hold, None, F, N, "seal_suspended"),
]


@pytest.mark.parametrize(("at", "reason", "invalid", "verdict", "usable", "code"), REVOCATIONS)
def test_certificate_revocation(at, reason, invalid, verdict, usable, code, world, sealed, make_policy):
    entry = Revoked(world.seal, at, reason, invalid)
    report = verify(sealed, make_policy(crls=world.crls(NOW - timedelta(hours=1), seals=(entry,))))
    assert (report.verdict, report.usable_now, report.reason) == (verdict, usable, code)


def test_revocation_without_a_trusted_time_proves_nothing(world, unstamped, make_policy):
    """The claim lies after the revocation: the signer himself says that he signed too late."""
    entry = Revoked(world.seal, BETWEEN)
    report = verify(unstamped, make_policy(crls=world.crls(NOW, seals=(entry,))))
    assert report.reason == "revoked_before_signing"


def test_revoked_with_a_claim_before_it_stays_unknown(world, unstamped, make_policy):
    """Revoked at a time that the claim precedes; without a timestamp nobody knows which came first."""
    later = datetime(2031, 1, 1, tzinfo=UTC)
    entry = Revoked(world.seal, later - timedelta(days=1))
    report = verify(unstamped, make_policy(at=later, crls=world.crls(later, seals=(entry,))))
    assert (report.verdict, report.reason) == (I, "revoked_without_trusted_time")


def test_a_hold_at_sealing_that_was_lifted_later_still_counts(world, sealed, make_policy):
    held = revocation_list(world.seals, SIGNED - timedelta(days=1), Revoked(world.seal, BEFORE, FLAGS.certificate_hold))
    lifted = world.crls(NOW - timedelta(hours=1))
    assert verify(sealed, make_policy(crls=[held, *lifted])).reason == "seal_suspended"


def test_a_hold_after_sealing_does_not_count(world, sealed, make_policy):
    entry = Revoked(world.seal, BETWEEN, FLAGS.certificate_hold)
    report = verify(sealed, make_policy(crls=world.crls(NOW - timedelta(hours=1), seals=(entry,))))
    assert (report.verdict, report.reason) == (P, "revoked_since")


def test_a_revoked_authority_stops_its_seals(world, sealed, make_policy):
    lists = world.crls(NOW)[:3]
    anchors_below_root = revocation_list(world.root, NOW, Revoked(world.seals, BEFORE))
    policy = make_policy(crls=[*lists, anchors_below_root], certificates=[world.seals.der])
    rooted = type(policy)(
        {purpose: [world.root.der] for purpose in policy.anchors},
        policy.at,
        crls=policy.crls,
        certificates=[world.seals.der, world.times.der],
    )
    assert verify(sealed, rooted).reason == "revoked_before_signing"


EXPIRY = [
    # (certificate ends, stamped, verdict, code)
    (SIGNED + timedelta(days=1), True, P, "passed"),
    (SIGNED + timedelta(days=1), False, I, "no_trusted_time"),
    (SIGNED - timedelta(days=1), True, I, "no_trusted_time"),
]


@pytest.mark.parametrize(("end", "stamped", "verdict", "code"), EXPIRY)
def test_expiry(end, stamped, verdict, code, world, make_policy):
    """B41: expired since, stamped while valid, with proof that it was not revoked."""
    party = end_entity("示例市短期专用章", world.seals, end=end)
    report = verify(sign(document(), world, party, stamped=SIGNED if stamped else None), make_policy())
    assert (report.verdict, report.reason) == (verdict, code)


def test_an_expired_timestamp_service_is_carried_by_a_later_timestamp(world, make_policy):
    service = end_entity("短期时间戳", world.times, end=SIGNED + timedelta(days=2), timestamper=True)
    once = sign(document(), world, world.seal, timestamper=service)
    renewed = stamp_document(once, world, SIGNED + timedelta(days=1))
    assert verify(once, make_policy()).verdict is I
    assert verify(renewed, make_policy()).verdict is P


def test_the_archives_longer_copy_lends_its_later_timestamp(world, make_policy):
    service = end_entity("短期时间戳", world.times, end=SIGNED + timedelta(days=2), timestamper=True)
    once = sign(document(), world, world.seal, timestamper=service)
    kept = stamp_document(once, world, SIGNED + timedelta(days=1))
    assert verify(once, make_policy()).verdict is I
    assert verify(once, make_policy(), Source(Facts(known=True, archived=kept))).verdict is P
    other = stamp_document(sign(document(3), world, world.seal), world, SIGNED + timedelta(days=1))
    assert verify(once, make_policy(), Source(Facts(known=True, archived=other))).verdict is I


class Source:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def facts(self, ids, digest, at):
        return self._facts


SEALS = [
    # (events, verdict, usable, code)
    ([(SealState.SUSPENDED, BEFORE)], F, N, "seal_suspended"),
    ([(SealState.SUSPENDED, BEFORE - timedelta(days=1)), (SealState.ACTIVE, BEFORE)], P, Y, "passed"),
    ([(SealState.SUSPENDED, BEFORE), (SealState.ACTIVE, BETWEEN)], F, N, "seal_suspended"),
    ([(SealState.SUSPENDED, BETWEEN)], P, Y, "passed"),
    ([(SealState.SUSPENDED, BETWEEN), (SealState.ACTIVE, BETWEEN + timedelta(days=1))], P, Y, "passed"),
    ([(SealState.CANCELLED, BEFORE)], F, N, "seal_cancelled"),
    ([(SealState.CANCELLED, BETWEEN)], P, Y, "passed"),
    ([(SealState.CANCELLED, AFTER)], P, Y, "passed"),
    ([(SealState.SUCCEEDED, BEFORE)], F, N, "seal_cancelled"),
    ([(SealState.SUCCEEDED, BETWEEN)], P, Y, "seal_succeeded"),
    ([(SealState.SUCCEEDED, AFTER)], P, Y, "passed"),
]


@pytest.mark.parametrize(("events", "verdict", "usable", "code"), SEALS)
def test_seal_register(events, verdict, usable, code, world, sealed, policy):
    sha256 = verify(sealed, policy).signatures[0].certificate_sha256
    told = tuple(SealEvent(sha256, state, at, "示例市行政审批局", "示例市政务服务局") for state, at in events)
    report = verify(sealed, policy, Source(Facts(known=True, seals=told)))
    assert (report.verdict, report.usable_now, report.reason) == (verdict, usable, code)


FACTS = [
    (Facts(known=True, licence=LicenceFact("x", LicenceState.VALID)), P, Y, "passed"),
    (Facts(known=True, licence=LicenceFact("x", LicenceState.ENDED, BETWEEN, "吊销", "违法")), P, N, "licence_ended"),
    (Facts(known=True, licence=LicenceFact("x", LicenceState.EXPIRED, BETWEEN)), P, N, "licence_expired"),
    (Facts(known=True, licence=LicenceFact("x", LicenceState.SUSPENDED, BETWEEN)), P, N, "licence_suspended"),
    (Facts(known=True, licence=LicenceFact("x", LicenceState.NOT_YET_VALID, AFTER)), P, N, "licence_not_yet_valid"),
    (Facts(known=True, licence=LicenceFact("x", LicenceState.SUSPENDED, AFTER)), P, Y, "passed"),
    (Facts(known=True, simulated=True), I, N, "simulated"),
    (Facts(known=True, simulated=True, recalled_at=BETWEEN, replaced_by="示审〔2026〕1号"), F, N, "recalled"),
    (Facts(known=True, copy=CopyFact("示例市房管局", "过户", BETWEEN)), P, N, "copy_expired"),
    (
        Facts(known=True, copy=CopyFact("示例市房管局", "过户", AFTER, recipient_matches=False)),
        P,
        N,
        "copy_wrong_recipient",
    ),
    (Facts(known=True, copy=CopyFact("示例市房管局", "过户", AFTER, recipient_matches=True)), P, Y, "passed"),
    (Facts(known=True, seen_before=3, last_seen=BETWEEN), P, Y, "passed"),
]


@pytest.mark.parametrize(("facts", "verdict", "usable", "code"), FACTS)
def test_facts_from_above(facts, verdict, usable, code, sealed, policy):
    report = verify(sealed, policy, Source(facts))
    assert (report.verdict, report.usable_now, report.reason) == (verdict, usable, code)
    assert report.green is (verdict is P and usable is Y)
    unasked = facts.copy is not None and facts.copy.recipient_matches is None
    assert (report.hint is not None) is (facts.seen_before > 0 or unasked)
    assert report.exit_code() == (4 if usable is N or verdict is F else 0)
    assert report.exit_code(as_of_sealing=True) == {P: 0, I: 3, F: 4}[verdict]


IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"


@pytest.fixture(scope="module")
def licence(world) -> bytes:
    """A sealed document that names a licence in its information dictionary."""
    return sign(append(document(), {4: b"<< /Title (" + IDENTIFIER.encode() + b") >>"}), world, world.seal)


def test_a_missing_source_of_licence_facts_is_unknown(licence, policy):
    report = verify(licence, policy)
    assert report.identifiers == (IDENTIFIER,)
    assert (report.verdict, report.usable_now, report.reason) == (P, U, "status_unknown")
    assert not report.green
    assert report.exit_code() == 0


def test_a_source_without_a_record_is_unknown_too(licence, policy):
    assert verify(licence, policy, Source(Facts(known=False))).usable_now is U
    known = Facts(known=True, licence=LicenceFact(IDENTIFIER, LicenceState.VALID))
    assert verify(licence, policy, Source(known)).usable_now is Y


def test_the_worst_usable_now_wins_even_beside_a_failure(world, sealed, policy):
    facts = Facts(known=True, licence=LicenceFact("x", LicenceState.VALID))
    report = verify(sealed.replace(b"2026-0001", b"2026-9999"), policy, Source(facts))
    assert (report.verdict, report.usable_now) == (F, N)


# --- bytes appended later do not make it another document ------------------------------------------------------------


class ByDigest:
    """Knows one file by its SHA-256, as registers do."""

    def __init__(self, pdf: bytes, facts: Facts) -> None:
        self._digest, self._facts = hashlib.sha256(pdf).digest(), facts

    def facts(self, ids, digest, at):
        return self._facts if digest == self._digest else Facts()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(known=True, licence=LicenceFact("x", LicenceState.ENDED, BETWEEN, "吊销", "违法")), "licence_ended"),
        (Facts(known=True, simulated=True, recalled_at=BETWEEN, replaced_by="示审〔2026〕1号"), "recalled"),
        (Facts(known=True, copy=CopyFact("示例市房管局", "过户", BETWEEN)), "copy_expired"),
    ],
)
def test_an_update_that_is_permitted_shakes_off_no_fact(facts, code, world, sealed, policy):
    for later in (append(sealed, {4: b"<< /Title (Permit) >>"}), stamp_document(sealed, world, BETWEEN)):
        assert verify(later, policy).verdict is P
        report = verify(later, policy, ByDigest(sealed, facts))
        assert (report.usable_now, report.reason) == (N, code)


def test_a_name_taken_out_of_the_metadata_still_counts(licence, policy):
    bare = append(licence, {4: b"<< /Title (Permit) >>", 7: stream(b"", b"/Type /Metadata /Subtype /XML")})
    report = verify(bare, policy)
    assert (report.identifiers, report.reason) == ((IDENTIFIER,), "status_unknown")


# --- purpose-bound copies say themselves for whom they are -----------------------------------------------------------


def a_copy(world, until: datetime) -> bytes:
    """Sealed, with the marks that the register writes into the metadata of a 加注件."""
    marks = ",".join(as_keywords({"JZJBH": "C1", "JZJSY": "示例市房管局:过户", "JZJYXQJZSJ": until.isoformat()}))
    keywords = b"\xfe\xff" + marks.encode("utf-16-be")
    return sign(append(document(), {4: b"<< /Keywords <%s> >>" % keywords.hex().encode()}), world, world.seal)


COPIES = [
    # (until, recipient and matter that are stated, usable, code)
    (AFTER, "", "", Y, "passed"),
    (AFTER, "示例市房管局", "过户", Y, "passed"),
    (AFTER, "示例市房管局", "", Y, "passed"),
    (AFTER, "示例市银行", "过户", N, "copy_wrong_recipient"),
    (AFTER, "示例市房管局", "抵押", N, "copy_wrong_recipient"),
    (BETWEEN, "", "", N, "copy_expired"),
    (BETWEEN, "示例市房管局", "过户", N, "copy_expired"),
]


@pytest.mark.parametrize(("until", "recipient", "matter", "usable", "code"), COPIES)
def test_a_copy_is_bound_without_any_register(until, recipient, matter, usable, code, world, make_policy):
    pdf = a_copy(world, until)
    for file in (pdf, append(pdf, {4: b"<< /Title (no marks) >>"})):
        report = verify(file, make_policy(recipient=recipient, matter=matter))
        assert (report.verdict, report.usable_now, report.reason) == (P, usable, code)
        told = report.hint is not None and "示例市房管局" in report.hint.zh
        assert told is (not recipient)


def test_a_copy_whose_end_cannot_be_read_has_ended(world, policy):
    marks = b"\xfe\xff" + "JZJBH=C1,JZJSY=示例市房管局:过户,JZJYXQJZSJ=soon".encode("utf-16-be")
    pdf = sign(append(document(), {4: b"<< /Keywords <%s> >>" % marks.hex().encode()}), world, world.seal)
    assert verify(pdf, policy).reason == "copy_expired"


def test_the_registers_word_on_a_copy_comes_first(world, policy):
    """It was withdrawn before its printed end."""
    source = Source(Facts(known=True, copy=CopyFact("示例市房管局", "过户", BETWEEN)))
    assert verify(a_copy(world, AFTER), policy, source).reason == "copy_expired"
