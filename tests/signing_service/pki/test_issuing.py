"""What is refused at issuing, and what a request must prove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing_service.pki.csr import build_request, read_request
from signing_service.pki.errors import IssuingRefused, KeyNotAllowed, RequestRefused
from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial
from signing_service.pki.names import common_name, subject_name
from signing_service.pki.profiles import PROFILES, UnknownProfile, profile_named

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
SUBJECT = subject_name("示例", organization="示例市")


@pytest.fixture(scope="module")
def ca_key(memory_key: Any) -> Any:
    return memory_key("p256")


@pytest.fixture(scope="module")
def ca(ca_key: Any) -> bytes:
    return issue("root", ca_key, None, ca_key)


def issue(profile: str, key: Any, issuer: bytes | None, issuer_key: Any, **changed: Any) -> bytes:
    values: dict[str, Any] = {
        "subject": SUBJECT, "public_key": key.public_key, "issuer_certificate": issuer, "issuer_key": issuer_key,
        "serial": new_serial(), "not_before": NOW, "not_after": NOW + timedelta(days=30), "urls": Urls(),
    }  # fmt: skip
    return issue_certificate(PROFILES[profile], **(values | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"serial": 0},
        {"serial": 1 << 159},
        {"not_after": NOW},
        {"not_after": NOW + timedelta(days=31)},
        {"alternative_names": [x509.DNSName("example.test")]},
    ],
)
def test_a_certificate_that_would_not_hold_is_refused(ca: bytes, ca_key: Any, changed: dict[str, Any]) -> None:
    with pytest.raises(IssuingRefused):
        issue("seal", ca_key, ca, ca_key, **changed)


def test_an_end_entity_cannot_issue(ca: bytes, ca_key: Any, memory_key: Any) -> None:
    key = memory_key()
    seal = issue("seal", key, ca, ca_key)
    with pytest.raises(IssuingRefused, match="not a CA"):
        issue("seal", memory_key(), seal, key)


def test_a_foreign_issuing_key_is_noticed(ca: bytes, memory_key: Any) -> None:
    with pytest.raises(IssuingRefused, match="does not belong"):
        issue("seal", memory_key(), ca, memory_key())


def test_a_tls_server_needs_its_host(ca: bytes, ca_key: Any, memory_key: Any) -> None:
    with pytest.raises(IssuingRefused):
        issue("department-tls", memory_key(), ca, ca_key)


def test_a_leaf_cannot_sign_itself(memory_key: Any) -> None:
    key = memory_key()
    with pytest.raises(IssuingRefused):
        issue("seal", key, None, key)


@pytest.mark.parametrize(
    ("profile", "kind"), [("paper-code", "rsa2048"), ("seal", "ed25519"), ("issuing-ca", "rsa2048")]
)
def test_keys_outside_the_profile_are_refused(ca: bytes, ca_key: Any, memory_key: Any, profile: str, kind: str) -> None:
    with pytest.raises(KeyNotAllowed, match=kind):
        issue(profile, memory_key(kind), ca, ca_key)


def test_dates_beyond_2049_are_readable(memory_key: Any) -> None:
    key = memory_key()
    made = issue("root", key, None, key, not_after=datetime(2051, 1, 1, tzinfo=UTC))
    assert x509.load_der_x509_certificate(made).not_valid_after_utc.year == 2051


def test_serials_are_positive_unique_and_fixed_in_length() -> None:
    serials = {new_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert {serial.bit_length() for serial in serials} == {127}


def test_unknown_profile_lists_the_names() -> None:
    with pytest.raises(UnknownProfile, match="officer-signing"):
        profile_named("Seal")


def test_names_have_limits() -> None:
    with pytest.raises(IssuingRefused, match="64"):
        subject_name("长" * 65, organization="示例市")
    with pytest.raises(IssuingRefused, match="empty"):
        subject_name(" ", organization="示例市")


def test_a_request_of_ours_is_read_by_openssl_and_by_us(openssl: Any, tmp_path: Path, memory_key: Any) -> None:
    key = memory_key("rsa2048")
    made = build_request(key, key.public_key, subject_name("经办员甲", organization="示例市", identifier="OF-7"))
    (tmp_path / "r.der").write_bytes(made)
    assert "verify OK" in openssl("req", "-inform", "DER", "-in", "r.der", "-verify", "-noout")
    assert read_request(made).public_key == key.public_key


def test_a_request_of_openssl_is_accepted_as_pem_and_der(openssl: Any, tmp_path: Path) -> None:
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k",
            "-subj", "/CN=example", "-out", "r.pem")  # fmt: skip
    data = (tmp_path / "r.pem").read_bytes()
    der = x509.load_pem_x509_csr(data).public_bytes(Encoding.DER)
    assert read_request(data).public_key == read_request(der).public_key


def test_a_request_without_possession_is_refused(memory_key: Any) -> None:
    mine, others = memory_key(), memory_key()
    with pytest.raises(RequestRefused, match="not proven"):
        read_request(build_request(mine, others.public_key, SUBJECT))


def test_weak_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    data = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT).sign(weak, hashes.SHA256())
    with pytest.raises(RequestRefused, match="rsa1024"):
        read_request(data.public_bytes(Encoding.DER))


@pytest.mark.parametrize("data", [b"", b"-----BEGIN nothing", b"\x30\x03\x02\x01", b"0" * 100_000])
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(RequestRefused):
        read_request(data)


def test_the_common_name_is_found(ca: bytes) -> None:
    assert common_name(x509.load_der_x509_certificate(ca)) == "示例"
