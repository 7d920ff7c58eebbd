"""The external corpora: every row judged as its manifest expects, with no exception list; messy files always get an
answer."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.reasons import Verdict
from signing_service.verification.report import Report

pytestmark = pytest.mark.corpora
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def rows(corpora: Path, *kinds: str) -> list[dict[str, str]]:
    with (corpora / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return [
            row
            for row in csv.DictReader(file, delimiter="\t")
            if row["path"].startswith(kinds) and row["path"].endswith(".pdf")
        ]


@pytest.fixture(scope="module")
def anchors(corpora: Path) -> dict[Purpose, list[bytes]]:
    found = [
        certificate.public_bytes(Encoding.DER)
        for path in sorted((corpora / "pki/anchors").glob("*.pem"))
        for certificate in x509.load_pem_x509_certificates(path.read_bytes())
    ]
    return dict.fromkeys((Purpose.SEALS, Purpose.OFFICERS, Purpose.TIMESTAMPS, Purpose.OUTSIDE), found)


def wrong(expected: str, report: Report) -> str | None:
    """None when the report is what the row expects (README of the corpora)."""
    integrity = {signature.integrity for signature in report.signatures}
    if expected == "INTACT":
        right = integrity == {"intact"} and not report.modified_after_signing and report.verdict is not Verdict.FAILED
    elif expected == "INTACT_BUT_CHANGED":
        right = report.verdict is not Verdict.PASSED and (
            report.modified_after_signing or report.verdict is Verdict.FAILED
        )
    elif expected == "BROKEN":
        right = report.verdict is Verdict.FAILED
    elif expected == "UNVERIFIABLE":
        right = report.verdict is Verdict.INDETERMINATE
    elif expected == "NO_SIGNATURE":
        right = report.reason == "no_signature"
    else:
        right = bool(report.reason)
    return (
        None
        if right
        else f"{report.verdict} {report.reason} {sorted(integrity)} changed={report.modified_after_signing}"
    )


@pytest.mark.parametrize("trusted", [False, True], ids=["no anchors", "anchors"])
@pytest.mark.parametrize("kind", ["signed-good/", "signed-attacked/", "signed-broken/"])
def test_every_row_is_right(kind, trusted, corpora, anchors):
    policy = Policy(anchors if trusted else {}, NOW)
    found = {}
    for row in rows(corpora, kind):
        problem = wrong(row["expected"].split()[0].rstrip(":;,"), verify((corpora / row["path"]).read_bytes(), policy))
        if problem:
            found[row["path"]] = (row["expected"][:30], problem)
    assert found == {}


def test_messy_files_all_get_an_answer(corpora):
    for row in rows(corpora, "unsigned-messy/"):
        report = verify((corpora / row["path"]).read_bytes(), Policy({}, NOW))
        assert report.verdict is Verdict.INDETERMINATE, row["path"]
        assert report.reason in ("no_signature", "unreadable", "password_needed", "resource_limit", "not_signed_yet"), (
            row["path"]
        )
        if "NO_SIGNATURE" in row["expected"]:
            assert report.reason == "no_signature", row["path"]


LEVELS = {
    "itext-B-B": "B-B",
    "itext-B-T": "B-T",
    "itext-B-LT": "B-LT",
    "itext-B-LTA": "B-LTA",
    "itext-B-LTA_with_rev_data_after_timestamp": "B-LT",
    "itext-B-LT_timestamp_rev_data_missing": "B-T",
}


def carried_roots(pdf: bytes) -> list[bytes]:
    """Self-issued authorities that a file brings along: its source's own roots, which the corpora do not hold."""
    from signing_service.verification.certificates import load_all
    from signing_service.verification.container import read_container
    from signing_service.verification.discovery import Revisions, find_signatures
    from signing_service.verification.document import Document, PdfFile
    from signing_service.verification.dss import read_security_store
    from signing_service.verification.limits import Spending

    document = Document(PdfFile(pdf, Spending()), len(pdf))
    found = list(read_security_store(document).certificates)
    for item in find_signatures(document.file, Revisions(document.file, document)):
        container = read_container(item.dictionary["Contents"])
        found += container.certificates
        found += [der for token in container.tokens for der in read_container(token).certificates]
    return [certificate.der for certificate in load_all(found) if certificate.is_ca and certificate.self_issued]


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_levels(name, corpora):
    pdf = (corpora / "signed-good" / f"{name}.pdf").read_bytes()
    roots = carried_roots(pdf)
    policy = Policy(dict.fromkeys((Purpose.SEALS, Purpose.TIMESTAMPS), roots), NOW, revocation_required=False)
    signature = next(signature for signature in verify(pdf, policy).signatures if signature.kind != "timestamp")
    assert signature.level == LEVELS[name], [check.as_json() for check in signature.checks]


def test_disputed_rows_are_argued():
    """What we answer where the sources differ, and why. Held by `test_every_row_is_right` only to give an answer.

    dss-DSS1376-rev_n: fields filled between two signatures without any certification. We accept what an intact later
    signature answers for; where more than values changed we say modified.
    itext-mgfDiscrepancy: PSS whose MGF1 hash differs from its digest: indeterminate, unsupported combination.
    itext-signatureWithInvalidOcspTest: a response for another certificate is no evidence: the state stays unknown.
    dss-DSS-1683: the signing-certificate attribute names another certificate: indeterminate.
    dss-PAdES-BpB-att-SHA256-SHA3_256withRSA: two digests in one signature: indeterminate.
    pdfjs-signed_verified: the brackets of /Contents lie inside the signed ranges: the hole is not the value: failed.
    """


DISPUTED = {
    "signed-attacked/itext-mgfDiscrepancy.pdf": (Verdict.INDETERMINATE, "unsupported_algorithm"),
    "signed-broken/dss-DSS-1683.pdf": (Verdict.INDETERMINATE, None),
    "signed-broken/dss-PAdES-BpB-att-SHA256-SHA3_256withRSA.pdf": (Verdict.INDETERMINATE, "unsupported_algorithm"),
    "signed-broken/pdfjs-signed_verified.pdf": (Verdict.FAILED, "signature_malformed"),
}


@pytest.mark.parametrize("path", sorted(DISPUTED))
def test_disputed(path, corpora, anchors):
    report = verify((corpora / path).read_bytes(), Policy(anchors, NOW))
    verdict, reason = DISPUTED[path]
    assert report.verdict is verdict
    assert reason is None or report.reason == reason


def test_sm2_is_named(corpora):
    """B45: an SM2 certificate is never a crash."""
    from signing_service.verification.certificates import load, signed_with_sm2

    raw = (corpora / "pki/sm2/ofdrw-sign_cert.pem").read_bytes()
    certificate = load(x509.load_pem_x509_certificate(raw).public_bytes(Encoding.DER))
    assert certificate is not None
    assert "SM2" in (signed_with_sm2(certificate) or "")
