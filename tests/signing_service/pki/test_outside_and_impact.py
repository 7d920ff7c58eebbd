"""Outside CAs, what a lost key touches, the doctor's findings, and revocation evidence before pyHanko."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext

from hardware.ports import Mechanism
from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.address_health import network_findings
from signing_service.pki.assembly import PkiServices
from signing_service.pki.certificate_chain import ChainIncomplete, build_chain
from signing_service.pki.crl import Reason
from signing_service.pki.csr import build_request, read_request
from signing_service.pki.enrolment import Enrolment, activation_statement
from signing_service.pki.extensions import Urls
from signing_service.pki.health import register_findings
from signing_service.pki.impact import Dependant, carry_out, impact
from signing_service.pki.issuing import issue_certificate, new_serial
from signing_service.pki.names import subject_name
from signing_service.pki.outside import (
    OutsideRefused,
    add_outside_ca,
    outside_anchors,
    record_outside,
    take_outside,
)  # fmt: skip
from signing_service.pki.outside_sources import OutsideSources
from signing_service.pki.outside_status import OutsideStatus
from signing_service.pki.profiles import PROFILES
from signing_service.pki.register import CertificateKnown, CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.revocation_evidence import NoEvidence
from signing_service.pki.rules import APPROVER, OPERATOR, SYSTEM, Actor, MoveNotAllowed

CLERK = Actor("OF-1", frozenset({OPERATOR, SYSTEM}))
SECOND = Actor("OF-2", frozenset({APPROVER}))
HOLDER = Holder("OF-9", "D-1")
SUBJECT = subject_name("经办员甲", organization="示例市自然资源局", identifier="OF-9")
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


class LicensedCa:
    """Another body's CA: root and intermediate of its own, in memory."""

    def __init__(self, memory_key: Any, now: datetime) -> None:
        self.now, self.root_key, self.key = now, memory_key(), memory_key()
        self.root = self._sign("root", self.root_key.public_key, None, self.root_key, "示例认证根CA")
        self.intermediate = self._sign("issuing-ca", self.key.public_key, self.root, self.root_key, "示例认证运营CA")

    def certify(self, profile: str, public_key: Any, *, days: int = 365) -> bytes:
        return self._sign(profile, public_key, self.intermediate, self.key, "经办员甲", days)

    def _sign(self, profile: str, key: Any, issuer: bytes | None, signer: Any, name: str, days: int = 400) -> bytes:
        return issue_certificate(
            PROFILES[profile], subject=subject_name(name, organization="示例认证公司"), public_key=key,
            issuer_certificate=issuer, issuer_key=signer, serial=new_serial(),
            not_before=self.now - timedelta(days=30), not_after=self.now + timedelta(days=days - 30), urls=Urls(),
        )  # fmt: skip


@pytest.fixture
def licensed(memory_key: Any, clock: Any) -> LicensedCa:
    return LicensedCa(memory_key, clock.now())


@pytest.fixture
def trusted(licensed: LicensedCa, register: CertificateRegister) -> LicensedCa:
    with register.database.write() as session:
        add_outside_ca(session, licensed.root, CLERK, register.clock.now(), licence="示例-001")
    return licensed


@pytest.fixture
def reference(register: CertificateRegister, services: PkiServices) -> str:
    enrolment = Enrolment(register, services.authorities["issuing"])
    reference = enrolment.request("officer-signing", HOLDER, SUBJECT, CLERK)
    enrolment.approve(reference, SECOND)
    return reference


def take(register: CertificateRegister, reference: str, certificate: bytes, key: Any, chain: Sequence[bytes]) -> bytes:
    proof = key.sign(activation_statement(reference, certificate), Mechanism.ECDSA_SHA256)
    return take_outside(register, reference, certificate, chain, proof, CLERK, unasked(register))


def unasked(register: CertificateRegister) -> OutsideStatus:
    """This CA names no addresses, so nothing is known of its certificates; the settings accept that here. What a CA
    that answers says is tried in test_outside_status.py."""
    sources = OutsideSources(register.database, Outbound(OutboundPolicy()), register.clock)
    return OutsideStatus(sources, register.clock, accept_unknown=True)


