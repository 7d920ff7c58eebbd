"""CRLs before openssl and cryptography: content, reasons, size; and their publication from the register."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import insert

from hardware.errors import Text, TokenError
from hardware.ports import Mechanism
from signing_service.pki.assembly import PkiServices
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl import Reason, RevokedEntry, build_crl
from signing_service.pki.crl_publication import CrlIssuer, CrlPublisher
from signing_service.pki.csr import build_request
from signing_service.pki.names import subject_name
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import APPROVER, OPERATOR, SYSTEM, Actor
from signing_service.pki.to_be_signed import certificate_list_issuer

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
OPERATOR_A = Actor("OF-1", frozenset({OPERATOR, SYSTEM}))
APPROVER_B = Actor("OF-2", frozenset({APPROVER}))
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def issuing(ceremony: Any) -> CertifiedKey:
    return CertifiedKey(ceremony.key("issuing"), ceremony.record.certificate("issuing"))


@pytest.fixture
def seal(services: PkiServices, memory_key: Any) -> bytes:
    subject = subject_name("示例局印章", organization="示例市")
    return services.authorities["issuing"].issue("seal", subject, memory_key().public_key, Holder("SL-1"), OPERATOR_A)


def serials(crl: bytes) -> dict[int, x509.ReasonFlags]:
    found = {}
    for entry in x509.load_der_x509_crl(crl):
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        found[entry.serial_number] = reason
    return found


def test_openssl_verifies_a_crl_with_every_reason(
    issuing: CertifiedKey, openssl: Any, pem: Any, tmp_path: Path
) -> None:
    entries = [RevokedEntry(100 + reason, NOW, reason, NOW - timedelta(days=1)) for reason in Reason if reason]
    made = build_crl(issuing, entries, number=7, this_update=NOW, next_update=NOW + timedelta(days=7))
    (tmp_path / "a.crl").write_bytes(made)
    (tmp_path / "ca.pem").write_bytes(pem(issuing.certificate))
    said = openssl("crl", "-inform", "DER", "-in", "a.crl", "-CAfile", "ca.pem", "-noout", "-text")
    assert "verify OK" in said
    assert said.count("Invalidity Date") == len(entries)
    assert "X509v3 CRL Number: \n                7" in said
    assert "Privilege Withdrawn" in said


def test_an_empty_crl_and_an_unspecified_reason_leave_the_optional_parts_out(issuing: CertifiedKey) -> None:
    until = NOW + timedelta(days=7)
    empty = x509.load_der_x509_crl(build_crl(issuing, (), number=1, this_update=NOW, next_update=until))
    assert len(empty) == 0
    one = build_crl(issuing, [RevokedEntry(5, NOW)], number=2, this_update=NOW, next_update=until)
    assert list(next(iter(x509.load_der_x509_crl(one))).extensions) == []


def many(count: int) -> Iterator[RevokedEntry]:
    return (RevokedEntry(1 << 126 | number, NOW, Reason.SUPERSEDED) for number in range(count))


def test_two_hundred_thousand_entries_are_read_back(issuing: CertifiedKey) -> None:
    made = build_crl(issuing, many(200_000), number=1, this_update=NOW, next_update=NOW + timedelta(days=7))
    crl = x509.load_der_x509_crl(made)
    assert len(crl) == 200_000
    assert crl.get_revoked_certificate_by_serial_number(1 << 126 | 199_999) is not None


def test_a_crl_is_told_from_everything_else_before_it_is_signed(issuing: CertifiedKey, memory_key: Any) -> None:
    key = memory_key("rsa3072")
    until = NOW + timedelta(days=7)
    signer = CertifiedKey(key, issuing.certificate)
    for entries in ((), [RevokedEntry(5, NOW)]):
        build_crl(signer, entries, number=1, this_update=NOW, next_update=until)
        assert (
            certificate_list_issuer(key.signed[-1])
            == x509.load_der_x509_certificate(issuing.certificate).subject.public_bytes()
        )
    certificate = x509.load_der_x509_certificate(issuing.certificate)
    request = build_request(key, key.public_key, certificate.subject)
    others = [
        certificate.tbs_certificate_bytes,
        x509.load_der_x509_csr(request).tbs_certrequest_bytes,
        b"",
        b"\x30\x00",
    ]
    assert [certificate_list_issuer(other) for other in others] == [None] * 4
    assert certificate_list_issuer(key.signed[0] + b"\x00") is None


def test_memory_stays_within_a_few_times_the_size(issuing: CertifiedKey) -> None:
    tracemalloc.start()
    made = build_crl(issuing, many(20_000), number=1, this_update=NOW, next_update=NOW + timedelta(days=7))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(made)


@BOTH
def test_a_revocation_is_in_the_next_crl_and_numbers_rise(
    services: PkiServices, register: CertificateRegister, clock: Any, seal: bytes
) -> None:
    first = services.crls.crl("issuing")
    clock.advance(seconds=60)
    assert services.crls.crl("issuing") == first
    lost = clock.now() - timedelta(hours=3)
    register.change(fingerprint(seal), "revoke", OPERATOR_A, Why("密钥泄露", Reason.KEY_COMPROMISE, invalid_from=lost))
    second = services.crls.crl("issuing")
    assert serials(second) == {x509.load_der_x509_certificate(seal).serial_number: x509.ReasonFlags.key_compromise}
    numbers = [
        x509.load_der_x509_crl(crl).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for crl in (first, second)
    ]
    assert numbers == [1, 2]


def test_a_hold_is_listed_and_its_release_takes_it_off(
    services: PkiServices, register: CertificateRegister, clock: Any, seal: bytes
) -> None:
    register.change(fingerprint(seal), "suspend", OPERATOR_A, Why("持有人请假"))
    assert list(serials(services.crls.crl("issuing")).values()) == [x509.ReasonFlags.certificate_hold]
    clock.advance(seconds=1)
    register.change(fingerprint(seal), "release", APPROVER_B, Why("恢复"))
    assert serials(services.crls.crl("issuing")) == {}


@BOTH
def test_a_delta_tells_what_changed_since_the_base(
    register: CertificateRegister, services: PkiServices, issuing: CertifiedKey, clock: Any, seal: bytes
) -> None:
    url = "http://pki.example.test/crl/issuing-delta.crl"
    issuer = CrlIssuer(issuing.certificate, issuing, delta_url=url, delta_from=500)
    crls = CrlPublisher(register.database, {"issuing": issuer}, clock)
    register.change(fingerprint(seal), "suspend", OPERATOR_A, Why("持有人请假"))
    base = crls.publish("issuing")
    assert x509.load_der_x509_crl(base).extensions.get_extension_for_class(x509.FreshestCRL)
    clock.advance(seconds=300)
    register.change(fingerprint(seal), "release", APPROVER_B, Why("恢复"))
    delta = crls.delta("issuing")
    assert crls.crl("issuing") == base
    assert list(serials(delta).values()) == [x509.ReasonFlags.remove_from_crl]
    indicator = x509.load_der_x509_crl(delta).extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert indicator.critical
    assert indicator.value.crl_number == 2


def test_a_stale_crl_is_renewed_at_half_its_life(services: PkiServices, clock: Any) -> None:
    first = services.crls.crl("issuing")
    clock.advance(days=3.6)
    assert services.crls.crl("issuing") != first


def test_the_offline_root_serves_its_ceremony_crl(services: PkiServices, ceremony: Any, clock: Any) -> None:
    made = next(crl.der for crl in ceremony.record.crls if crl.issuer_name == "root")
    clock.advance(days=300)
    assert services.crls.crl("root") == made
    assert services.crls.publish("root") is None


class DeadKey:
    """A key whose token was pulled."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate, self.chain = certificate, ()

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        raise TokenError(Text("设备已拔出。", "The token was removed."))


