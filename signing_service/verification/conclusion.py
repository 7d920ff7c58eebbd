"""The judgement: the worst finding wins, within each signature and for the document, at each of the two times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from signing_service.verification.context import Finding, Judged
from signing_service.verification.reasons import REASONS, Usable, Verdict, rank
from signing_service.verification.wording import moment

_USABLE_ORDER = (Usable.NO, Usable.UNKNOWN, Usable.YES)


def settle(judged: Judged) -> None:
    """Write a signature's worst finding into its report, and its checks in the procedure's order."""
    report = judged.report
    findings = judged.findings or [Finding("passed_timestamp", "TOTAL-PASSED")]
    if judged.is_timestamp and judged.intact and not judged.findings and report.signed_at is not None:
        findings = [Finding("passed_timestamp", "TOTAL-PASSED", None, (("time", moment(report.signed_at)),))]
    worst = min(findings, key=lambda finding: rank(finding.code))
    report.reason, report.values = worst.code, dict(worst.values)
    report.indication, report.sub_indication = worst.indication, worst.sub_indication
    report.checks = [check for _, check in sorted(judged.checks, key=lambda item: item[0])]


def headline(
    signatures: Sequence[Judged], others: Iterable[tuple[str, dict[str, str]]]
) -> tuple[str, dict[str, str], Usable]:
    """(reason, values, usable now) for the document from its signatures' reasons and the document's own."""
    extra = list(others)
    found = [(judged.report.reason, dict(judged.report.values)) for judged in signatures]
    if any(not judged.is_timestamp for judged in signatures):
        found = [item for item in found if item[0] != "passed_timestamp"]
    if not found:
        return "no_signature", {}, _usable("no_signature", extra)
    candidates = [*found, *extra]
    code, values = min(candidates, key=lambda item: rank(item[0]))
    return code, values, _usable(code, candidates)


def _usable(code: str, candidates: Iterable[tuple[str, dict[str, str]]]) -> Usable:
    """The worst of all; a failed document is never usable, an indeterminate one at best unknown."""
    words = [REASONS[code].usable, *(REASONS[other].usable for other, _ in candidates)]
    worst = min(words, key=_USABLE_ORDER.index)
    if REASONS[code].verdict is Verdict.INDETERMINATE and worst is Usable.YES:
        return Usable.UNKNOWN
    return worst
