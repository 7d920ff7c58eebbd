"""The bytes in the hole are signed by nobody: every way to rebuild the container is failed or cannot be confirmed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from pdf_bytes import append, body_of, document, number_with, size_of
from pki_world import end_entity
from sealed_files import SIGNED, sign, stamp_document

from signing_service.verification.engine import verify
from signing_service.verification.reasons import Verdict

_CONTENTS = re.compile(rb"/Contents <([0-9a-fA-F]+)>")


def rebuilt(pdf: bytes, change: Callable[[Any, Any], object], which: int = 0) -> bytes:
    """The container of one signature after `change(signed data, signer info)`, in the same hole."""
    match = list(_CONTENTS.finditer(pdf))[which]
    info = cms.ContentInfo.load(bytes.fromhex(match[1].decode()))
    change(info["content"], info["content"]["signer_infos"][0])
    new = info.dump(force=True).hex().encode()
    assert len(new) <= len(match[1])
    return pdf[: match.start(1)] + new.ljust(len(match[1]), b"0") + pdf[match.end(1) :]


def token_of(pdf: bytes) -> Any:
    match = _CONTENTS.search(pdf)
    assert match
    signer = cms.ContentInfo.load(bytes.fromhex(match[1].decode()))["content"]["signer_infos"][0]
    return next(
        one["values"][0] for one in signer["unsigned_attrs"] if one["type"].native == "signature_time_stamp_token"
    )


def with_token(signer: Any, token: Any) -> None:
    signer["unsigned_attrs"] = cms.CMSAttributes(
        [cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})]
    )


def later_time(_data: Any, signer: Any) -> None:
    """genTime inside the token, a year earlier."""
    token = signer["unsigned_attrs"][0]["values"][0]
    content = token["content"]["encap_content_info"]["content"]
    info = tsp.TSTInfo.load(content.parsed.dump())
    info["gen_time"] = SIGNED - timedelta(days=365)
    token["content"]["encap_content_info"] = {
        "content_type": "tst_info", "content": core.ParsableOctetString(info.dump(force=True)),
    }  # fmt: skip
    with_token(signer, token)


def own_content(data: Any, _signer: Any) -> None:
    data["encap_content_info"] = {"content_type": "data", "content": b"Permit 2026-9999"}


def no_certificates(data: Any, _signer: Any) -> None:
    data["certificates"] = cms.CertificateSet([])


def two_signers(data: Any, signer: Any) -> None:
    signer["unsigned_attrs"] = None
    data["signer_infos"] = [signer, signer]


def no_signers(data: Any, _signer: Any) -> None:
    data["signer_infos"] = []


def value_of_zero(_data: Any, signer: Any) -> None:
    signer["signature"] = bytes.fromhex("3006020100020100")


def value_empty(_data: Any, signer: Any) -> None:
    signer["signature"] = b""


def attributes_dropped(_data: Any, signer: Any) -> None:
    signer["signed_attrs"] = None


def digest_renamed(_data: Any, signer: Any) -> None:
    signer["digest_algorithm"] = {"algorithm": "sha512"}


def attribute_doubled(_data: Any, signer: Any) -> None:
    signer["signed_attrs"] = cms.CMSAttributes([*signer["signed_attrs"], signer["signed_attrs"][0]])


def attribute_of_another_document(_data: Any, signer: Any) -> None:
    for one in signer["signed_attrs"]:
        if one["type"].native == "message_digest":
            one["values"] = [b"\0" * 32]


FAILED = [later_time, own_content, value_of_zero, value_empty, attributes_dropped, attribute_doubled,
          attribute_of_another_document]  # fmt: skip
UNKNOWN = [digest_renamed, no_certificates, two_signers, no_signers]


@pytest.mark.parametrize("change", FAILED)
def test_a_rebuilt_container_fails(change, sealed, policy):
    report = verify(rebuilt(sealed, change), policy)
    assert report.verdict is Verdict.FAILED, report.reason


@pytest.mark.parametrize("change", UNKNOWN)
def test_a_container_that_cannot_be_judged_is_never_passed(change, sealed, policy):
    assert verify(rebuilt(sealed, change), policy).verdict is Verdict.INDETERMINATE


def test_an_untouched_container_still_passes(sealed, policy):
    assert verify(rebuilt(sealed, lambda data, signer: None), policy).verdict is Verdict.PASSED


def test_the_timestamp_of_another_signature_fails(world, sealed, policy):
    other = sign(document(3), world, world.seal)
    report = verify(rebuilt(sealed, lambda _, signer: with_token(signer, token_of(other))), policy)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "timestamp_invalid")


def test_the_timestamp_of_the_second_signature_on_the_first_fails(world, sealed, policy):
    twice = sign(sealed, world, world.officer, world.officers, field="Second", box=(50, 50, 150, 150))
    second = list(_CONTENTS.finditer(twice))
    assert len(second) == 2
    token = token_of(twice[: second[1].start()] if second[0].start() < second[1].start() else twice)
    report = verify(rebuilt(twice, lambda _, signer: with_token(signer, token), which=1), policy)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "timestamp_invalid")


def test_a_certificate_with_the_same_name_and_number_does_not_help(world, sealed, policy):
    """The signer identifier names it, the signed attribute does not."""
    forged = end_entity("示例市行政审批专用章", world.stranger)

    def change(data: Any, signer: Any) -> None:
        data["certificates"] = [cms.CertificateChoices("certificate", forged.asn1)]
        signer["sid"] = cms.SignerIdentifier(
            "issuer_and_serial_number",
            {"issuer": forged.asn1.issuer, "serial_number": forged.asn1.serial_number},
        )

    assert verify(rebuilt(sealed, change), policy).verdict is not Verdict.PASSED


def test_a_document_timestamp_taken_over_into_a_second_field_fails(world, sealed, policy):
    stamped = stamp_document(sealed, world, SIGNED + timedelta(days=1))
    assert verify(stamped, policy).verdict is Verdict.PASSED
    value = body_of(stamped, number_with(stamped, rb"/ETSI.RFC3161"))
    number = size_of(stamped)
    form = re.sub(rb"/Fields\s*\[", b"/Fields [%d 0 R " % number, body_of(stamped, 1))
    copied = append(
        stamped, {1: form, number: b"<< /FT /Sig /T (Time2) /V %d 0 R >>" % (number + 1), number + 1: value}
    )
    assert verify(copied, policy).verdict is Verdict.FAILED
