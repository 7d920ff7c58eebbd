"""What one run of the engine shares between its checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from signing_service.verification.certificates import Certificate
from signing_service.verification.chain import TrustStore
from signing_service.verification.container import Container
from signing_service.verification.digests import Digests
from signing_service.verification.discovery import Found, Revisions
from signing_service.verification.policy import Policy
from signing_service.verification.ports import Facts
from signing_service.verification.report import Check, SignatureReport
from signing_service.verification.revocation import RevocationData


class TrustContext(Protocol):
    """What judging a certificate's trust needs of a run; also outside a document."""

    @property
    def policy(self) -> Policy: ...
    @property
    def store(self) -> TrustStore: ...
    @property
    def revocation(self) -> RevocationData: ...


@dataclass(slots=True)
class Context:
    """`facts` None: there is no source of facts."""

    policy: Policy
    revisions: Revisions
    store: TrustStore
    revocation: RevocationData
    digests: Digests
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason that a check came to, with values for its sentence and EN 319 102-1's names."""

    code: str
    indication: str
    sub_indication: str | None = None
    values: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Judged:
    """One signature on its way through the checks. `trusted_time` is the best time that a believed timestamp proves."""

    found: Found
    report: SignatureReport
    container: Container | None = None
    certificate: Certificate | None = None
    findings: list[Finding] = field(default_factory=list)
    checks: list[tuple[int, Check]] = field(default_factory=list)
    trusted_time: datetime | None = None
    timestamp_chains: list[tuple[Certificate, datetime]] = field(default_factory=list)

    @property
    def is_timestamp(self) -> bool:
        return self.report.kind == "timestamp"

    @property
    def intact(self) -> bool:
        return self.report.integrity == "intact"

    def note(self, number: int, name: str, result: str, detail: str = "") -> None:
        """Record a check; `number` is its place in the procedure."""
        self.checks.append((number, Check(f"{number} {name}", result, detail)))

    def conclude(self, code: str, indication: str, sub: str | None = None, **values: str) -> None:
        self.findings.append(Finding(code, indication, sub, tuple(values.items())))