@BOTH
def test_an_officers_existing_certificate_is_enrolled_and_activated(
    trusted: LicensedCa, register: CertificateRegister, services: PkiServices, reference: str, memory_key: Any
) -> None:
    key = memory_key()
    certificate = trusted.certify("officer-signing", key.public_key)
    take(register, reference, certificate, key, [trusted.intermediate])
    enrolment = Enrolment(register, services.authorities["issuing"])
    proof = key.sign(activation_statement(reference, certificate), Mechanism.ECDSA_SHA256)
    enrolment.activate(reference, certificate, proof, Actor("OF-9"))
    with register.database.read() as session:
        row = register.find(session, reference)
        assert (row.state, row.origin) == ("active", "outside")
        assert outside_anchors(session) == [trusted.root]


def test_our_responder_does_not_answer_for_an_outside_ca(
    trusted: LicensedCa, register: CertificateRegister, services: PkiServices, reference: str, memory_key: Any
) -> None:
    key = memory_key()
    certificate = trusted.certify("officer-signing", key.public_key)
    take(register, reference, certificate, key, [trusted.intermediate])
    with pytest.raises(NoEvidence):
        services.evidence.evidence([certificate, trusted.intermediate, trusted.root])


def test_what_does_not_hold_is_refused(
    trusted: LicensedCa, register: CertificateRegister, reference: str, memory_key: Any, clock: Any
) -> None:
    key, other = memory_key(), memory_key()
    certificate = trusted.certify("officer-signing", key.public_key)
    with pytest.raises(ChainIncomplete):
        take(register, reference, certificate, key, [])
    with pytest.raises(OutsideRefused, match="Possession"):
        take(register, reference, certificate, other, [trusted.intermediate])
    with pytest.raises(OutsideRefused, match="not valid now"):
        take(register, reference, trusted.certify("officer-signing", key.public_key, days=29), key,
             [trusted.intermediate])  # fmt: skip
    stranger = LicensedCa(memory_key, clock.now())
    with pytest.raises(OutsideRefused, match="not on record"):
        take(register, reference, stranger.certify("officer-signing", key.public_key), key,
             [stranger.intermediate, stranger.root])  # fmt: skip
    with register.database.read() as session:
        refused = [entry.reason for entry in entries_about(session, f"certificate:{reference}") if entry.reason]
    assert len(refused) == 4


def test_an_hsm_key_is_certified_by_csr(trusted: LicensedCa, register: CertificateRegister, new_token: Any) -> None:
    token = new_token("pki-hsm")
    key = token.generate("p256", label="seal-2", id=b"seal-2")
    request = read_request(build_request(key, key.public_key, subject_name("示例局", organization="示例市")))
    answer = trusted.certify("seal", request.public_key)
    holder = Holder("seal:two", "D-1", token.info.serial)
    row = record_outside(register, "seal", answer, [trusted.intermediate], request, holder, CLERK, unasked(register))
    assert (row.state, row.origin) == ("active", "outside")
    other = token.generate("p256", label="seal-3", id=b"seal-3")
    with pytest.raises(OutsideRefused, match="not issued for this key"):
        record_outside(register, "seal", trusted.certify("seal", other.public_key), [trusted.intermediate], request,
                       holder, CLERK, unasked(register))  # fmt: skip


def test_only_an_operator_trusts_a_ca(licensed: LicensedCa, register: CertificateRegister, clock: Any) -> None:
    with pytest.raises(MoveNotAllowed), register.database.write() as session:
        add_outside_ca(session, licensed.root, SECOND, clock.now())
    with pytest.raises(ChainIncomplete), register.database.write() as session:
        add_outside_ca(session, licensed.intermediate, CLERK, clock.now())


