"""What people reported of other verifiers, restated (the verify rows of the field reports); numbers are theirs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from attacks import CHANGED
from cryptography.x509 import ObjectIdentifier
from pdf_bytes import CONTENT, append, body_of, document, stream
from pki_world import Revoked, World, authority, end_entity, revocation_list
from sealed_files import SIGNED, sign

from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.reasons import Verdict

NOW = SIGNED + timedelta(days=9)
_SM2_SM3, _ECDSA_SHA256 = b"06082a811ccf55018375", b"06082a8648ce3d040302"


def test_b17_a_hybrid_reference_file_gets_a_verdict(corpora):
    report = verify((corpora / "unsigned-messy/itext-hybrid.pdf").read_bytes(), Policy({}, NOW))
    assert report.reason in ("no_signature", "not_signed_yet")


def hybrid() -> bytes:
    """As Office programs write it: the font lies in an object stream that only /XRefStm leads to; old readers see it
    as free (ISO 32000-2, 7.5.8.4)."""
    out, offsets = bytearray(b"%PDF-1.5\n"), {}
    packed = b"5 0 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    bodies = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842] >>",
        3: b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        4: stream(CONTENT),
        6: stream(packed, b"/Type /ObjStm /N 1 /First 4"),
    }
    for number, body in bodies.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    hidden = len(out)
    rows = b"".join(
        bytes([kind]) + first.to_bytes(4, "big") + bytes([second])
        for kind, first, second in ((2, 6, 0), (1, offsets[6], 0), (1, hidden, 0))
    )
    out += b"7 0 obj\n%s\nendobj\n" % stream(rows, b"/Type /XRef /W [1 4 1] /Index [5 3] /Size 8 /Root 1 0 R")
    start = len(out)
    out += b"xref\n0 8\n" + b"".join(
        b"%010d %05d %s \n" % ((offsets[n], 0, b"n") if n in (1, 2, 3, 4) else (0, 65535, b"f")) for n in range(8)
    )
    return bytes(out + b"trailer\n<< /Size 8 /Root 1 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (hidden, start))


def test_b17_a_plain_hybrid_file_gets_a_verdict(world, policy):
    assert verify(hybrid(), policy).reason == "no_signature"
    sealed = sign(hybrid(), world, world.seal)
    report = verify(sealed, policy)
    assert (report.verdict, report.reason) == (Verdict.PASSED, "passed")
    assert verify(append(sealed, {4: stream(b"BT (x) Tj ET")}), policy).reason == "modified_after_sealing"
    assert (
        verify(append(sealed, {5: b"<< /Type /Font /BaseFont /Symbol >>"}), policy).reason == "modified_after_sealing"
    )


def test_b34_bytes_after_the_last_signature(sealed, policy):
    report = verify(sealed + b"junk", policy)
    assert report.reason == "unsigned_data_after_last_signature"
    assert "无人签署" in report.summary.zh


def test_b35_a_form_change_is_in_the_headline(sealed, policy):
    report = verify(append(sealed, {5: body_of(sealed, 5).replace(b"(Zhang)", b"(Wang)")}), policy)
    assert report.reason == "modified_after_sealing"
    assert report.verdict is Verdict.FAILED
    assert "盖章后内容有变动" in report.summary.zh


def test_b37_a_strangers_authority_is_never_valid(world, policy):
    stranger = authority("示例印章 CA")
    party = end_entity("示例市行政审批专用章", stranger)
    report = verify(sign(document(), world, party, stranger), policy)
    assert report.signatures[0].integrity == "intact"
    assert report.reason == "untrusted_signer"


@pytest.mark.parametrize("embedded", [True, False])
def test_b38_the_intermediate_decides(embedded, world):
    """The verifier has the root alone: an embedded intermediate completes the chain, a missing one is named."""
    pdf = sign(document(), world, world.seal, world.seals if embedded else world.officers)
    policy = Policy(
        {purpose: [world.root.der] for purpose in (Purpose.SEALS, Purpose.TIMESTAMPS)},
        NOW,
        crls=world.crls(NOW - timedelta(days=1)),
    )
    report = verify(pdf, policy)
    assert report.reason == ("passed" if embedded else "untrusted_signer")
    if not embedded:
        assert any("no path to a trust anchor" in check.detail for check in report.signatures[0].checks)


def test_b41_expired_since_but_stamped_in_time(world, make_policy):
    party = end_entity("短期章", world.seals, end=SIGNED + timedelta(days=1))
    assert verify(sign(document(), world, party), make_policy()).verdict is Verdict.PASSED
    assert verify(sign(document(), world, party, stamped=None), make_policy()).reason == "no_trusted_time"


def test_b42_a_revoked_signer_is_revoked(world, sealed, make_policy):
    entry = Revoked(world.seal, SIGNED - timedelta(days=1))
    report = verify(
        sealed, make_policy(crls=[*world.crls(NOW)[1:], revocation_list(world.seals, NOW - timedelta(hours=1), entry)])
    )
    assert (report.verdict, report.reason) == (Verdict.FAILED, "revoked_before_signing")
    assert report.signatures[0].sub_indication == "REVOKED"


def test_b44_times_keep_their_offset(sealed, policy):
    told = verify(sealed, policy).as_json()["signatures"][0]
    assert told["signed_at"].endswith("+00:00")
    assert "16:00 (UTC+8)" in verify(sealed, policy).summary.zh


def test_b44_a_future_claim_is_flagged_and_not_called_tampering(world, policy, make_policy):
    sealed = sign(document(), world, world.seal, stamped=None)
    claimed = verify(sealed, policy).signatures[0].signed_at
    assert claimed is not None
    at = claimed - timedelta(hours=2)
    report = verify(sealed, make_policy(at=at, crls=world.crls(at - timedelta(hours=1))))
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "claimed_time_in_future")
    assert (report.signatures[0].integrity, report.modified_after_signing) == ("intact", False)
    assert "内容未见改动" in report.summary.zh


def test_b45_sm2_is_named_and_never_a_crash(world, policy):
    """The signature algorithm of a sealed file, renamed to SM2 with SM3."""
    sealed = sign(document(), world, world.seal, stamped=None)
    match = re.search(rb"/Contents <([0-9a-fA-F]+)>", sealed)
    assert match
    place = sealed.lower().rindex(_ECDSA_SHA256, match.start(), match.end())
    pdf = sealed[:place] + _SM2_SM3 + sealed[place + len(_SM2_SM3) :]
    report = verify(pdf, policy)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "unsupported_algorithm")
    assert "SM2" in report.summary.zh
    assert report.signatures[0].indication == "INDETERMINATE"
    assert report.signatures[0].sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"


def test_an_sm2_authority_is_named_too(policy):
    from signing_service.verification.algorithms import name_of

    assert name_of("1.2.156.10197.1.501") == "SM2-SM3"


def test_the_sealed_revision_can_be_had_back(sealed, policy):
    changed = CHANGED["isa_page_content_replaced"](sealed)
    report = verify(changed, policy)
    assert report.intact_revision is not None
    assert verify(changed[: report.intact_revision], policy).reason == "passed"


def test_a_seal_ca_may_not_be_mixed_up_with_officers(world: World):
    policy = Policy(
        {Purpose.OFFICERS: [world.officers.der], Purpose.TIMESTAMPS: [world.times.der]},
        NOW,
        crls=world.crls(NOW - timedelta(days=1)),
    )
    assert verify(sign(document(), world, world.seal), policy).reason == "untrusted_signer"


def test_a_simulated_authority_is_recognised_and_never_passed(world, sealed):
    policy = Policy(
        {Purpose.SIMULATED: [world.seals.der], Purpose.TIMESTAMPS: [world.times.der]},
        NOW,
        crls=world.crls(NOW - timedelta(days=1)),
    )
    report = verify(sealed, policy)
    assert (report.verdict, report.reason, report.exit_code()) == (Verdict.INDETERMINATE, "simulated", 4)


@pytest.mark.parametrize("purposes", [[], ["1.3.6.1.5.5.7.3.2"], ["1.3.6.1.5.5.7.3.9"], ["1.3.6.1.5.5.7.3.1"]])
def test_a_certificate_for_other_work_signs_no_document(purposes, world, policy):
    """Log-in, receipts, paper codes and servers have certificates of the same authority."""
    party = end_entity("登录证书", world.officers, purposes=[ObjectIdentifier(purpose) for purpose in purposes])
    report = verify(sign(document(), world, party, world.officers), policy)
    assert (report.signatures[0].integrity, report.reason) == ("intact", "untrusted_signer")
