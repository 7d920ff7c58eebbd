"""The numbered procedure: its order, algorithms judged by date, how fresh revocation data must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pdf_bytes import document
from pki_world import end_entity, revocation_list
from sealed_files import SIGNED, sign, stamp_document

from signing_service.verification.engine import verify
from signing_service.verification.policy import Purpose
from signing_service.verification.reasons import REASONS, Usable, Verdict

OLD = datetime(2008, 1, 1, tzinfo=UTC)


def test_the_checks_stand_in_the_order_of_the_procedure(sealed, policy):
    """EN 319 102-1, 5.2: format, identification, chain, validity and revocation, cryptography, changes, time, level."""
    names = [check.name for check in verify(sealed, policy).signatures[0].checks]
    assert [name for index, name in enumerate(names) if name not in names[:index]] == [
        "1 format", "2 signing certificate", "3 certificate chain", "4 validity and revocation", "5 cryptography",
        "5 algorithm strength", "6 changes after signing", "7 signature timestamp", "7 claimed time", "8 level",
    ]  # fmt: skip


STRENGTH = [
    # (digest, RSA bits or None for P-256, stamped at, verdict, weak algorithm named)
    ("sha256", None, SIGNED, Verdict.PASSED, ""),
    ("sha1", None, SIGNED, Verdict.INDETERMINATE, "SHA1"),
    ("sha256", 1024, SIGNED, Verdict.INDETERMINATE, "RSA-1024"),
    ("sha256", 1024, datetime(2009, 6, 1, tzinfo=UTC), Verdict.PASSED, ""),
    ("sha256", 1536, SIGNED, Verdict.INDETERMINATE, "RSA-1536"),
    ("sha256", 1536, datetime(2022, 6, 1, tzinfo=UTC), Verdict.PASSED, ""),
    ("sha256", 2048, SIGNED, Verdict.PASSED, ""),
    ("sha256", 1024, None, Verdict.INDETERMINATE, "RSA-1024"),
]


@pytest.mark.parametrize(("digest", "bits", "stamped", "verdict", "named"), STRENGTH)
def test_algorithms_are_believed_until_a_date(digest, bits, stamped, verdict, named, world, policy):
    party = end_entity("示例市旧章", world.seals, start=OLD, rsa_bits=bits)
    service = end_entity("旧时间戳", world.times, start=OLD, timestamper=True)
    pdf = sign(document(), world, party, stamped=stamped, timestamper=service, digest=digest)
    report = verify(pdf, policy)
    assert (report.verdict, report.signatures[0].integrity) == (verdict, "intact")
    if named and stamped is not None:
        assert report.reason == "weak_algorithm"
        assert named in report.summary.zh
    assert any(check.detail.startswith(named) for check in report.signatures[0].checks if check.name[0] == "5")


def test_a_later_timestamp_keeps_an_algorithm_believed(world, policy):
    """What was proven to exist while SHA-1 was believed stays proven by a newer service's timestamp alone."""
    party = end_entity("示例市旧章", world.seals, start=OLD)
    service = end_entity("旧时间戳", world.times, start=OLD, timestamper=True)
    pdf = sign(document(), world, party, stamped=None, digest="sha1")
    stamped = stamp_document(pdf, world, datetime(2012, 7, 1, tzinfo=UTC), timestamper=service)
    assert verify(stamped, policy).verdict is Verdict.PASSED


FRESHNESS = [
    # (list issued before signing, its period, freshness asked for, reason)
    (timedelta(hours=2), timedelta(hours=1), timedelta(hours=1), "revocation_unknown"),
    (timedelta(hours=2), timedelta(hours=1), timedelta(hours=3), "passed"),
    (timedelta(minutes=30), timedelta(minutes=10), timedelta(hours=1), "passed"),
    (timedelta(minutes=30), timedelta(minutes=10), timedelta(0), "revocation_unknown"),
    (timedelta(days=2), timedelta(days=30), timedelta(0), "passed"),
]


@pytest.mark.parametrize(("before", "period", "freshness", "reason"), FRESHNESS)
def test_how_old_revocation_data_may_be(before, period, freshness, reason, world, sealed, make_policy):
    old = revocation_list(world.seals, SIGNED - before, days=period / timedelta(days=1))
    crls = [old, *world.crls(datetime(2026, 6, 9, tzinfo=UTC))[1:]]
    assert verify(sealed, make_policy(crls=crls, freshness=freshness)).reason == reason


def test_a_revocation_after_the_moment_of_judging_is_not_known_yet(world, sealed, make_policy):
    """A list issued later than `at` has no word in a judgement as of `at`."""
    from pki_world import Revoked

    at = SIGNED + timedelta(days=2)
    later = world.crls(at + timedelta(days=5), seals=(Revoked(world.seal, SIGNED - timedelta(days=1)),))
    report = verify(sealed, make_policy(at=at, crls=[*world.crls(at - timedelta(hours=1)), *later]))
    assert (report.verdict, report.usable_now) == (Verdict.PASSED, Usable.YES)


def test_every_reason_says_what_to_do_and_never_greets_a_problem_in_green():
    for code, reason in REASONS.items():
        for text in (reason.sentence, reason.advice):
            assert text.zh.endswith("。"), code
            assert text.en.endswith("."), code
        if reason.verdict is Verdict.FAILED:
            assert reason.usable is Usable.NO, code
        if reason.verdict is Verdict.INDETERMINATE:
            assert reason.usable is not Usable.YES, code


def test_the_sealed_version_is_offered_only_where_there_is_one(sealed, policy):
    changed, broken = verify(sealed + b"junk", policy), verify(sealed.replace(b"2026-0001", b"2026-9999"), policy)
    assert changed.intact_revision == len(sealed)
    assert "盖章时的版本" in changed.advice.zh
    assert broken.intact_revision is None
    assert (broken.verdict, broken.advice.zh) == (Verdict.FAILED, "请使用原始文件。")


@pytest.mark.parametrize(("commitment_alone", "kind"), [(True, "signature"), (False, "seal")])
def test_under_one_root_an_officers_certificate_makes_no_seal(commitment_alone, kind, world, make_policy):
    """The demo's seals and officers share a root: what they may be used for tells them apart, not only a name."""
    party = end_entity("示例市行政审批专用章", world.seals, commitment_alone=commitment_alone)
    policy = make_policy()
    shared = replace(policy, anchors={**policy.anchors, Purpose.OFFICERS: [world.seals.der]})
    report = verify(sign(document(), world, party), shared)
    assert (report.verdict, report.signatures[0].kind) == (Verdict.PASSED, kind)
    assert report.reason == ("passed" if kind == "seal" else "passed_signature")
