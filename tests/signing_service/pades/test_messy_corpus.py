"""Every unsigned file of the external corpus: two visible signatures and a locking seal, or a named refusal."""

from __future__ import annotations

import io
import subprocess
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from hardware.ports import Mechanism
from signing_service.pades import preparation
from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.errors import PadesError
from signing_service.pades.growing_file import MemoryFile
from signing_service.pades.placing import Placing
from signing_service.pades.plain_preparation import prepare_plainly
from signing_service.pades.sign import Level, SignatureRequest, complete, sign
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pdf.errors import PdfRefusal
from signing_service.pdf.pdfium import opened_in_pdfium
from signing_service.pdf.picture import VectorPicture
from signing_service.pdf.plain_tokens import NotPlain
from signing_service.pdf.prepared import PreparedSignature
from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose

pytestmark = pytest.mark.corpora

PICTURE = VectorPicture(b"q 1 0 0 RG 3 w 2 2 115 115 re S Q", 42, 42)


def requests(now: datetime) -> list[tuple[str, SignatureRequest]]:
    def text(field: str, lines: list[str], x: float) -> SignatureRequest:
        placing = Placing(-1, x, 60, 60, 22)
        return SignatureRequest(field=field, signed_at=now, appearance=TextAppearance(lines), placing=placing)

    seal = SignatureRequest(
        field="印章",
        signed_at=now,
        appearance=SealAppearance(PICTURE),
        placing=Placing(-1, 130, 20),
        lock=True,
        level=Level.B_T,
    )
    return [
        ("审批员甲", text("经办", ["审批人:审批员甲", "部门:示例市审批局", "意见:同意"], 20)),
        ("审批员乙", text("审核", ["审批人:审批员乙"], 90)),
        ("示例印章", seal),
    ]


def test_a_corpus_file_is_signed_and_sealed_or_refused_by_name(
    pki, authority, messy_file, now: datetime, pdfsig
) -> None:
    original = messy_file.data
    signed = original
    try:
        for signer, request in requests(now):
            signed = sign(signed, request, pki.key(signer), timestamper=authority)
    except (PdfRefusal, PadesError) as failure:
        refusal = failure
    else:
        assert messy_file.expected != "refuse"
        assert signed.startswith(original)
        assert pdfsig(signed) == ["Signature is Valid."] * 3
        return
    assert messy_file.expected != "sign", str(refusal)
    assert refusal.code not in ("pdf_refused", "pades_error")
    assert signed is original, "refused after the first signature"


def checked_by_qpdf(pdf: bytes, folder: Path) -> int:
    path = folder / "checked.pdf"
    path.write_bytes(pdf)
    return subprocess.run(["qpdf", "--check", str(path)], capture_output=True, check=False).returncode


def facts(pdf: bytes) -> dict[str, object]:
    """What the last signature looks like to an independent reader."""
    reader = PdfFileReader(io.BytesIO(pdf), strict=False)
    signature = reader.embedded_signatures[-1]
    field, dictionary = signature.sig_field, signature.sig_object
    signature.compute_integrity_info(skip_diff=True)
    box = [round(float(value), 2) for value in field["/Rect"]]
    form = field["/AP"]["/N"]
    return {
        "name": str(field["/T"]),
        "box": box,
        "flags": int(field["/F"]),
        "entries": sorted(set(dictionary) - {"/Contents", "/ByteRange"}),
        "reference": [str(item.get_object()["/TransformMethod"]) for item in dictionary["/Reference"].iterate()],
        "lock": str(field["/Lock"]["/Action"]),
        "appearance": form.data,
        "turned": [float(value) for value in form["/Matrix"]],
        "form size": [round(float(value), 2) for value in form["/BBox"]],
        "coverage": signature.coverage.name,
        "page": int(field.raw_get("/P").idnum),
        "fields": [str(item.get_object().get("/T")) for item in reader.root["/AcroForm"]["/Fields"].iterate()],
    }


def judged(pdf: bytes, pki, now: datetime) -> list[tuple[object, ...]]:
    """The last signature as our own engine sees it, and the headline."""
    policy = Policy(
        {Purpose.SEALS: [pki.key("示例印章").chain[-1]]},
        now,
        crls=pki.evidence([]).crls,
        certificates=pki.key("示例印章").chain,
    )
    report = verify(pdf, policy)
    last = report.signatures[-1]
    assert last.integrity == "intact"
    return [
        (report.verdict, report.reason),
        (last.field, last.indication, last.sub_indication, last.level, last.docmdp),
    ]


def shown(pdf: bytes) -> list[bytes]:
    """All pixels of the sealed page, and how many there are a row; nothing for a page without extent."""
    with opened_in_pdfium(pdf) as document:
        document.init_forms()
        page = document[len(document) - 1]
        if min(page.get_size()) <= 0:
            return []
        picture = page.render(scale=0.5, may_draw_forms=True).to_numpy()
        return [str(picture.shape).encode(), picture.tobytes()]


def test_both_paths_make_the_same_signature(pki, messy_file, now: datetime, pdfsig, tmp_path: Path) -> None:
    """Differential: wherever the fast path takes a file, the complete one would have made the same of it."""
    original = messy_file.data
    request = replace(requests(now)[-1][1], level=Level.B_B)
    key = pki.key("示例印章")
    try:
        prepare_plainly(MemoryFile(original), request, 8192)
    except NotPlain:
        return  # the complete path alone takes it
    fast = sign(original, request, key)
    try:
        slow = completely_signed(original, request, key)
    except PdfRefusal:
        # the fast path reads only the page that it signs, so damage elsewhere goes unseen; pdfsig reads the result
        assert messy_file.expected == "sign_or_named_refusal"
        return
    assert facts(fast) == facts(slow)
    assert judged(fast, pki, now) == judged(slow, pki, now)
    assert shown(fast) == shown(slow)
    assert pdfsig(fast) == pdfsig(slow) == ["Signature is Valid."]
    assert checked_by_qpdf(fast, tmp_path) <= checked_by_qpdf(slow, tmp_path)


def test_most_ordinary_files_are_plain(now: datetime, corpora: Path) -> None:
    request = replace(requests(now)[-1][1], level=Level.B_B)
    plain = 0
    for path in (corpora / "unsigned-messy").glob("*.pdf"):
        with suppress(NotPlain):
            prepare_plainly(MemoryFile(path.read_bytes()), request, 8192)
            plain += 1
    assert plain >= 45


def completely_signed(pdf: bytes, request: SignatureRequest, key) -> bytes:
    room = 8192
    update = preparation.prepare_completely(pdf, request, room)
    digest = MemoryFile(pdf).digest_with(update)
    attributes = build_signed_attributes(digest, key.certificate)
    prepared = PreparedSignature(pdf + bytes(update.content), update.container.byte_range, digest, attributes, "印章")
    value = key.sign(attributes, Mechanism.RSA_PKCS1_SHA256)
    return complete(prepared, value, certificate=key.certificate, chain=key.chain)