def test_nothing_is_recorded_twice(
    trusted: LicensedCa, register: CertificateRegister, memory_key: Any, clock: Any
) -> None:
    with pytest.raises(OutsideRefused, match="already"), register.database.write() as session:
        add_outside_ca(session, trusted.root, CLERK, clock.now())
    key = memory_key()
    request = read_request(build_request(key, key.public_key, SUBJECT))
    answer = [trusted.certify("seal", key.public_key), [trusted.intermediate], request, Holder("seal:two"), CLERK,
              unasked(register)]  # fmt: skip
    record_outside(register, "seal", *answer)
    with pytest.raises(CertificateKnown):
        record_outside(register, "seal", *answer)


class Sealed:
    """A source of dependants as the command composes it."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def since(self, certificate: str, owner: str, moment: datetime) -> Sequence[Dependant]:
        return [Dependant("document", "DOC-1", moment, "批复")] if owner == self.owner else []


@pytest.fixture
def seal(services: PkiServices, memory_key: Any) -> bytes:
    subject = subject_name("示例局印章", organization="示例市")
    return services.authorities["issuing"].issue("seal", subject, memory_key().public_key, Holder("seal:one"), CLERK)


def test_a_lost_seal_key_touches_its_documents_alone(register: CertificateRegister, seal: bytes, clock: Any) -> None:
    since = clock.now() - timedelta(days=2)
    with register.database.read() as session:
        found = impact(session, register, fingerprint(seal), since, {"document": Sealed("seal:one")})
    assert [entry.id for entry in found.dependants] == ["DOC-1"]
    assert [(draft.owner, draft.reason) for draft in found.drafts] == [("seal:one", Reason.KEY_COMPROMISE)]
    assert found.unknown == ("seal", "print", "licence", "recipient")
    assert (
        register.status(services_issuer(register, seal), x509.load_der_x509_certificate(seal).serial_number) is not None
    )


def services_issuer(register: CertificateRegister, certificate: bytes) -> bytes:
    with register.database.read() as session:
        return register.chain(session, certificate)[0]


@BOTH
def test_a_lost_ca_key_reaches_everything_below_and_is_revoked_only_when_confirmed(
    register: CertificateRegister, services: PkiServices, seal: bytes, ceremony: Any, clock: Any
) -> None:
    services.tsa.respond(b"")
    issuing = ceremony.record.certificate("issuing")
    with register.database.read() as session:
        found = impact(session, register, fingerprint(issuing), clock.now(), {})
    owners = {draft.owner for draft in found.drafts}
    assert owners == {"issuing", "ocsp", "tsa", "evidence", "paper-code", "log", "tls", "seal:default", "seal:one"}
    assert {draft.reason for draft in found.drafts} == {Reason.CA_COMPROMISE}
    serial = x509.load_der_x509_certificate(seal).serial_number
    assert register.status(issuing, serial).revoked_at is None
    chosen = [draft.reference for draft in found.drafts if draft.owner == "seal:one"]
    carry_out(register, found, chosen, CLERK, "签发密钥泄露")
    status = register.status(issuing, serial)
    assert (status.reason, status.invalid_from) == (Reason.CA_COMPROMISE, clock.now())
    tsa = x509.load_der_x509_certificate(ceremony.record.certificate("tsa")).serial_number
    assert register.status(issuing, tsa).revoked_at is None


def test_a_healthy_register_has_no_findings_and_a_production_one_names_unlicensed_seals(
    register: CertificateRegister, services: PkiServices, seal: bytes, clock: Any
) -> None:
    with register.database.read() as session:
        assert register_findings(session, clock.now(), production=False) == []
        found = register_findings(session, clock.now(), production=True)
    assert [finding.code for finding in found] == ["seal_not_licensed"] * 2  # the ceremony's seal, and this one


@BOTH
@pytest.mark.parametrize(
    ("days", "codes"),
    [(8, {"crl_stale"}), (375, {"crl_stale", "crl_ceremony_due", "certificate_ending"})],
)
def test_time_alone_makes_findings(register: CertificateRegister, clock: Any, days: int, codes: set[str]) -> None:
    clock.advance(days=days)
    with register.database.read() as session:
        assert {finding.code for finding in register_findings(session, clock.now(), production=False)} == codes


def _serve_once(reply: bytes, times: int) -> str:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            for _ in range(times):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(reply)

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _pointing_to(base: str, memory_key: Any, now: datetime) -> tuple[bytes, bytes]:
    ca = LicensedCa(memory_key, now)
    certificate = issue_certificate(
        PROFILES["seal"], subject=SUBJECT, public_key=memory_key().public_key, issuer_certificate=ca.root,
        issuer_key=ca.root_key, serial=new_serial(), not_before=now, not_after=now + timedelta(days=1),
        urls=Urls(f"{base}/a.crl", f"{base}/ocsp"),
    )  # fmt: skip
    return certificate, ca.root


def test_unusable_addresses_and_a_wrong_clock_are_found(memory_key: Any, clock: Any) -> None:
    reply = (
        b"HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    )
    certificate, issuer = _pointing_to(_serve_once(reply, 2), memory_key, clock.now())
    outbound = Outbound(OutboundPolicy(hosts=frozenset({"127.0.0.1"}), timeout_seconds=2))
    found = network_findings(certificate, issuer, outbound, clock.now())
    assert [finding.code for finding in found] == ["address_unusable", "address_unusable", "clock_skew"]


def test_unreachable_addresses_are_found(memory_key: Any, clock: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    certificate, issuer = _pointing_to(base, memory_key, clock.now())
    outbound = Outbound(OutboundPolicy(hosts=frozenset({"127.0.0.1"}), timeout_seconds=0.5))
    found = network_findings(certificate, issuer, outbound, clock.now())
    assert [finding.code for finding in found] == ["address_unreachable", "address_unreachable"]


def validate(evidence: Any, ceremony: Any, moment: datetime) -> None:
    leaf, *others = (asn1_x509.Certificate.load(der) for der in evidence.certificates)
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(ceremony.record.certificate("root"))],
        other_certs=others,
        ocsps=[asn1_ocsp.OCSPResponse.load(der) for der in evidence.ocsp_responses],
        crls=[asn1_crl.CertificateList.load(der) for der in evidence.crls],
        revocation_mode="require",
        moment=moment,
    )
    validator = CertificateValidator(leaf, intermediate_certs=others, validation_context=context)
    asyncio.run(validator.async_validate_usage({"digital_signature"}))


def test_pyhanko_accepts_our_evidence_without_a_network(
    services: PkiServices, register: CertificateRegister, seal: bytes, ceremony: Any, clock: Any
) -> None:
    chain = [seal, *(ceremony.record.certificate(name) for name in ("issuing", "root"))]
    evidence = services.evidence.evidence(chain)
    assert (len(evidence.ocsp_responses), len(evidence.crls)) == (1, 1)
    validate(evidence, ceremony, clock.now())
    register.change(fingerprint(seal), "revoke", CLERK, Why("停用", Reason.CESSATION_OF_OPERATION))
    clock.advance(seconds=10)
    with pytest.raises(Exception, match=r"(?i)revoked"):
        validate(services.evidence.evidence(chain), ceremony, clock.now())


def test_chains_are_built_from_the_outside_corpus(corpora: Path) -> None:
    """PKITS: the valid path of section 4.1.1 in any order of certificates; an unrelated pool gives a named error."""
    folder = corpora / "pki" / "pkits" / "certs"
    if not folder.exists():
        pytest.skip("the PKITS certificates are not in the corpora")
    pool = [path.read_bytes() for path in sorted(folder.glob("*.crt"))[:60]]
    leaf = (folder / "ValidCertificatePathTest1EE.crt").read_bytes()
    above = [(folder / name).read_bytes() for name in ("TrustAnchorRootCertificate.crt", "GoodCACert.crt")]
    assert build_chain(leaf, [*pool, *above])[1:] == [above[1], above[0]]
    with pytest.raises(ChainIncomplete, match="Good CA"):
        build_chain(leaf, [above[1]])
