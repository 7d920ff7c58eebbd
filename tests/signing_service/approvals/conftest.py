"""A small PKI with keys in memory, officers who really sign, and the real verification engine as examiner."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware.ports import Mechanism
from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import Casework
from signing_service.approvals.examining import Finding
from signing_service.approvals.intake import CaseRequest, OpenedCase
from signing_service.approvals.matter_catalogue import MatterCatalogue
from signing_service.approvals.outward import typeset_outward
from signing_service.approvals.rules import Actor
from signing_service.kernel.blobs import LocalBlobs
from signing_service.kernel.database import Database
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign
from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose

NOW = datetime(2026, 11, 24, 7, 4, tzinfo=UTC)
"""A Tuesday."""
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""RFC 9336."""
REVIEWER = frozenset({"reviewer"})
CLERK = Actor("clerk", "approvals", frozenset({"window"}))
FIELDS = {"project_name": "滨河路一号综合楼", "location": "示例区滨河路1号", "content": "新建综合楼一栋"}
COMPANY = Applicant("示例建设有限公司", "91990000MA990001X2")


@dataclass
class SteppedClock:
    """A clock that stands until a test moves it."""

    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant

    def forward(self, **step: int) -> None:
        self.instant += timedelta(**step)


@dataclass
class MemoryKey:
    """A `SigningKey` whose key is in memory."""

    private: ec.EllipticCurvePrivateKey
    certificate: bytes
    chain: Sequence[bytes]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        assert mechanism is Mechanism.ECDSA_SHA256
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


@dataclass
class Keys:
    """A root and what it issued, by name."""

    root: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    held: dict[str, MemoryKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root_certificate = self._certificate("根", self.root, ca=True)

    def of(self, name: str) -> MemoryKey:
        if name not in self.held:
            private = ec.generate_private_key(ec.SECP256R1())
            root = self.root_certificate.public_bytes(Encoding.DER)
            self.held[name] = MemoryKey(private, self._certificate(name, private).public_bytes(Encoding.DER), [root])
        return self.held[name]

    def revocation_list(self) -> bytes:
        """The root's CRL, on which nothing stands."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root_certificate.subject)
            .last_update(NOW - timedelta(days=1))
            .next_update(NOW + timedelta(days=3650))
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        return builder.sign(self.root, hashes.SHA256()).public_bytes(Encoding.DER)

    def _certificate(self, name: str, private: ec.EllipticCurvePrivateKey, *, ca: bool = False) -> x509.Certificate:
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, "根"))
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=30))
            .not_valid_after(NOW + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not ca, content_commitment=not ca, key_cert_sign=ca, crl_sign=ca, **usage
                ),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.public_key()), critical=False)
            .sign(self.root, hashes.SHA256())
        )


@dataclass
class Office:
    """Casework with people who can act: what tests drive."""

    work: Casework
    clock: SteppedClock
    keys: Keys

    def officer(self, name: str, department: str = "approvals") -> Actor:
        certificate = hashlib.sha256(self.keys.of(name).certificate).hexdigest()
        return Actor(name, department, REVIEWER, certificate)

    def open(self, matter: str = "project-plan", **more: object) -> OpenedCase:
        request = CaseRequest(matter=matter, applicant=COMPANY, fields=FIELDS, **more)  # type: ignore[arg-type]
        return intake.open_case(self.work, request, CLERK)

    def in_review(self, matter: str = "project-plan", **more: object) -> OpenedCase:
        case = self.open(matter, **more)
        intake.accept(self.work, case.case_id, CLERK)
        course.begin_review(self.work, case.case_id, CLERK)
        return case

    def signed_by(self, name: str, revision: course.Revision, *, opinion: str = "同意。") -> bytes:
        """The revision with the officer's visible signature in its box, as the agent would send it back."""
        area = revision.area
        placing = Placing() if area is None else Placing(*area.as_dict().values())  # type: ignore[arg-type]
        request = SignatureRequest(
            field=f"sig-{name}-{revision.version_id}",
            signed_at=self.clock.now(),
            appearance=TextAppearance([name, opinion]),
            placing=placing,
        )
        return sign(revision.content, request, self.keys.of(name))

    def sign_step(self, case: OpenedCase, place: int, name: str, department: str = "approvals") -> str:
        step = case.step_ids[place]
        completed = self.signed_by(name, course.to_sign(self.work, case.case_id, step))
        return course.step_signed(
            self.work, case.case_id, step, self.officer(name, department), completed, opinion="同意。",
            examine=self.examine,
        )  # fmt: skip

    def approved(self, **more: object) -> OpenedCase:
        case = self.in_review(**more)
        self.sign_step(case, 0, "甲")
        self.sign_step(case, 1, "乙")
        return case

    def sealed(self, **more: object) -> OpenedCase:
        case = self.approved(**more)
        typeset_outward(self.work, case.case_id, CLERK)
        completed = self.signed_by("印章", course.to_seal(self.work, case.case_id))
        course.sealed(self.work, case.case_id, CLERK, completed, examine=self.examine)
        return case

    def delivered(self, **more: object) -> OpenedCase:
        case = self.sealed(**more)
        course.release(self.work, case.case_id, CLERK, examine=self.examine)
        return case

    def examine(self, pdf: bytes) -> Finding:
        """The engine itself, offline, trusting the small PKI's root and its revocation list."""
        root = self.keys.root_certificate.public_bytes(Encoding.DER)
        anchors = {Purpose.OFFICERS: [root], Purpose.SEALS: [root]}
        return Finding.from_report(
            verify(pdf, Policy(anchors=anchors, at=self.clock.now(), crls=[self.keys.revocation_list()]))
        )


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def office(database: Database, tmp_path: Path, keys: Keys) -> Office:
    clock = SteppedClock()
    work = Casework(database, LocalBlobs(tmp_path / "blobs"), clock, MatterCatalogue.read())
    return Office(work, clock, keys)
