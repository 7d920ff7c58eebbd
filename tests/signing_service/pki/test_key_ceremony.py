"""Plans that are refused, and what a ceremony makes, on real tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
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
    require_officiant,
)
from signing_service.pki.ceremony_plan import PlanInvalid, read_plan
from signing_service.pki.certificate_chain import ChainIncomplete, build_chain, issued
from signing_service.pki.first_ceremony import Body, first_plan
from signing_service.pki.register import CertificateRegister, fingerprint
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor, MoveNotAllowed
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


def test_the_first_ceremony_makes_every_kind_of_key_that_a_deployment_begins_with(ceremony: Any) -> None:
    kinds = {entry.planned.profile for entry in ceremony.record.certificates}
    assert kinds == {
        "root", "issuing-ca", "simulation-ca", "tsa", "ocsp", "simulation-ocsp", "seal", "paper-code", "log",
        "evidence", "department-tls",
    }  # fmt: skip
    server = x509.load_der_x509_certificate(ceremony.record.certificate("tls"))
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pki.example.test"]


def test_a_ceremony_with_the_other_kinds_of_key_and_a_server_by_its_address(
    new_token: Callable[[str], Token], clock: Any
) -> None:
    """CAs on P-256, end entities on RSA-3072: the first ceremony has it the other way round."""
    plan = yaml.safe_load(PLAN) | {
        "existing": [],
        "crls": ["root-p"],
        "certificates": [
            {"name": "root-p", "profile": "root", "token": "root", "key": "p256", "subject": "内部根"},
            {"name": "ca-p", "profile": "issuing-ca", "token": "issuing", "key": "p256", "subject": "内部签发",
             "issuer": "root-p"},
            {"name": "seal-r", "profile": "seal", "token": "issuing", "key": "rsa3072", "subject": "示例局印章",
             "issuer": "ca-p", "service": "seal:r", "identifier": "11990000MB9900013U", "department": "approvals",
             "organization": "示例市行政审批局"},
            {"name": "tls-r", "profile": "department-tls", "token": "issuing", "key": "rsa3072", "subject": "接口",
             "issuer": "ca-p", "host": "192.0.2.7"},
        ],
    }  # fmt: skip
    tokens = {name: new_token(f"pki-p-{name}") for name in ("root", "issuing")}
    record = hold_ceremony(read_plan(yaml.safe_dump(plan)), tokens, clock)
    made = {entry.planned.name: x509.load_der_x509_certificate(entry.der) for entry in record.certificates}
    kinds = {name: key_kind(certificate.public_key()) for name, certificate in made.items()}
    assert kinds == {"root-p": "p256", "ca-p": "p256", "seal-r": "rsa3072", "tls-r": "rsa3072"}
    assert build_chain(record.certificate("tls-r"), [entry.der for entry in record.certificates])[-1] == (
        record.certificate("root-p")
    )
    subject = made["seal-r"].subject.rfc4514_string()
    assert "11990000MB9900013U" in subject
    assert "示例市行政审批局" in subject
    names = made["tls-r"].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_no_other_key_comes_onto_the_roots_token(ceremony: Any, clock: Any) -> None:
    existing = [{"name": "root", "token": "root", "label": "root"}]
    second = {"name": "ca-2", "profile": "issuing-ca", "token": "root", "key": "p256", "subject": "内部签发",
              "issuer": "root"}  # fmt: skip
    plan = read_plan(changed(existing=existing, certificates=[second], crls=[]))
    before = len(ceremony.tokens["root"].keys())
    with pytest.raises(CeremonyImpossible, match="must not lie on the root's token"):
        hold_ceremony(plan, ceremony.tokens, clock)
    assert len(ceremony.tokens["root"].keys()) == before


def test_a_ca_on_record_is_not_made_again_on_another_token(new_token: Callable[[str], Token], clock: Any) -> None:
    root = {"name": "root", "profile": "root", "token": "other", "key": "p256", "subject": "内部根"}
    plan = read_plan(changed(existing=[], certificates=[root], crls=[]))
    other = new_token("pki-other-root")
    with pytest.raises(CeremonyImpossible, match='a CA "root" on record'):
        hold_ceremony(plan, {"other": other}, clock, crl_numbers={"root": 2})
    assert other.keys() == []


@BOTH
def test_who_is_no_operator_holds_no_ceremony_and_the_try_is_logged(register: CertificateRegister) -> None:
    plan = read_plan(PLAN)
    require_officiant(register, AuditLog(), plan, Actor("OF-1", frozenset({OPERATOR})))
    with pytest.raises(MoveNotAllowed, match="pki_operator"):
        require_officiant(register, AuditLog(), plan, Actor("OF-2", frozenset({"reviewer"})))
    with register.database.read() as session:
        (entry,) = entries_about(session, f"ceremony:{plan.digest}")
        assert (entry.result, entry.actor) == ("refused", "OF-2")


def test_the_guides_plans_are_plans() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "pki.md").read_text(encoding="utf-8")
    plans = [read_plan(block) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    assert len(plans) == 2
    kinds = {entry.profile for entry in plans[0].certificates}
    assert {"root", "issuing-ca", "tsa", "ocsp", "seal", "paper-code", "log", "evidence", "department-tls"} <= kinds


def test_nothing_is_overwritten(ceremony: Any, clock: Any) -> None:
    """The second run of a plan makes no key, on no token."""
    plan = first_plan("示例市", Body("示例市"), "http://pki.example.test", {"甲": "a", "乙": "b"})
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
    assert rows == ["active"] * 11


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
