"""Signing: what is in the file, that others call it valid, and that it works in every kind of caller."""

from __future__ import annotations

import asyncio
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from hardware.ports import Mechanism
from signing_service.pades.errors import ContainerTooSmall, SignatureMismatch, TimestampFailed
from signing_service.pades.sign import Level, SignatureRequest, complete, prepare, sign
from signing_service.pdf.prepared import PreparedAltered, PreparedSignature

MakePdf = Callable[..., bytes]
Pdfsig = Callable[[bytes], list[str]]


@pytest.fixture
def request_(now: datetime) -> SignatureRequest:
    local = now.astimezone(timezone(timedelta(hours=8)))
    return SignatureRequest(field="签名1", signed_at=local, name="审批员甲", reason="同意 (100%)", location="示例市")


def signed_data(pdf: bytes, index: int = 0) -> tuple[PdfFileReader, dict[str, object], cms.SignedData]:
    reader = PdfFileReader(io.BytesIO(pdf))
    signature = reader.embedded_signatures[index]
    return reader, signature.sig_object, signature.signed_data


@pytest.mark.parametrize("signer", ["审批员甲", "审批员乙"])
def test_a_signature_is_what_the_standard_says(
    pki, make_pdf: MakePdf, request_: SignatureRequest, pdfsig: Pdfsig, signer: str
) -> None:
    assert tsp.SigningCertificateV2  # registers the attribute
    pdf = make_pdf()
    signed = sign(pdf, request_, pki.key(signer))
    assert signed.startswith(pdf)
    assert pdfsig(signed) == ["Signature is Valid."]
    _, dictionary, data = signed_data(signed)
    assert dictionary["/SubFilter"] == "/ETSI.CAdES.detached"
    assert "/Cert" not in dictionary
    (info,) = data["signer_infos"]
    kinds = sorted(attribute["type"].native for attribute in info["signed_attrs"])
    assert kinds == ["content_type", "message_digest", "signing_certificate_v2"]
    assert data["encap_content_info"]["content"].native is None
    assert {item.chosen.dump() for item in data["certificates"]} == {  # B38: those between it and the root as well
        pki.key(signer).certificate,
        *pki.key(signer).chain,
    }


def test_b44_the_claimed_time_keeps_its_offset(pki, make_pdf: MakePdf, request_: SignatureRequest) -> None:
    _, dictionary, _ = signed_data(sign(make_pdf(), request_, pki.key("审批员甲")))
    assert str(dictionary["/M"]).startswith(f"D:{request_.signed_at:%Y%m%d%H%M%S}+08'00'")
    assert (dictionary["/Name"], dictionary["/Reason"]) == ("审批员甲", "同意 (100%)")
    assert dictionary["/Location"] == "示例市"


def test_a_naive_time_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="time zone"):
        SignatureRequest(field="a", signed_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_timestamp_covers_the_signature_value(
    pki, authority, make_pdf: MakePdf, request_: SignatureRequest, pdfsig: Pdfsig
) -> None:
    stamped = SignatureRequest(**{**vars(request_), "level": Level.B_T})
    signed = sign(make_pdf(), stamped, pki.key("审批员甲"), timestamper=authority)
    assert pdfsig(signed) == ["Signature is Valid."]
    (info,) = signed_data(signed)[2]["signer_infos"]
    token = info["unsigned_attrs"][0]["values"][0]["content"]["encap_content_info"]["content"].parsed
    imprint = token["message_imprint"]["hashed_message"].native
    assert imprint == hashlib.sha256(info["signature"].native).digest()


def test_b18_an_outside_signature_stays_valid_under_our_seal(
    pki, make_pdf: MakePdf, now: datetime, pdfsig: Pdfsig
) -> None:
    """Signed elsewhere, by another program: our seal continues its bytes and wipes nothing."""
    key = pki.key("审批员甲")

    class Outsider(signers.Signer):
        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            return key.sign(data, Mechanism.RSA_PKCS1_SHA256)

    outsider = Outsider(
        signing_cert=asn1_x509.Certificate.load(key.certificate), cert_registry=SimpleCertificateStore()
    )
    metadata = signers.PdfSignatureMetadata(field_name="外部", md_algorithm="sha256")
    theirs = signers.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(make_pdf())), metadata, outsider).getvalue()
    assert pdfsig(theirs) == ["Signature is Valid."]
    ours = sign(theirs, SignatureRequest(field="印章", signed_at=now), pki.key("示例印章"))
    assert ours.startswith(theirs)
    assert pdfsig(ours) == ["Signature is Valid."] * 2


def test_several_signers_stay_valid(pki, make_pdf: MakePdf, now: datetime, pdfsig: Pdfsig) -> None:
    pdf = make_pdf(3)
    for number, signer in enumerate(["审批员甲", "审批员乙", "示例印章"]):
        before = pdf
        pdf = sign(pdf, SignatureRequest(field=f"环节{number}", signed_at=now), pki.key(signer))
        assert pdf.startswith(before)
    assert pdfsig(pdf) == ["Signature is Valid."] * 3


