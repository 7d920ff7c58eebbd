"""Partial CRLs: which certificate is told of where, before openssl, pyHanko's validator and our own engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from sqlalchemy import func, select

from signing_service.pki import register as register_module
from signing_service.pki.assembly import PkiServices
from signing_service.pki.certificates import CrlRow
from signing_service.pki.crl import Reason
from signing_service.pki.crl_partitions import WHOLE, is_ca_name, name_and_partition, partition_address, partition_of
from signing_service.pki.names import subject_name
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor
from signing_service.verification.certificates import Certificate
from signing_service.verification.chain import TrustStore
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import RevocationData

OPERATOR_A = Actor("OF-1", frozenset({OPERATOR, SYSTEM}))
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
Issue = Callable[[], bytes]


@pytest.fixture
def issue(services: PkiServices, memory_key: Any, monkeypatch: pytest.MonkeyPatch) -> Issue:
    """Issues certificates, two to a partition; the ceremony's own have filled the first one."""
    monkeypatch.setattr(register_module, "PARTITION_SIZE", 2)
    made: list[bytes] = []

    def one() -> bytes:
        subject = subject_name(f"示例印章{len(made)}", organization="示例市")
        holder = Holder(f"SL-{len(made)}")
        made.append(services.authorities["issuing"].issue("seal", subject, memory_key().public_key, holder, OPERATOR_A))
        return made[-1]

    return one


def number(certificate: bytes) -> int:
    return partition_of(x509.load_der_x509_certificate(certificate))


def revoke(register: CertificateRegister, certificate: bytes) -> None:
    register.change(fingerprint(certificate), "revoke", OPERATOR_A, Why("遗失", Reason.KEY_COMPROMISE))


@BOTH
def test_a_partition_is_opened_when_the_last_one_is_full(issue: Issue) -> None:
    assert [number(issue()) for _ in range(4)] == [2, 2, 3, 3]


def test_the_ceremonys_online_services_are_in_the_first_and_the_ca_in_the_roots_whole_list(ceremony: Any) -> None:
    assert [number(ceremony.record.certificate(name)) for name in ("tsa", "evidence", "issuing")] == [1, 1, WHOLE]


def test_a_partial_list_says_so_critically_and_lists_its_own_alone(
    services: PkiServices, register: CertificateRegister, issue: Issue
) -> None:
    first, _, third = issue(), issue(), issue()
    revoke(register, first)
    revoke(register, third)
    own = x509.load_der_x509_crl(services.crls.crl("issuing", 3))
    scope = own.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    points = (
        x509.load_der_x509_certificate(third)
        .extensions.get_extension_for_class(x509.CRLDistributionPoints)
        .value[0]
        .full_name
    )
    assert scope.critical
    assert scope.value.full_name == points
    assert [entry.serial_number for entry in own] == [x509.load_der_x509_certificate(third).serial_number]
    assert len(x509.load_der_x509_crl(services.crls.crl("issuing"))) == 2


def test_a_revocation_remakes_its_own_partition_alone(
    services: PkiServices, register: CertificateRegister, issue: Issue, clock: Any
) -> None:
    first, _, third = issue(), issue(), issue()
    clock.advance(seconds=60)
    before = {partition: services.crls.crl("issuing", partition) for partition in (2, 3)}
    clock.advance(seconds=60)
    revoke(register, third)
    assert services.crls.crl("issuing", 2) == before[2]
    assert services.crls.crl("issuing", 3) != before[3]
    revoke(register, first)
    assert services.crls.crl("issuing", 2) != before[2]


def test_nobody_makes_us_sign_lists_of_partitions_that_no_certificate_names(
    services: PkiServices, register: CertificateRegister
) -> None:
    assert services.crls.crl("issuing", 77) is None
    assert services.crls.crl("root", 1) is None
    with register.database.read() as session:
        assert session.scalar(select(func.count()).select_from(CrlRow).where(CrlRow.partition != WHOLE)) == 0


