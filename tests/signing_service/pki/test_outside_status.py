"""An outside CA is asked about its certificates: a real second CA (openssl), which is then killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import func, select

from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.assembly import PkiServices
from signing_service.pki.crl import Reason, RevokedEntry, build_crl
from signing_service.pki.enrolment import Enrolment, activation_statement
from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial
from signing_service.pki.names import subject_name
from signing_service.pki.outside import OutsideCheck, add_outside_ca, take_outside
from signing_service.pki.outside_sources import Addresses, OutsideAnswer, OutsideSources, kept_answers
from signing_service.pki.outside_status import OutsideRevoked, OutsideStatus, OutsideStatusUnknown, Standing
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.profiles import PROFILES
from signing_service.pki.register import CertificateRegister, Holder, fingerprint
from signing_service.pki.rules import APPROVER, OPERATOR, SYSTEM, Actor
from signing_service.web.desk import CertificateUse
from tests.signing_service.pki.second_ca import Files, SecondCa

CLERK, SECOND = Actor("OF-1", frozenset({OPERATOR, SYSTEM})), Actor("OF-2", frozenset({APPROVER}))
NOWHERE = Addresses()


class Forward:
    """The machine's clock, put forward by the test."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.fixture
def clock() -> Forward:
    return Forward()


@pytest.fixture
def ca(tmp_path: Path) -> Iterator[SecondCa]:
    made = SecondCa(tmp_path / "second")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def status(register: CertificateRegister, clock: Forward) -> Callable[..., OutsideStatus]:
    """With answers of 127.0.0.1 allowed, as an operator would by `outbound_hosts`."""

    def make(*, accept: bool = False, hosts: frozenset[str] = frozenset({"127.0.0.1"})) -> OutsideStatus:
        outbound = Outbound(OutboundPolicy(hosts, timeout_seconds=5))
        return OutsideStatus(OutsideSources(register.database, outbound, clock), clock, accept_unknown=accept)

    return make


def at(ca: SecondCa) -> str:
    return f"authorityInfoAccess=OCSP;URI:{ca.url}\n"


def test_its_responder_is_asked_and_its_answer_kept_until_it_ends(ca: SecondCa, status: Any, clock: Forward) -> None:
    chain = [ca.officer("a", at(ca)), ca.root]
    ca.kill()
    ca.start()
    found = status().require(chain, NOWHERE)
    assert (found.standing, len(found.evidence.ocsp_responses)) == (Standing.GOOD, 1)
    ca.kill()
    assert status().require(chain, NOWHERE).evidence == found.evidence
    clock.by = timedelta(minutes=6)
    with pytest.raises(OutsideStatusUnknown, match="outbound_hosts"):
        status().require(chain, NOWHERE)
    assert status(accept=True).require(chain, NOWHERE).standing is Standing.UNKNOWN


def test_a_revocation_counts_at_once(ca: SecondCa, status: Any) -> None:
    chain = [ca.officer("a", at(ca)), ca.root]
    ca.revoke(chain[0])
    ca.kill()
    ca.start()
    with pytest.raises(OutsideRevoked):
        status(accept=True).require(chain, NOWHERE)


def test_the_address_on_record_is_asked_where_the_certificate_names_none(ca: SecondCa, status: Any) -> None:
    chain = [ca.officer("a"), ca.root]
    ca.kill()
    ca.start()
    with pytest.raises(OutsideStatusUnknown):
        status().require(chain, NOWHERE)
    assert status().require(chain, Addresses(ocsp_url=ca.url)).standing is Standing.GOOD


def test_an_answer_signed_by_somebody_else_says_nothing(ca: SecondCa, status: Any, tmp_path: Path) -> None:
    other = SecondCa(tmp_path / "other", "Another CA")
    chain = [ca.officer("a", at(ca)), ca.root]
    for name in ("ocsp.pem", "ocsp.key"):
        (ca.folder / f"false-{name}").write_bytes((other.folder / name).read_bytes())
    (ca.folder / "false.pem").write_bytes((other.folder / "ocsp.pem").read_bytes())
    (ca.folder / "false.key").write_bytes((other.folder / "ocsp.key").read_bytes())
    ca.kill()
    ca.start(signer="false")
    with pytest.raises(OutsideStatusUnknown):
        status().require(chain, NOWHERE)


def test_crls_serve_where_there_is_no_responder(ca: SecondCa, status: Any, register: CertificateRegister) -> None:
    with Files({}) as files:
        point = f"crlDistributionPoints=URI:{files.url}/a.crl\n"
        good, bad = ca.officer("good", point), ca.officer("bad", point)
        ca.revoke(bad)
        files.answers["/a.crl"] = ca.crl()
        assert status().require([good, ca.root], NOWHERE).standing is Standing.GOOD
        with pytest.raises(OutsideRevoked):
            status().require([bad, ca.root], NOWHERE)
        assert files.asked == ["/a.crl"]
    with register.database.read() as session:
        assert [len(each) for each in kept_answers(session, datetime.now(UTC))] == [1, 0]


def test_what_is_too_large_or_no_answer_counts_as_none_and_is_not_asked_again_at_once(
    ca: SecondCa, status: Any, clock: Forward
) -> None:
    with Files({"/big": b"\x30" * 100_000, "/page": b"<html>"}) as files:
        asked = status()
        for path in ("big", "page", "none"):
            chain = [ca.officer(path, f"authorityInfoAccess=OCSP;URI:{files.url}/{path}\n"), ca.root]
            for _ in range(3):
                with pytest.raises(OutsideStatusUnknown):
                    asked.require(chain, NOWHERE)
        assert files.asked == ["/big", "/page", "/none"]
        clock.by = timedelta(seconds=31)
        with pytest.raises(OutsideStatusUnknown):
            asked.require(chain, NOWHERE)
        assert files.asked == ["/big", "/page", "/none", "/none"]


