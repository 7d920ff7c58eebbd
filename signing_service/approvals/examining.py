"""What a verification has to say before a signed or sealed file is taken for a case. Rules only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from signing_service.approvals.errors import NotThisDocument, NotVerified, WrongSigner
from signing_service.verification.report import Report

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Finding:
    """`certificates`: SHA-256 (hex) of the certificate of each signature and seal, oldest first, without timestamps."""

    passed: bool
    reason: str
    covers_whole_file: bool
    certificates: tuple[str, ...]

    @classmethod
    def from_report(cls, report: Report) -> Finding:
        """The engine's report, as far as a case's course depends on it."""
        made = [each for each in report.signatures if each.kind != "timestamp"]
        return cls(
            str(report.verdict) == "passed" and not report.modified_after_signing,
            report.reason,
            report.covers_whole_file,
            tuple(each.certificate_sha256.hex() for each in made),
        )


Examine = Callable[[bytes], Finding]
"""Judges a whole file. Never called while a transaction is open."""


@dataclass(frozen=True, slots=True)
class Base:
    """The revision that was signed: its bytes, and how many signatures it had (None when that is not known)."""

    content: bytes
    signatures: int | None


def check_completed(base: Base, completed: bytes, examine: Examine, *, simulated: bool, signer: str | None) -> Finding:
    """1. The file continues our revision, 2. the engine passes it, 3. exactly one signature came, 4. of the right key.

    `signer`: SHA-256 (hex) of the certificate that has to have signed; None for a seal. Raises NotThisDocument,
    NotVerified, WrongSigner.
    """
    if len(completed) <= len(base.content) or not completed.startswith(base.content):  # 1
        raise NotThisDocument
    finding = check_found(examine(completed), simulated=simulated)  # 2
    if base.signatures is not None and len(finding.certificates) != base.signatures + 1:  # 3
        raise NotVerified("signature_count")
    if signer is not None and (not finding.certificates or finding.certificates[-1] != signer):  # 4
        raise WrongSigner
    return finding


def check_found(finding: Finding, *, simulated: bool) -> Finding:
    """Raises NotVerified. A simulated approval's file is never "passed": its own reason code stands for that."""
    accepted = finding.passed or (simulated and finding.reason == SIMULATED)
    if not accepted:
        raise NotVerified(finding.reason)
    if not finding.covers_whole_file:
        raise NotVerified("unsigned_data_after_last_signature")
    return finding
