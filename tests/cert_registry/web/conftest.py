"""A registry behind its web application: real PAdES seals with keys in memory, the real engine, three departments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from fastapi.testclient import TestClient
from joserfc import jwk, jws

from cert_registry.app import create_app
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.drafts import Draft, IssueRequest, Registered
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.issue import Issuing
from cert_registry.settings import registry_settings
from cert_registry.sharing.access import Action
from cert_registry.sharing.copies import CopyDraft
from cert_registry.sharing.grants import grant
from cert_registry.verification.lookup import CodeFacts, CodeUnreadable, OtherRegistry
from cert_registry.web.bearer import by_bearer
from cert_registry.web.evidence import evidence_signer
from cert_registry.web.parts import RegistryParts
from hardware.ports import Mechanism
from signing_service.kernel.audit_log import AuditLog
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign
from signing_service.people.errors import TokenRefused
from signing_service.people.oauth import Caller, TokenEndpoint
from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial
from signing_service.pki.names import subject_name
from signing_service.pki.profiles import profile_named
from signing_service.settings import Settings
from signing_service.verification.engine import verify
from signing_service.verification.issued_reports import Asker, ReportBook
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.ports import StatusSource
from signing_service.verification.written_report import typeset_report, written_report
from tests.cert_registry.world import BUREAU, CLERK, SVG, TRANSPORT, SetClock

CODE_PREFIX = "https://zw.example.cn/c/"
PURPOSE = {"purpose": "受理施工许可申请", "matter": "M1"}
HEADERS = {"Zhengyin-Purpose": "%E5%8F%97%E7%90%86", "Zhengyin-Matter": "M1"}
CALLERS = {
    "bureau": Caller("client-bureau", BUREAU.code, BUREAU.name),
    "transport": Caller("client-transport", TRANSPORT.code, TRANSPORT.name),
    "housing": Caller("client-housing", "housing", "示例市住房和城乡建设局"),
    "none": Caller("client-none", "none", "示例市气象局"),
    "stranger": Caller("client-stranger", "stranger", "示例市档案局"),
}
AUDIENCE = "https://zw.example.cn/oauth2/token"
FOREIGN = "11430000006122244L"


class MemoryKey:
    """A key in memory that signs as a token does, with its certificates."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.certificate = b""
        self.chain: Sequence[bytes] = ()

    def sign(self, data: bytes, _mechanism: Mechanism) -> bytes:
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


@dataclass
class Trust:
    """A root, an issuing CA, a seal and an evidence key, made by the service's own issuing."""

    now: datetime
    root: MemoryKey = field(default_factory=MemoryKey)
    issuing_ca: MemoryKey = field(default_factory=MemoryKey)
    seal: MemoryKey = field(default_factory=MemoryKey)
    evidence: MemoryKey = field(default_factory=MemoryKey)

    def __post_init__(self) -> None:
        self.root.certificate = self._issue("root", "示例根", self.root, None)
        self.issuing_ca.certificate = self._issue("issuing-ca", "示例签发", self.issuing_ca, self.root)
        self.seal.certificate = self._issue("seal", "示例市行政审批局", self.seal, self.issuing_ca)
        self.evidence.certificate = self._issue("evidence", "示例回执", self.evidence, self.issuing_ca)
        self.seal.chain = (self.issuing_ca.certificate,)

    def _issue(self, profile: str, name: str, key: MemoryKey, issuer: MemoryKey | None) -> bytes:
        return issue_certificate(
            profile_named(profile),
            subject=subject_name(name, organization="示例市"),
            public_key=key.private.public_key(),
            issuer_certificate=issuer.certificate if issuer else None,
            issuer_key=issuer or key,
            serial=new_serial(),
            not_before=self.now - timedelta(days=1),
            not_after=self.now + timedelta(days=300),
            urls=Urls(),
        )

    def seal_file(self, pdf: bytes, at: datetime) -> bytes:
        return sign(pdf, SignatureRequest(field="Seal", signed_at=at, lock=True), self.seal)

    def judge(self, content: bytes, name: str, status: StatusSource, at: datetime) -> Mapping[str, Any]:
        return verify(content, self.policy(at), status, file_name=name).as_json()

    def policy(self, at: datetime) -> Policy:
        return Policy({Purpose.SEALS: [self.root.certificate]}, at, revocation_required=False)


@dataclass
class PublishedCertificates:
    trust: Trust

    def roots(self) -> bytes:
        return as_pem(self.trust.root.certificate)

    def evidence(self) -> bytes:
        return as_pem(self.trust.evidence.certificate)


def as_pem(der: bytes) -> bytes:
    return load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@dataclass
class SealedReport:
    number: str
    code: str
    content: bytes


