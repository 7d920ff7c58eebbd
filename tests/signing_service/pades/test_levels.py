"""B-T, B-LT and B-LTA, judged by an independent validator (pyHanko), also on a document that a seal has locked."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec, SignatureValidationSpec
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from signing_service.pades import revisions
from signing_service.pades.sign import Level, SignatureRequest, add_archive_timestamp, sign
from signing_service.pdf.plain_tokens import NotPlain

MakePdf = Callable[..., bytes]
PATHS = ["fast", "complete"]


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both paths: for the complete one, nothing is plain."""
    if request.param == "complete":

        def never_plain(*_: object) -> None:
            raise NotPlain("by order of the test")

        for name in ("prepare_plainly", "prepare_document_timestamp_plainly", "security_store_plainly"):
            monkeypatch.setattr(revisions, name, never_plain)
    return str(request.param)


def context(pki) -> ValidationContext:
    root = asn1_x509.Certificate.load(pki.key("审批员甲").chain[-1])
    crls = [pki.crl("issuing"), pki.crl("root")]
    return ValidationContext(trust_roots=[root], crls=crls, allow_fetching=False, revocation_mode="hard-fail")


def is_valid(timestamp, pki) -> bool:
    status = validate_pdf_timestamp(timestamp, context(pki))
    return status.intact and status.valid and status.trusted


def signed_at_level(pki, authority, pdf: bytes, now: datetime, level: Level, *, lock: bool = False) -> bytes:
    request = SignatureRequest(field="印章", signed_at=now, level=level, lock=lock)
    return sign(pdf, request, pki.key("示例印章"), timestamper=authority, revocation=pki)


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("lock", [False, True])
def test_every_signature_and_timestamp_is_valid(
    pki, authority, make_pdf: MakePdf, now: datetime, path: str, level: Level, lock: bool, pdfsig
) -> None:
    first = sign(make_pdf(2), SignatureRequest(field="审批", signed_at=now), pki.key("审批员乙"))
    pdf = signed_at_level(pki, authority, first, now, level, lock=lock)
    assert pdf.startswith(first)
    reader = PdfFileReader(io.BytesIO(pdf))
    signatures = reader.embedded_regular_signatures
    assert [signature.field_name for signature in signatures] == ["审批", "印章"]
    for signature in signatures:
        status = validate_pdf_signature(signature, context(pki))
        assert status.bottom_line, status.pretty_print_details()
    timestamps = reader.embedded_timestamp_signatures
    assert len(timestamps) == (1 if level is Level.B_LTA else 0)
    for timestamp in timestamps:
        assert is_valid(timestamp, pki)
    assert pdfsig(pdf)[:2] == ["Signature is Valid."] * 2
    assert ("/DSS" in reader.root) == level.needs_revocation
    if lock:
        assert signatures[1].docmdp_level.value == 1
        assert signatures[1].fieldmdp.action.value == "/All"


def test_an_archive_signature_passes_long_term_validation(
    pki, authority, make_pdf: MakePdf, now: datetime, path: str
) -> None:
    pdf = signed_at_level(pki, authority, make_pdf(), now, Level.B_LTA)
    signature = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures[0]
    root = asn1_x509.Certificate.load(pki.key("示例印章").chain[-1])
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([root]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, freshness=timedelta(days=7)),
        time_tolerance=timedelta(minutes=5),
    )
    spec = PdfSignatureValidationSpec(SignatureValidationSpec(cert_validation_policy=policy))
    import asyncio

    result = asyncio.run(ades_lta_validation(signature, spec))
    assert result.ades_subindic.status.name == "PASSED", result.ades_subindic


def test_material_is_stored_once(pki, authority, make_pdf: MakePdf, now: datetime, path: str) -> None:
    first = sign(
        make_pdf(),
        SignatureRequest(field="一", signed_at=now, level=Level.B_LT),
        pki.key("审批员甲"),
        timestamper=authority,
        revocation=pki,
    )
    second = sign(
        first,
        SignatureRequest(field="二", signed_at=now, level=Level.B_LT),
        pki.key("审批员乙"),
        timestamper=authority,
        revocation=pki,
    )
    store = PdfFileReader(io.BytesIO(second)).root["/DSS"]
    certificates = [item.get_object().data for item in store["/Certs"].iterate()]
    assert len(certificates) == len(set(certificates)) == 5  # two signers, the authority, issuing and root
    assert len(store["/CRLs"]) == 2


def test_archive_timestamps_repeat(pki, authority, make_pdf: MakePdf, now: datetime, path: str, pdfsig) -> None:
    once = signed_at_level(pki, authority, make_pdf(), now, Level.B_LTA, lock=True)
    twice = add_archive_timestamp(once, authority)
    assert twice.startswith(once)
    reader = PdfFileReader(io.BytesIO(twice))
    names = [signature.field_name for signature in reader.embedded_timestamp_signatures]
    assert len(set(names)) == 2
    for timestamp in reader.embedded_timestamp_signatures:
        assert is_valid(timestamp, pki)
    assert validate_pdf_signature(reader.embedded_regular_signatures[0], context(pki)).bottom_line
