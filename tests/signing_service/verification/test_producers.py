"""Files as other programs write them: what is permitted stays passed, and what is not is told, on all of them."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
import rich_document
import sealed_files
from pdf_bytes import stream
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from sealed_files import SIGNED, sign, stamp_document
from test_corpora import NOW, rows

from signing_service.verification.document import Document, PdfFile
from signing_service.verification.engine import verify
from signing_service.verification.limits import Spending
from signing_service.verification.policy import Policy
from signing_service.verification.reasons import Verdict
from signing_service.verification.syntax import Ref

STREAMS = pikepdf.ObjectStreamMode.generate
WRITTEN = {
    "plain": {},
    "linearised": {"linearize": True},
    "linearised with object streams": {"linearize": True, "object_stream_mode": STREAMS},
    "object streams": {"object_stream_mode": STREAMS},
    "AES-128": {"encryption": pikepdf.Encryption(owner="o", user="", R=4)},
    "AES-256 with object streams": {
        "encryption": pikepdf.Encryption(owner="o", user="", R=6), "object_stream_mode": STREAMS,
    },
}  # fmt: skip


@pytest.fixture
def opens_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signing library wants to be told the empty password."""

    def opened(file: BytesIO, strict: bool) -> IncrementalPdfFileWriter:
        writer = IncrementalPdfFileWriter(file, strict=strict)
        if writer.prev.encrypted:
            writer.encrypt("")
        return writer

    monkeypatch.setattr(sealed_files, "IncrementalPdfFileWriter", opened)


@pytest.mark.usefixtures("opens_encrypted")
@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_seal_a_signature_and_a_timestamp_on_any_file(name, world, policy):
    out = BytesIO()
    with pikepdf.open(BytesIO(rich_document.rich_document())) as source:
        source.save(out, **WRITTEN[name])
    once = sign(out.getvalue(), world, world.seal, certify=2)
    twice = sign(once, world, world.officer, world.officers, field="Second", box=(50, 50, 150, 150))
    stamped = stamp_document(twice, world, SIGNED + timedelta(days=1))
    for pdf in (once, twice, stamped):
        report = verify(pdf, policy)
        assert (report.verdict, report.modified_after_signing) == (Verdict.PASSED, False), report.checks


def content_of_page_1(document: Document) -> Ref | None:
    node = document.dictionary(document.catalog.get("Pages"))
    for _ in range(20):
        kids = document.array(node.get("Kids"))
        if not kids:
            break
        node = document.dictionary(kids[0])
    content = node.get("Contents")
    if isinstance(document.resolve(content), list):
        content = next(iter(document.array(content)), None)
    return content if isinstance(content, Ref) else None


def with_content_replaced(pdf: bytes) -> bytes | None:
    """The first page's content exchanged by an update; None for files that keep it elsewhere or are encrypted."""
    document = Document(PdfFile(pdf, Spending()), len(pdf))
    found = content_of_page_1(document)
    if document.rebuilt or "Encrypt" in document.trailer or found is None:
        return None
    root, out = document.trailer["Root"], bytearray(pdf + b"\n")
    place = len(out)
    out += b"%d %d obj\n%s\nendobj\n" % (found.number, found.generation, stream(b"BT (Permit 2026-9999) Tj ET"))
    start = len(out)
    out += b"xref\n%d 1\n%010d %05d n \n" % (found.number, place, found.generation)
    out += b"trailer\n<< /Size %d /Root %d %d R /Prev %d >>\n" % (
        max(document.xref) + 1, root.number, root.generation, document.last_startxref(),
    )  # fmt: skip
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


@pytest.mark.corpora
def test_a_page_exchanged_in_every_sound_file_of_the_corpora(corpora):
    tried, missed = 0, []
    for row in rows(corpora, "signed-good/"):
        pdf = (corpora / row["path"]).read_bytes()
        changed = with_content_replaced(pdf)
        if changed is None:
            continue
        tried += 1
        report = verify(changed, Policy({}, NOW))
        if report.verdict is not Verdict.FAILED or not report.modified_after_signing:
            missed.append((row["path"], report.reason))
    assert missed == []
    assert tried > 40