class ReportsInMemory:
    """The real book, layout and seal, with the key in memory in place of custody's."""

    def __init__(self, trust: Trust, book: ReportBook, clock: SetClock) -> None:
        self.trust, self.book, self.clock, self.kept = trust, book, clock, dict[str, bytes]()

    def issue_on(self, content: bytes, name: str, requested_by: str, purpose: str, actor: str) -> SealedReport:
        at = self.clock.now()
        report = verify(content, self.trust.policy(at), file_name=name)
        row = self.book.draw(report, Asker(requested_by, purpose, actor))
        written = written_report(report, number=row.number, requested_by=requested_by, purpose=purpose)
        pdf = typeset_report(written, issuer="示例市行政审批局", code=row.code, size=len(content))
        sealed = self.trust.seal_file(pdf, at)
        digest = hashlib.sha256(sealed).hexdigest()
        self.kept[digest] = sealed
        self.book.close(row.number, digest)
        return SealedReport(row.number, row.code, sealed)

    def fetch(self, number: str, code: str, actor: str) -> bytes:
        return self.kept[self.book.fetch(number, code, actor)]


@dataclass
class Registry:
    """The application with what tests need to reach behind it."""

    parts: RegistryParts
    clock: SetClock
    trust: Trust
    client: TestClient

    def call(self, method: str, path: str, who: str = "housing", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer token-{who}", **options.pop("headers", {})}
        if method == "GET":
            headers = {**HEADERS, **headers}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    def issue(self, request: IssueRequest) -> Registered:
        return self.parts.issuing.issue(request, CLERK, paper_code=self.parts.paper_code, seal=self.parts.seal)

    def grant(self, department: str, *actions: Action, type_code: str = "*", **options: Any) -> str:
        values = {"matters": ["M1"], "since": datetime(2026, 1, 1, tzinfo=UTC), "basis": "示例", "actor": "officer:1"}
        with self.parts.database.write() as session:
            return grant(session, department, type_code, actions, **{**values, **options})

    def open_evidence(self, token: str) -> dict[str, Any]:
        key = jwk.ECKey.import_key(self.trust.evidence.private.public_key())
        return json.loads(jws.deserialize_compact(token, key, algorithms=["ES256"]).payload)


def _read_code(text: str) -> CodeFacts:
    """Takes the address or its payload, as the real reader does; the signature is tested with printing."""
    payload = text.removeprefix(CODE_PREFIX)
    kind = "approval" if payload.startswith("case-") else "licence"
    if kind == "licence" and not payload.startswith("1.2.156."):
        raise CodeUnreadable
    return CodeFacts(payload, {"kind": kind})


class NoKeys:
    """Paper codes whose payload is the identifier itself: `_read_code` takes them as they are."""

    def published(self) -> Mapping[str, Any]:
        return {"published_at": "2026-11-24T07:04:00+00:00", "keys": [], "prefix": CODE_PREFIX}

    def payload_of(self, short_code: str) -> str:
        return short_code


def _check_token(token: str) -> Caller:
    caller = CALLERS.get(token.removeprefix("token-"))
    if caller is None:
        raise TokenRefused
    return caller


@pytest.fixture(scope="session")
def trust() -> Trust:
    return Trust(datetime(2026, 11, 24, 7, 4, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "demo", "", "", "示例市", "https://zw.example.cn", frozenset())


@pytest.fixture
def registry(
    issuing: Issuing, catalogue: Catalogue, vault: AesHolderVault, clock: SetClock, trust: Trust, settings: Settings
) -> Iterator[Registry]:
    def seal(_draft: Draft, pdf: bytes) -> bytes:
        return trust.seal_file(pdf, clock.now())

    def seal_copy(draft: CopyDraft) -> bytes:
        return trust.seal_file(draft.rendered, clock.now())

    sign_evidence: Callable[[bytes], bytes] = lambda content: trust.evidence.sign(content, Mechanism.ECDSA_SHA256)  # noqa: E731
    parts = RegistryParts(
        database=issuing.database, blobs=issuing.blobs, clock=clock, catalogue=catalogue, vault=vault, issuing=issuing,
        settings=registry_settings(settings), authenticate=by_bearer(_check_token),
        evidence=evidence_signer(trust.evidence.certificate, sign_evidence),
        verify_file=lambda content, name, status: trust.judge(content, name, status, clock.now()),
        read_code=_read_code, codes=NoKeys(), paper_code=lambda _draft: SVG, seal=seal, seal_copy=seal_copy,
        client_keys=TokenEndpoint(issuing.database, clock, AUDIENCE), certificates=PublishedCertificates(trust),
        reports=ReportsInMemory(trust, ReportBook(issuing.database, clock, AuditLog(), "示核验"), clock),
        other_registries={FOREIGN: OtherRegistry("示例省登记局", "https://other.example.cn/v")},
    )  # fmt: skip
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        yield Registry(parts, clock, trust, client)
