"""The report: one judgement, two times, and every check that led there; also as the stable JSON of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from datetime import datetime
from typing import Any

from signing_service.errors import Text
from signing_service.verification.reasons import ORIGINAL, ORIGINAL_ONLY, REASONS, Usable, Verdict, sentence

EXIT_PASSED, EXIT_INDETERMINATE, EXIT_FAILED = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check. `result`: passed, failed, indeterminate, information, skipped. `detail` is English."""

    name: str
    result: str
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "result": self.result, "detail": self.detail}


@dataclass(slots=True)
class SignatureReport:
    """One signature, seal or document timestamp. Times are aware; `covered` is how many leading bytes it speaks for.
    `time_authority`: `outside` is independent of the parties, `own` is not, None where no timestamp tells."""

    field: str
    kind: str = "signature"
    signer: str = ""
    organisation: str = ""
    reason: str = "unverifiable_signature"
    values: Mapping[str, str] = default(default_factory=dict)
    integrity: str = "unverifiable"
    indication: str = "INDETERMINATE"
    sub_indication: str | None = None
    level: str | None = None
    signed_at: datetime | None = None
    time_source: str = "claimed"
    time_authority: str | None = None
    at_signing: str = "unknown"
    now: str = "unknown"
    docmdp: int | None = None
    covered: int = 0
    modified_after: bool = False
    removed: bool = False
    certificate_sha256: bytes = b""
    algorithm: str = ""
    checks: list[Check] = default(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        return REASONS[self.reason].verdict

    def as_json(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "kind": self.kind,
            "signer": self.signer,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "integrity": self.integrity,
            "indication": self.indication,
            "sub_indication": self.sub_indication,
            "level": self.level,
            "signed_at": _iso(self.signed_at),
            "time_source": self.time_source,
            "time_authority": self.time_authority,
            "at_signing": self.at_signing,
            "now": self.now,
            "docmdp": self.docmdp,
            "covered_bytes": self.covered,
            "modified_after": self.modified_after,
            "removed": self.removed,
            "algorithm": self.algorithm,
            "checks": [check.as_json() for check in self.checks],
        }


@dataclass(slots=True)
class Report:
    """The whole judgement of one file. `intact_revision` is the length in bytes of the newest revision that a signature
    still vouches for (the version to offer for download), None when there is none; `hint` is a sentence besides the
    verdict."""

    file: str
    digest: bytes
    at: datetime
    reason: str
    usable_now: Usable
    values: Mapping[str, str] = default(default_factory=dict)
    covers_whole_file: bool = False
    modified_after_signing: bool = False
    signatures: list[SignatureReport] = default(default_factory=list)
    checks: list[Check] = default(default_factory=list)
    intact_revision: int | None = None
    identifiers: tuple[str, ...] = ()
    hint: Text | None = None

    @property
    def verdict(self) -> Verdict:
        """At sealing time."""
        return REASONS[self.reason].verdict

    @property
    def summary(self) -> Text:
        return sentence(self.reason, self.values)

    @property
    def advice(self) -> Text:
        """What to do next. The version that was sealed is offered only where there is one."""
        advice = REASONS[self.reason].advice
        return ORIGINAL_ONLY if advice is ORIGINAL and self.intact_revision is None else advice

    @property
    def green(self) -> bool:
        """May the headline be green? Only when both times are."""
        return self.verdict is Verdict.PASSED and self.usable_now is Usable.YES

    def exit_code(self, as_of_sealing: bool = False) -> int:
        """0 passed and not unusable now; 4 failed, or not usable now unless only the sealing time was asked; else 3."""
        return exit_code_of(self.verdict, self.usable_now, as_of_sealing)

    def as_json(self) -> dict[str, Any]:
        """The contract of `zhengyin verify --json`."""
        return {
            "file": self.file,
            "verdict": str(self.verdict),
            "usable_now": str(self.usable_now),
            "reason": self.reason,
            "summary": self.summary.zh,
            "summary_en": self.summary.en,
            "advice": self.advice.zh,
            "advice_en": self.advice.en,
            "sha256": self.digest.hex(),
            "verified_at": _iso(self.at),
            "covers_whole_file": self.covers_whole_file,
            "modified_after_signing": self.modified_after_signing,
            "intact_revision": self.intact_revision,
            "identifiers": list(self.identifiers),
            "hint": None if self.hint is None else self.hint.zh,
            "hint_en": None if self.hint is None else self.hint.en,
            "signatures": [signature.as_json() for signature in self.signatures],
            "checks": [check.as_json() for check in self.checks],
        }


def exit_code_of(verdict: Verdict, usable_now: Usable, as_of_sealing: bool) -> int:
    """The one rule from a judgement to a command's exit code."""
    if verdict is Verdict.FAILED or (usable_now is Usable.NO and not as_of_sealing):
        return EXIT_FAILED
    return EXIT_PASSED if verdict is Verdict.PASSED else EXIT_INDETERMINATE


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