def test_b24_prepared_signed_and_completed_in_three_processes(
    pki, make_pdf: MakePdf, request_: SignatureRequest, pdfsig: Pdfsig, tmp_path: Path
) -> None:
    key = pki.key("审批员甲")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain)
    (tmp_path / "document.pdf").write_bytes(prepared.document)
    (tmp_path / "prepared.json").write_text(prepared.to_json(), encoding="utf-8")
    checker = (
        "import sys, pathlib; from signing_service.pdf.prepared import PreparedSignature as P\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "document, text = (folder / 'document.pdf').read_bytes(), (folder / 'prepared.json').read_text('utf-8')\n"
        "prepared = P.from_json(text, document)\n"
        "prepared.check(); sys.stdout.buffer.write(prepared.signed_attributes)\n"
    )
    done = subprocess.run([sys.executable, "-c", checker, str(tmp_path)], capture_output=True, check=True)
    value = key.sign(done.stdout, Mechanism.RSA_PKCS1_SHA256)
    again = PreparedSignature.from_json((tmp_path / "prepared.json").read_text("utf-8"), prepared.document)
    signed = complete(again, value, certificate=key.certificate, chain=key.chain)
    assert pdfsig(signed) == ["Signature is Valid."]


def test_b24_an_altered_prepared_file_is_not_completed(pki, make_pdf: MakePdf, request_: SignatureRequest) -> None:
    key = pki.key("审批员甲")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain)
    value = key.sign(prepared.signed_attributes, Mechanism.RSA_PKCS1_SHA256)
    altered = prepared.document.replace(b"/MediaBox", b"/MediaBax")
    assert altered != prepared.document
    tampered = PreparedSignature.from_json(prepared.to_json(), altered)
    with pytest.raises(PreparedAltered):
        complete(tampered, value, certificate=key.certificate, chain=key.chain)


@pytest.mark.parametrize("raw", [bytes(64), b"\x00" * 31 + b"\x01" + b"\xff" * 32, bytes(63), b""])
def test_b08_a_raw_elliptic_value_is_not_embedded(
    pki, make_pdf: MakePdf, request_: SignatureRequest, raw: bytes
) -> None:
    key = pki.key("审批员乙")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain)
    with pytest.raises(SignatureMismatch):
        complete(prepared, raw, certificate=key.certificate, chain=key.chain)


def test_another_keys_value_is_not_embedded(pki, make_pdf: MakePdf, request_: SignatureRequest) -> None:
    key, other = pki.key("审批员甲"), pki.key("示例印章")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain)
    value = other.sign(prepared.signed_attributes, Mechanism.RSA_PKCS1_SHA256)
    with pytest.raises(SignatureMismatch):
        complete(prepared, value, certificate=key.certificate, chain=key.chain)


def test_a_foreign_timestamp_is_not_embedded(pki, authority, make_pdf: MakePdf, request_: SignatureRequest) -> None:
    key = pki.key("审批员甲")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain)
    value = key.sign(prepared.signed_attributes, Mechanism.RSA_PKCS1_SHA256)
    for token in (authority.timestamp(bytes(32)), b"<html>502 Bad Gateway</html>", b""):
        with pytest.raises(TimestampFailed):
            complete(prepared, value, certificate=key.certificate, chain=key.chain, timestamp_token=token)


def test_complete_says_how_much_room_is_needed(pki, make_pdf: MakePdf, request_: SignatureRequest) -> None:
    key = pki.key("审批员甲")
    prepared = prepare(make_pdf(), request_, key.certificate, key.chain, room=64)
    value = key.sign(prepared.signed_attributes, Mechanism.RSA_PKCS1_SHA256)
    with pytest.raises(ContainerTooSmall) as refused:
        complete(prepared, value, certificate=key.certificate, chain=key.chain)
    enough = prepare(make_pdf(), request_, key.certificate, key.chain, room=refused.value.needed)
    value = key.sign(enough.signed_attributes, Mechanism.RSA_PKCS1_SHA256)
    assert complete(enough, value, certificate=key.certificate, chain=key.chain)


def test_it_works_inside_a_running_event_loop(
    pki, make_pdf: MakePdf, request_: SignatureRequest, pdfsig: Pdfsig
) -> None:
    async def handler() -> bytes:
        return sign(make_pdf(CropBox=[10, 10, 500, 700]), request_, pki.key("审批员甲"))

    assert pdfsig(asyncio.run(handler())) == ["Signature is Valid."]


def test_it_works_from_many_threads(pki, make_pdf: MakePdf, request_: SignatureRequest, pdfsig: Pdfsig) -> None:
    pdf = make_pdf()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: sign(pdf, request_, pki.key("审批员乙")), range(16)))
    for signed in results:
        assert pdfsig(signed) == ["Signature is Valid."]
