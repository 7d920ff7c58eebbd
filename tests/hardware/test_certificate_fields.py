"""What is read of an ordinary certificate without the library is what the library reads; the rest is left to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.certificate_fields import ordinary_fields
from hardware.object_reading import certificate_key

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < 1 << 20:
            content = path.read_bytes()
            for pem in _PEM.findall(content):
                yield from (each.public_bytes(Encoding.DER) for each in _loaded(pem))
            if path.suffix in (".crt", ".cer", ".der") and content[:1] == b"\x30":
                yield content


def _loaded(pem: bytes) -> list[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificate(pem)]
    except ValueError:
        return []


def test_the_corpus_is_read_as_the_library_reads_it(corpora: Path) -> None:
    ordinary = 0
    for der in certificates(corpora / "pki"):
        fields = ordinary_fields(der)
        if fields is None:
            continue
        ordinary += 1
        known = x509.load_der_x509_certificate(der)  # what we read, the library reads
        assert fields.not_before == known.not_valid_before_utc
        assert fields.not_after == known.not_valid_after_utc
        assert fields.issuer == known.issuer.public_bytes()
        try:
            key = known.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            extensions = known.extensions
        except (ValueError, UnsupportedAlgorithm):
            continue
        assert certificate_key(der) == key
        assert len(extensions) == len(fields.extensions)
        usages = [each.value for each in extensions if isinstance(each.value, x509.KeyUsage)]
        assert fields.may_sign == all(usage.digital_signature or usage.content_commitment for usage in usages)
        extended = [set(each.value) for each in extensions if isinstance(each.value, x509.ExtendedKeyUsage)]
        assert (fields.purposes is None) == (not extended)
        assert fields.purposes is None or len(fields.purposes) == len(extended[0])
    assert ordinary > 200


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x03\x02\x01\x01",
        bytes(64),
    ],
)
def test_what_is_no_certificate_is_left_to_the_library(broken: bytes) -> None:
    assert ordinary_fields(broken) is None


def test_any_cut_or_appended_octet_is_noticed(corpora: Path) -> None:
    der = next(each for each in certificates(corpora / "pki") if ordinary_fields(each) is not None)
    assert all(ordinary_fields(der[:size]) is None for size in range(len(der)))
    assert ordinary_fields(der + b"\x00") is None
