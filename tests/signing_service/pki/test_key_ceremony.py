"""Plans that are refused, and what a ceremony makes, on real tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cryptography import x509

from hardware.ports import Token
from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.pki.ceremony import (
    CeremonyImpossible,
    dry_run,
    hold_ceremony,
    next_crl_numbers,
    record_ceremony,
)
from signing_service.pki.ceremony_plan import PlanInvalid, first_plan, read_plan
from signing_service.pki.certificate_chain import ChainIncomplete, build_chain, issued
from signing_service.pki.register import CertificateRegister, fingerprint
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.pki.signature_algorithms import key_kind

PLAN = """
title: 续办
organization: 示例市
base_url: http://pki.example.test
present:
  - {name: 示例甲, role: 主持}
  - {name: 示例乙, role: 见证}
existing:
  - {name: issuing, token: issuing, label: issuing}
certificates:
  - {name: tsa-2, profile: tsa, token: services, key: p256, subject: 内部时间戳服务, issuer: issuing, service: tsa}
crls: [issuing]
"""
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def changed(**entries: Any) -> str:
    return yaml.safe_dump(yaml.safe_load(PLAN) | entries, allow_unicode=True)


CERTIFICATE = yaml.safe_load(PLAN)["certificates"][0]
FAULTS = {
    "not yaml": ("{", "not YAML"),
    "not a mapping": ("[]", "not a mapping"),
    "alone": (changed(present=[{"name": "示例甲", "role": "主持"}]), "at least two people"),
    "same person twice": (changed(present=[{"name": "示例甲", "role": role} for role in "ab"]), "at least two people"),
    "address": (changed(base_url="ftp://x"), "not an http"),
    "unknown entry": (changed(certs=[]), "unknown entry: certs"),
    "digest is ours": (changed(digest="x"), "unknown entry: digest"),
    "unknown field": (changed(certificates=[CERTIFICATE | {"pin": "1"}]), "pin"),
    "missing field": (changed(present=[{"name": "示例甲"}]), "role"),
    "profile": (changed(certificates=[CERTIFICATE | {"profile": "tsb"}]), "unknown profile tsb"),
    "key": (changed(certificates=[CERTIFICATE | {"key": "rsa1024"}]), "rsa1024 key is not allowed"),
    "issuer": (changed(certificates=[CERTIFICATE | {"issuer": "nobody"}]), "not a CA named before it"),
    "self-signed leaf": (changed(certificates=[CERTIFICATE | {"issuer": ""}]), "a root has no issuer"),
    "twice": (changed(certificates=[CERTIFICATE, CERTIFICATE]), "used twice"),
    "host": (changed(certificates=[CERTIFICATE | {"host": "a.example.test"}]), "a host is for TLS servers"),
    "crl": (changed(crls=["tsa-2"]), "tsa-2 is no CA"),
    "nothing": (changed(certificates=[], crls=[]), "makes nothing"),
    "root shares its token": (
        changed(
            certificates=[
                {"name": "r", "profile": "root", "token": "services", "key": "p256", "subject": "根"},
                CERTIFICATE,
            ]
        ),
        "shares its token",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_wrong_plan_is_refused_with_its_fault(case: str) -> None:
    text, fault = FAULTS[case]
    with pytest.raises(PlanInvalid) as caught:
        read_plan(text)
    assert fault in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(PlanInvalid) as caught:
        read_plan(changed(base_url="x", present=[{"name": "a", "role": "b"}]))
    assert len(caught.value.faults) == 2


def test_a_dry_run_tells_every_step() -> None:
    steps = [step.en for step in dry_run(read_plan(PLAN))]
    assert steps == [
        'generate a p256 key "tsa-2" on token "services"; "issuing" issues tsa: 内部时间戳服务',
        '"issuing" signs a CRL',
    ]


def test_the_first_ceremony_gives_complete_chains(ceremony: Any) -> None:
    made = {entry.planned.name: entry.der for entry in ceremony.record.certificates}
    for name, der in made.items():
        chain = build_chain(der, made.values())
        assert chain[-1] == made["simulation" if name.startswith("simulation") else "root"]
    kinds = {name: key_kind(x509.load_der_x509_certificate(der).public_key()) for name, der in made.items()}
    assert kinds["root"] == kinds["issuing"] == "rsa3072"
    assert kinds["tsa"] == "p256"


def test_the_simulation_root_is_none_of_the_formal_ones(ceremony: Any) -> None:
    simulation = ceremony.record.certificate("simulation-ocsp")
    with pytest.raises(ChainIncomplete):
        build_chain(simulation, [ceremony.record.certificate(name) for name in ("root", "issuing")])
    assert "模拟" in x509.load_der_x509_certificate(simulation).issuer.rfc4514_string()


def test_own_cas_say_in_their_name_that_they_are_internal(ceremony: Any) -> None:
    for name in ("root", "issuing"):
        assert "内部" in x509.load_der_x509_certificate(ceremony.record.certificate(name)).subject.rfc4514_string()


def test_certificates_lie_on_the_tokens_beside_their_keys(ceremony: Any) -> None:
    for made in ceremony.record.certificates:
        token = ceremony.tokens[made.planned.token]
        key = token.key(certificate=made.der)
        assert key.label == made.planned.name
        assert token.certificate_for(key) == made.der


def test_nothing_is_overwritten(ceremony: Any, clock: Any) -> None:
    """The second run of a plan makes no key, on no token."""
    plan = first_plan("示例市", "示例市", "http://pki.example.test", {"甲": "a", "乙": "b"})
    before = {name: len(token.keys()) for name, token in ceremony.tokens.items()}
    with pytest.raises(CeremonyImpossible, match='already holds a key "root"'):
        hold_ceremony(plan, ceremony.tokens, clock)
    assert {name: len(token.keys()) for name, token in ceremony.tokens.items()} == before


def test_missing_or_shared_tokens_are_refused(ceremony: Any, clock: Any) -> None:
    plan = read_plan(PLAN.replace("tsa-2", "tsa-9"))
    services = ceremony.tokens["services"]
    with pytest.raises(CeremonyImpossible, match="missing: issuing"):
        hold_ceremony(plan, {"services": services}, clock)
    with pytest.raises(CeremonyImpossible, match="two names"):
        hold_ceremony(plan, {"services": services, "issuing": services}, clock)


@BOTH
def test_the_ceremony_is_in_the_audit_log(register: CertificateRegister, ceremony: Any) -> None:
    with register.database.read() as session:
        (entry,) = entries_about(session, f"ceremony:{ceremony.record.plan_digest}")
        details = entry.details
        rows = [register.find(session, made["sha256"]).state for made in details["certificates"]]
    assert [person["name"] for person in details["present"]] == ["示例甲", "示例乙"]
    assert {made["token_serial"] for made in details["certificates"]} == {
        token.info.serial for token in ceremony.tokens.values()
    }
    assert rows == ["active"] * 9


def test_a_later_ceremony_renews_the_tsa_and_the_crl(
    register: CertificateRegister, ceremony: Any, clock: Any, new_token: Callable[[str], Token]
) -> None:
    clock.advance(days=2)
    issuing = ceremony.record.certificate("issuing")
    with register.database.read() as session:
        numbers = next_crl_numbers(session, {"issuing": issuing})
    tokens = {"issuing": ceremony.tokens["issuing"], "services": new_token("pki-services-2")}
    record = hold_ceremony(read_plan(PLAN), tokens, clock, crl_numbers=numbers)
    assert issued(record.certificate("tsa-2"), issuing)
    assert (
        x509.load_der_x509_crl(record.crls[0].der).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        == 2
    )
    actor = Actor("ceremony", frozenset({SYSTEM}))
    with register.database.write() as session:
        record_ceremony(register, AuditLog(), session, record, actor)
    with register.database.read() as session:
        newest = [row.fingerprint for row in register.active(session, "tsa", "tsa")]
    assert newest == [fingerprint(record.certificate("tsa-2")), fingerprint(ceremony.record.certificate("tsa"))]