def test_while_the_key_is_gone_the_last_crl_is_served_until_it_expires(
    services: PkiServices, register: CertificateRegister, issuing: CertifiedKey, clock: Any, seal: bytes
) -> None:
    kept = services.crls.crl("issuing")
    dead = CrlPublisher(
        register.database, {"issuing": CrlIssuer(issuing.certificate, DeadKey(issuing.certificate))}, clock
    )
    clock.advance(seconds=1)
    register.change(fingerprint(seal), "revoke", OPERATOR_A, Why("试验", Reason.SUPERSEDED))
    assert dead.crl("issuing") == kept
    clock.advance(days=8)
    with pytest.raises(TokenError):
        dead.crl("issuing")


def test_a_small_crl_has_no_delta(services: PkiServices) -> None:
    crl = x509.load_der_x509_crl(services.crls.publish("issuing"))
    assert services.crls.delta("issuing") is None
    with pytest.raises(x509.ExtensionNotFound):
        crl.extensions.get_extension_for_class(x509.FreshestCRL)


@BOTH
def test_a_large_register_is_published_page_by_page(
    services: PkiServices, register: CertificateRegister, issuing: CertifiedKey, clock: Any
) -> None:
    rows = [
        {
            "reference": f"{number:032x}", "profile": "officer-signing", "state": "revoked", "owner": f"OF-{number}",
            "requested_by": "t", "issuer": fingerprint(issuing.certificate), "serial": f"{number + 1:x}",
            "fingerprint": f"{number:064x}", "der": b"", "revoked_at": clock.now(), "reason": 4,
            "status_at": clock.now(), "origin": "own", "department": "", "subject": "", "token_serial": "",
        }
        for number in range(12_000)
    ]  # fmt: skip
    with register.database.write() as session:
        session.execute(insert(CertificateRow), rows)
    assert len(x509.load_der_x509_crl(services.crls.publish("issuing"))) == 12_000
