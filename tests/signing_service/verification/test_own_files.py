"""Files as the project itself makes them: what must pass, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pdf_bytes import document
from sealed_files import SIGNED, sign, stamp_document

from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.reasons import Usable, Verdict


def test_a_sealed_file_passes(sealed, policy):
    report = verify(sealed, policy, file_name="permit.pdf")
    seal = report.signatures[0]
    assert (report.verdict, report.usable_now, report.reason) == (Verdict.PASSED, Usable.YES, "passed")
    assert report.green
    assert report.covers_whole_file
    assert not report.modified_after_signing
    assert (seal.kind, seal.integrity, seal.level, seal.time_source) == ("seal", "intact", "B-T", "timestamp")
    assert seal.signed_at == SIGNED
    assert "示例市行政审批专用章" in report.summary.zh
    assert report.exit_code() == 0


def test_an_officers_signature_is_told_apart(world, policy):
    report = verify(sign(document(), world, world.officer, world.officers), policy)
    assert report.reason == "passed_signature"
    assert report.signatures[0].kind == "signature"
    assert "审批员甲" in report.summary.zh


def test_two_signatures_and_a_document_timestamp_pass_together(world, policy):
    once = sign(document(), world, world.officer, world.officers, field="Officer")
    twice = sign(once, world, world.seal, field="Seal", box=(50, 50, 150, 150))
    report = verify(stamp_document(twice, world, SIGNED + timedelta(hours=1)), policy)
    assert report.reason == "passed"
    assert [signature.kind for signature in report.signatures] == ["signature", "seal", "timestamp"]
    assert report.covers_whole_file


def test_json_keeps_the_contract(sealed, policy):
    told = verify(sealed, policy, file_name="permit.pdf").as_json()
    assert {
        "file",
        "verdict",
        "usable_now",
        "reason",
        "summary",
        "covers_whole_file",
        "modified_after_signing",
        "signatures",
    } <= set(told)
    wanted = "field kind signer verdict integrity indication sub_indication level signed_at time_source"
    assert {*wanted.split(), "at_signing", "now", "docmdp", "checks"} <= set(told["signatures"][0])
    assert all({"name", "result", "detail"} == set(check) for check in told["signatures"][0]["checks"])
    assert told["file"] == "permit.pdf"


def test_checks_come_in_the_order_of_the_standard(sealed, policy):
    numbers = [int(check.name.split()[0]) for check in verify(sealed, policy).signatures[0].checks]
    assert numbers == sorted(numbers)
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= set(numbers)


def test_a_stranger_is_intact_but_never_passed(world, policy):
    report = verify(sign(document(), world, world.stranger, world.stranger), policy)
    assert report.signatures[0].integrity == "intact"
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "untrusted_signer")
    assert report.exit_code() == 3


def test_without_revocation_data_nothing_is_confirmed(sealed, make_policy):
    report = verify(sealed, make_policy(crls=[]))
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "revocation_unknown")
    assert verify(sealed, make_policy(crls=[], revocation_required=False)).verdict is Verdict.PASSED


def test_an_unsigned_file_has_its_own_answer(policy):
    report = verify(document(), policy)
    assert (report.reason, report.verdict, report.usable_now) == ("no_signature", Verdict.INDETERMINATE, Usable.UNKNOWN)


def test_a_timestamp_service_may_not_vouch_for_signers(world, sealed):
    wrong = Policy(
        {Purpose.TIMESTAMPS: [world.seals.der, world.times.der]},
        datetime(2026, 6, 10, tzinfo=UTC),
        crls=world.crls(SIGNED),
    )
    assert verify(sealed, wrong).reason == "untrusted_signer"


def test_a_claim_from_the_future_is_flagged_and_not_called_tampering(world, make_policy):
    """The claimed time is the machine's, which lies after this validation time."""
    at = datetime(2024, 2, 1, tzinfo=UTC)
    report = verify(sign(document(), world, world.seal, stamped=None), make_policy(at=at, crls=world.crls(at)))
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "claimed_time_in_future")
    assert report.signatures[0].integrity == "intact"
    assert not report.modified_after_signing
