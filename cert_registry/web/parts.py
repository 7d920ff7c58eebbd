"""Everything that the registry's web side is given; composed by the command line, opened nowhere here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from fastapi import Request
from sqlalchemy.orm import Session

from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.drafts import PaperCode, Seal
from cert_registry.licences.holder_vault import HolderVault
from cert_registry.licences.issue import Issuing
from cert_registry.settings import RegistrySettings
from cert_registry.sharing.copies import SealCopy
from cert_registry.verification.lookup import CodeReader, EngineVerify, OtherRegistry
from cert_registry.web.supervision_parts import SupervisionParts
from signing_service.app import Parts
from signing_service.approvals.casework import Casework
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.printing.handing_out import SealedDocument
from signing_service.printing.ipp import IppPrinter
from signing_service.printing.ledger import PrintLedger, ReservedCopy
from signing_service.printing.terminals import Terminals
from signing_service.web.browser_session import BrowserSessions

EVIDENCE_TYPE = "zhengyin-evidence+jwt"


class Caller(Protocol):
    """A department's authenticated client."""

    @property
    def client_id(self) -> str: ...
    @property
    def department_id(self) -> str: ...
    @property
    def department_name(self) -> str: ...


class Evidence(Protocol):
    """Claims to a signed compact JWS of a type. Called with no transaction open; may go to a token."""

    def __call__(self, claims: Mapping[str, Any], kind: str = EVIDENCE_TYPE) -> str: ...


Authenticate = Callable[[Request], Caller]
"""The caller of a request, by its bearer token. Raises people.errors.TokenRefused."""
DepartmentCodes = Callable[[Session, str], frozenset[str]]
"""In a caller's session, a department's id to the issuer codes for which it is competent today: its own and those of
bodies it succeeded."""
CompetentBody = Callable[[Session, str], str]
"""In a caller's session, an issuer code to the name of the body competent today; empty when it is the issuer itself."""


def itself(_session: Session, department_id: str) -> frozenset[str]:
    """For deployments where a department's id is its code and no body was ever succeeded."""
    return frozenset({department_id})


def unchanged(_session: Session, _issuer_code: str) -> str:
    """No body was ever succeeded."""
    return ""


class SealedReport(Protocol):
    """A numbered verification report as it is handed out."""

    @property
    def number(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def content(self) -> bytes: ...


def nobody() -> None:
    """There is no worker to wake; it looks each minute."""


class ClientKeys(Protocol):
    """The public keys that clients prove themselves with."""

    def kids(self, session: Session, client_id: str) -> list[str]:
        """Raises people.errors.Unknown."""
        ...

    def replace(self, session: Session, client_id: str, jwks: Mapping[str, Any], proof: str) -> list[str]:
        """In the caller's transaction; gives the new set's kids. Raises KeySetRefused, KeyNotProven, Unknown."""
        ...


class PublicCertificates(Protocol):
    """What others check our signatures with, as PEM."""

    def roots(self) -> bytes: ...
    def evidence(self) -> bytes:
        """Of every evidence key in use, the present one first, each followed by its issuers below the root."""
        ...


@dataclass(frozen=True, slots=True)
class SandboxClient:
    """A client that registered itself. `until`: when its grants end."""

    client_id: str
    kid: str
    department: str
    until: datetime


class Sandbox(Protocol):
    """Registers fictional departments' clients by themselves; a demo deployment alone has one."""

    def register(self, name: str, public_key: str) -> SandboxClient:
        """Raises KeySetRefused, SandboxRefused."""
        ...


class Reports(Protocol):
    """The desk that issues verification reports (核验报告) and finds them again."""

    def issue_on(self, content: bytes, name: str, requested_by: str, purpose: str, actor: str) -> SealedReport:
        """Judge the file and issue. Raises what sealing raises."""
        ...

    def fetch(self, number: str, code: str, actor: str) -> bytes:
        """The sealed PDF. Raises ReportUnknown."""
        ...


class Codes(Protocol):
    """Paper codes as verifiers without our keys need them."""

    def published(self) -> Mapping[str, Any]:
        """The list of public keys, when it was published, and the address that codes begin with."""
        ...

    def payload_of(self, short_code: str) -> str:
        """What a typed short code stands for. Raises ShortCodeMistyped, ShortCodeUnknown."""
        ...


class Printing(Protocol):
    """Copies on paper: the ledger, the copy's file, printers."""

    @property
    def ledger(self) -> PrintLedger: ...

    def make(self, sealed: SealedDocument, copy: ReservedCopy) -> bytes:
        """The copy's PDF with a paper code of its own. Raises CopyRefused and custody's errors."""
        ...

    def as_handed_out(self, sealed: SealedDocument, copy: ReservedCopy, text: str) -> bytes:
        """The file as it was when its code's text was made."""
        ...

    def printer(self, address: str, *, allow: str = "") -> IppPrinter:
        """`allow`: a host that an operator named for this printer, besides those of the settings."""
        ...


@dataclass(frozen=True, slots=True)
class ApplicantParts:
    """The applicant's pages. `origin`: our own address as browsers name it; writes from elsewhere are refused."""

    work: Casework
    printing: Printing
    terminals: Terminals
    origin: str


@dataclass(frozen=True, slots=True)
class RegistryParts:
    """`service`: what the signing service's application is made of; the registry is added to it. `browsers`: officers'
    sessions, without which there are no officers' pages. `wake_bulk` tells the worker that rows of a bulk job wait."""

    database: Database
    blobs: BlobStore
    clock: Clock
    catalogue: Catalogue
    vault: HolderVault
    issuing: Issuing
    settings: RegistrySettings
    authenticate: Authenticate
    evidence: Evidence
    verify_file: EngineVerify
    read_code: CodeReader
    paper_code: PaperCode
    seal: Seal
    seal_copy: SealCopy
    client_keys: ClientKeys
    certificates: PublicCertificates
    department_codes: DepartmentCodes = itself
    competent_body: CompetentBody = unchanged
    other_registries: Mapping[str, OtherRegistry] = field(default_factory=dict)
    service: Parts | None = None
    reports: Reports | None = None
    codes: Codes | None = None
    applicants: ApplicantParts | None = None
    supervision: SupervisionParts | None = None
    sandbox: Sandbox | None = None
    browsers: BrowserSessions | None = None
    wake_bulk: Callable[[], None] = nobody