def test_a_private_address_is_not_asked_unless_the_settings_allow_it(ca: SecondCa, status: Any) -> None:
    with Files({}) as files:
        chain = [ca.officer("a", f"authorityInfoAccess=OCSP;URI:{files.url}/x\n"), ca.root]
        with pytest.raises(OutsideStatusUnknown):
            status(hosts=frozenset()).require(chain, NOWHERE)
        assert files.asked == []


def test_at_most_three_addresses_are_asked(ca: SecondCa, status: Any) -> None:
    with Files({}) as files:
        urls = ",".join(f"OCSP;URI:{files.url}/{number}" for number in range(8))
        with pytest.raises(OutsideStatusUnknown):
            status().require([ca.officer("a", f"authorityInfoAccess={urls}\n"), ca.root], NOWHERE)
        assert files.asked == ["/0", "/1", "/2"]


def test_an_officer_with_an_outside_certificate_is_let_in_only_while_its_ca_says_good(
    ca: SecondCa, status: Any, register: CertificateRegister, services: PkiServices, clock: Forward
) -> None:
    """Enrolled while the CA answers; refused, and logged so, while it does not; out when the kept answer has ended."""
    certificate = ca.officer("a", at(ca))
    key = load_pem_private_key((ca.folder / "a.key").read_bytes(), None)
    with register.database.write() as session:
        add_outside_ca(session, ca.root, CLERK, clock.now())
    enrolment = Enrolment(register, services.authorities["issuing"])
    subject = subject_name("经办员甲", organization="示例市自然资源局", identifier="OF-9")
    reference = enrolment.request("officer-signing", Holder("OF-9", "D-1"), subject, CLERK)
    enrolment.approve(reference, SECOND)
    proof = key.sign(activation_statement(reference, certificate), ECDSA(SHA256()))
    ca.kill()
    with pytest.raises(OutsideStatusUnknown):
        take_outside(register, reference, certificate, [], proof, CLERK, status())
    with register.database.read() as session:
        refused = session.scalars(select(AuditEntry.reason).where(AuditEntry.result == "refused")).all()
    assert refused == ["outside_status_unknown"]
    ca.start()
    take_outside(register, reference, certificate, [], proof, CLERK, status())
    enrolment.activate(reference, certificate, proof, Actor("OF-9"))
    desk = CertificateUse(register, OutsideCheck(register.database, status()))
    assert desk.is_usable(fingerprint(certificate))
    ca.kill()
    assert desk.is_usable(fingerprint(certificate))
    clock.by = timedelta(minutes=6)
    assert not desk.is_usable(fingerprint(certificate))
    ca.revoke(certificate)
    ca.start()
    clock.by = timedelta(0)
    with register.database.write() as session:
        session.query(OutsideAnswer).delete()
    assert not CertificateUse(register, OutsideCheck(register.database, status())).is_usable(fingerprint(certificate))
    with register.database.read() as session:
        assert session.scalar(select(func.count()).select_from(OutsideAnswer)) == 1


class OurOwnKind:
    """A root, an issuing CA below it and an officer, made by our own code with keys in memory; both CAs by CRL."""

    def __init__(self, memory_key: Any, url: str) -> None:
        self.url, self.now, self.keys = (
            url,
            datetime.now(UTC).replace(microsecond=0),
            {name: memory_key() for name in ("root", "issuing", "officer")},
        )
        self.root = self._sign("root", None, "root", "root")
        self.issuing = self._sign("issuing-ca", self.root, "issuing", "root")
        self.officer = self._sign("officer-signing", self.issuing, "officer", "issuing")

    def _sign(self, profile: str, issuer: bytes | None, name: str, signer: str) -> bytes:
        now = self.now
        return issue_certificate(
            PROFILES[profile], subject=subject_name(name, organization="示例认证"),
            public_key=self.keys[name].public_key,
            issuer_certificate=issuer, issuer_key=self.keys[signer], serial=new_serial(),
            not_before=now - timedelta(days=1), not_after=now + timedelta(days=99),
            urls=Urls(crl=f"{self.url}/{signer}.crl") if issuer else Urls(),
        )  # fmt: skip

    def crl(self, name: str, certificate: bytes, *revoked: bytes) -> bytes:
        now = datetime.now(UTC).replace(microsecond=0)
        serials = [x509.load_der_x509_certificate(each).serial_number for each in revoked]
        entries = [RevokedEntry(serial, now - timedelta(hours=1), Reason.CA_COMPROMISE) for serial in serials]
        return build_crl(
            CertifiedKey(self.keys[name], certificate), entries, number=1, this_update=now - timedelta(minutes=1),
            next_update=now + timedelta(days=1),
        )  # fmt: skip


@pytest.mark.parametrize("case", ["good", "no word of the issuing CA", "the issuing CA is revoked"])
def test_every_certificate_below_the_anchor_counts(status: Any, memory_key: Any, case: str) -> None:
    with Files({}) as files:
        made = OurOwnKind(memory_key, files.url)
        files.answers["/issuing.crl"] = made.crl("issuing", made.issuing)
        revoked = [made.issuing] if case == "the issuing CA is revoked" else []
        if case != "no word of the issuing CA":
            files.answers["/root.crl"] = made.crl("root", made.root, *revoked)
        found = status().judge([made.officer, made.issuing, made.root], NOWHERE)
    wanted = {"good": Standing.GOOD, "the issuing CA is revoked": Standing.REVOKED}
    assert found.standing is wanted.get(case, Standing.UNKNOWN), found.why