def test_openssl_takes_the_right_partition_and_no_other(
    services: PkiServices, register: CertificateRegister, issue: Issue, ceremony: Any, openssl: Any, pem: Any,
    tmp_path: Path, clock: Any,
) -> None:  # fmt: skip
    lost, kept, other = issue(), issue(), issue()
    revoke(register, lost)
    for name, certificate in (("lost", lost), ("kept", kept), ("other", other)):
        (tmp_path / f"{name}.pem").write_bytes(pem(certificate))
    (tmp_path / "ca.pem").write_bytes(pem(ceremony.record.certificate("issuing")))
    for partition in (2, 3):
        (tmp_path / f"{partition}.der").write_bytes(services.crls.crl("issuing", partition))
        openssl("crl", "-inform", "DER", "-in", f"{partition}.der", "-CAfile", "ca.pem", "-out", f"{partition}.crl")

    def verify(name: str, partition: int) -> str:
        return openssl(
            "verify", "-partial_chain", "-CAfile", "ca.pem", "-crl_check", "-CRLfile", f"{partition}.crl",
            "-attime", str(int(clock.now().timestamp()) + 5), f"{name}.pem", check=False,
        )  # fmt: skip

    assert verify("kept", 2).strip() == "kept.pem: OK"
    assert "certificate revoked" in verify("lost", 2)
    assert "OK" not in verify("lost", 3)
    assert "CRL scope" in verify("kept", 3)
    assert verify("other", 3).strip() == "other.pem: OK"


def test_pyhankos_validator_takes_the_right_partition_and_no_other(
    services: PkiServices, register: CertificateRegister, issue: Issue, ceremony: Any, clock: Any
) -> None:
    lost, kept, _ = issue(), issue(), issue()
    revoke(register, lost)
    clock.advance(seconds=10)
    root, issuing = (asn1_x509.Certificate.load(ceremony.record.certificate(name)) for name in ("root", "issuing"))

    def validate(certificate: bytes, partition: int) -> None:
        lists = [services.crls.crl("issuing", partition), services.crls.crl("root")]
        context = ValidationContext(
            trust_roots=[root], crls=[asn1_crl.CertificateList.load(der) for der in lists], moment=clock.now(),
            revocation_mode="require",
        )  # fmt: skip
        validator = CertificateValidator(
            asn1_x509.Certificate.load(certificate), intermediate_certs=[issuing], validation_context=context
        )
        asyncio.run(validator.async_validate_usage({"digital_signature"}))

    validate(kept, 2)
    for certificate, partition, complaint in (
        (lost, 2, "revoked"),
        (kept, 3, "no revocation information"),
        (lost, 3, "no revocation information"),
    ):
        with pytest.raises(Exception, match=complaint):
            validate(certificate, partition)


def test_our_engine_takes_the_right_partition_and_no_other(
    services: PkiServices, register: CertificateRegister, issue: Issue, ceremony: Any, clock: Any
) -> None:
    lost, kept, _ = issue(), issue(), issue()
    revoke(register, lost)
    now, issuing = clock.now(), ceremony.record.certificate("issuing")
    store = TrustStore(Policy({Purpose.SEALS: [ceremony.record.certificate("root")]}, now), [issuing])

    def state(certificate: bytes, partition: int) -> str:
        data = RevocationData([services.crls.crl("issuing", partition)], (), store)
        return data.standing(Certificate(certificate), Certificate(issuing), now, now, timedelta(hours=1)).state

    assert (state(kept, 2), state(lost, 2)) == ("good", "revoked")
    assert (state(kept, 3), state(lost, 3)) == ("unknown", "unknown")
    assert (state(kept, WHOLE), state(lost, WHOLE)) == ("good", "revoked")


def test_names_and_addresses_fit_together() -> None:
    address = "http://pki.example.test/crl/issuing-2031.crl"
    assert partition_address(address, 12) == "http://pki.example.test/crl/issuing-2031-p12.crl"
    assert name_and_partition("issuing-2031-p12") == ("issuing-2031", 12)
    for name in ("issuing-2031", "issuing-p0", "issuing-p01", "issuing-p9999999"):
        assert name_and_partition(name) == (name, WHOLE)


@pytest.mark.parametrize("name", ["issuing-p3", "issuing-delta", "Issuing", "签发", "a/b", ""])
def test_a_ca_has_no_name_that_would_be_another_lists_address(name: str) -> None:
    assert not is_ca_name(name)


def test_such_a_name_is_refused_in_a_plan() -> None:
    from signing_service.pki.ceremony_plan import PlanInvalid, read_plan

    plan = {
        "title": "t", "organization": "示例市", "base_url": "http://pki.example.test", "crls": [],
        "present": [{"name": "甲", "role": "主持"}, {"name": "乙", "role": "见证"}],
        "certificates": [{"name": "r-p1", "profile": "root", "token": "r", "key": "p256", "subject": "内部根"}],
    }  # fmt: skip
    with pytest.raises(PlanInvalid, match="stands in addresses"):
        read_plan(yaml.safe_dump(plan))
