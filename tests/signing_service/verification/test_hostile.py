"""Any input gives a report: fuzzed files, bombs, depth, loops, floods of objects and fields."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pdf_bytes import append, document, stream, write

from signing_service.verification.engine import verify
from signing_service.verification.limits import Limits
from signing_service.verification.reasons import REASONS, Verdict
from signing_service.verification.report import Report

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
PIECES = [
    b"obj",
    b"endobj",
    b"stream",
    b"endstream",
    b"xref",
    b"trailer",
    b"startxref",
    b"%%EOF",
    b"<<",
    b">>",
    b"[",
    b"]",
    b"(",
    b"<",
    b"/Kids",
    b" 0 R",
    b"null",
    b"-1",
    b"9" * 12,
]


def sound(report: Report) -> None:
    """What every report must be, and that no file was caught only by the last line of defence."""
    assert report.reason in REASONS
    assert report.as_json()["verdict"] in ("passed", "indeterminate", "failed")
    for check in report.checks:
        assert not check.detail.startswith(SURPRISES), check.detail


SURPRISES = (
    "TypeError",
    "AttributeError",
    "KeyError",
    "IndexError",
    "ValueError",
    "ZeroDivisionError",
    "AssertionError",
    "UnicodeDecodeError",
    "struct.error",
)


@FEW
@given(st.binary(max_size=400))
def test_any_bytes(policy, data):
    sound(verify(data, policy))
    sound(verify(b"%PDF-1.7\n" + data + b"\nstartxref\n9\n%%EOF", policy))


@FEW
@given(st.data())
def test_mutations_of_a_sealed_file_are_never_passed(sealed, policy, data):
    """Bytes overwritten inside what is signed."""
    pdf = bytearray(sealed)
    for _ in range(data.draw(st.integers(1, 4))):
        piece = data.draw(st.one_of(st.sampled_from(PIECES), st.binary(min_size=1, max_size=8)))
        place = data.draw(st.integers(0, len(pdf) - len(piece)))
        pdf[place : place + len(piece)] = piece
    report = verify(bytes(pdf), policy)
    sound(report)
    if bytes(pdf) != sealed and _outside_padding(sealed, bytes(pdf)):
        assert report.verdict is not Verdict.PASSED


def _outside_padding(before: bytes, after: bytes) -> bool:
    """Did anything change besides the zeros behind the signature value, which no signature can cover?"""
    start = before.index(b"/Contents <")
    end = before.index(b">", start)
    return before[:start] != after[:start] or before[end:] != after[end:]


@FEW
@given(st.integers(1, 3000), st.sampled_from(PIECES))
def test_truncations_and_insertions(sealed, policy, cut, piece):
    sound(verify(sealed[:-cut], policy))
    report = verify(sealed[:cut] + piece + sealed[cut:], policy)
    sound(report)
    assert report.verdict is not Verdict.PASSED


@FEW
@given(st.binary(min_size=1, max_size=200))
def test_anything_appended_is_never_passed(sealed, policy, tail):
    report = verify(sealed + tail, policy)
    sound(report)
    assert (report.verdict is Verdict.PASSED) is (not tail.strip(b"\0\t\n\f\r "))


@FEW
@given(
    st.dictionaries(
        st.integers(1, 30),
        st.sampled_from(
            [
                b"null",
                b"<< >>",
                b"[1 0 R]",
                b"(x)",
                b"<< /Type /Catalog /Pages 1 0 R >>",
                stream(b"x"),
                b"<< /Kids [1 0 R 2 0 R] /FT /Sig /V 3 0 R >>",
                b"<< /ByteRange [0 1 2 3] /Contents <00ff> >>",
            ]
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_update_of_a_sealed_file(sealed, policy, objects):
    report = verify(append(sealed, objects), policy)
    sound(report)


def bomb(layers: int) -> bytes:
    import zlib

    content = b"0" * (60 << 20)
    for _ in range(layers):
        content = zlib.compress(content, 9)
    names = b"[" + b"/FlateDecode " * layers + b"]"
    return b"<< /Type /XRef /W [1 4 1] /Size 9 /Root 1 0 R /Length %d /Filter %s >>\nstream\n%s\nendstream" % (
        len(content),
        names,
        content,
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_decompression_bomb(layers, policy):
    pdf = b"%PDF-1.7\n5 0 obj\n" + bomb(layers) + b"\nendobj\nstartxref\n9\n%%EOF\n"
    tight = replace(policy, limits=Limits(stream=8 << 20))
    report = verify(pdf, tight)
    assert (report.reason, report.verdict) == ("resource_limit", Verdict.INDETERMINATE)


def test_deep_nesting(policy):
    deep = b"[" * 5000 + b"]" * 5000
    pdf = write(
        {1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm 3 0 R >>", 2: b"<< /Type /Pages /Kids [] /Count 0 >>", 3: deep},
        b"/Root 1 0 R",
    )
    assert verify(pdf, policy).reason == "resource_limit"


def test_ten_thousand_signature_fields(policy):
    kids = b" ".join(b"%d 0 R" % number for number in range(10, 10_010))
    objects = {number: b"<< /FT /Sig /T (s%d) /V 3 0 R >>" % number for number in range(10, 10_010)}
    objects |= {
        1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>" % kids,
        2: b"<< /Type /Pages /Kids [] /Count 0 >>",
        3: b"<< /Type /Sig >>",
    }
    assert verify(write(dict(sorted(objects.items())), b"/Root 1 0 R"), policy).reason == "resource_limit"


def test_too_many_objects(policy):
    pdf = write(dict.fromkeys(range(1, 3000), b"null") | {1: b"<< /Type /Catalog >>"}, b"/Root 1 0 R")
    assert verify(pdf, replace(policy, limits=Limits(objects=1000))).reason == "resource_limit"


def test_loops_end(policy):
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm 3 0 R /DSS 3 0 R >>",
        2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>",
        3: b"<< /Fields [4 0 R 4 0 R 5 0 R] /Certs 6 0 R >>",
        4: b"<< /Kids [4 0 R 5 0 R] /FT /Sig /Parent 4 0 R >>",
        5: b"<< /Kids [4 0 R] /V 7 0 R /FT /Sig >>",
        6: b"6 0 R",
        7: b"7 0 R",
    }
    sound(verify(write(objects, b"/Root 1 0 R"), policy))


def test_a_chain_of_revisions_that_loops(policy):
    pdf = document()
    start = pdf.rindex(b"\nxref\n") + 1
    looped = pdf.replace(b"trailer\n<< ", b"trailer\n<< /Prev %d " % start)
    sound(verify(looped, policy))


def test_not_a_pdf_at_all(policy):
    for data in (b"", b"\0" * 100, b"<html></html>", b"%PDF-", b"PK\x03\x04"):
        assert verify(data, policy).reason == "unreadable"
