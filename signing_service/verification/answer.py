"""A judgement without a file: of a licence identifier or a paper code, in the shape of a file's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signing_service.errors import Text
from signing_service.verification.reasons import Usable, Verdict
from signing_service.verification.report import Check, Report, exit_code_of


@dataclass(frozen=True, slots=True)
class Answer:
    """`subject`: what was asked about. `reason` is a stable code; `summary` and `advice` are sentences for people."""

    subject: str
    at: datetime
    verdict: Verdict
    usable_now: Usable
    reason: str
    summary: Text
    advice: Text
    identifier: str = ""
    checks: Sequence[Check] = ()

    def exit_code(self, as_of_sealing: bool = False) -> int:
        """As a report's."""
        return exit_code_of(self.verdict, self.usable_now, as_of_sealing)

    def as_json(self) -> dict[str, Any]:
        """Every key of a file's report; what only a file can have is empty."""
        empty = Report("", b"", self.at, "no_signature", self.usable_now).as_json()
        return {
            **empty,
            "file": self.subject,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "summary": self.summary.zh,
            "summary_en": self.summary.en,
            "advice": self.advice.zh,
            "advice_en": self.advice.en,
            "sha256": None,
            "identifiers": [self.identifier] if self.identifier else [],
            "checks": [check.as_json() for check in self.checks],
        }
