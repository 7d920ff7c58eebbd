"""Step 6: what happened to the document after each signature (ISO 32000-2, 12.8; EN 319 102-1, 5.2.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.verification.change_kinds import Change, Kind
from signing_service.verification.changes import compare
from signing_service.verification.context import Context, Judged
from signing_service.verification.discovery import Revisions
from signing_service.verification.document import Document
from signing_service.verification.permissions import own_level, permissions_of
from signing_service.verification.referrers import ReferenceIndex
from signing_service.verification.syntax import WHITE


@dataclass(frozen=True, slots=True)
class Step:
    """From one signed revision to the next, or to the file's end; `covered` tells that an intact signature answers
    for it."""

    start: int
    end: int
    changes: list[Change]
    covered: bool


def steps_between(signatures: Sequence[Judged], revisions: Revisions) -> list[Step]:
    """The changes between consecutive signed revisions and up to the file as it is, oldest first."""
    placed = [
        judged for judged in signatures if judged.found.revision is not None and judged.report.integrity != "broken"
    ]
    ends = sorted({judged.found.end for judged in placed})
    signing = {judged.found.end for judged in placed if judged.intact and not judged.is_timestamp}
    size = len(revisions.current.file.data)
    index = ReferenceIndex(revisions.current.file)
    steps = []
    for start, end in zip(ends, [*ends[1:], size], strict=False):
        if start == end:
            continue
        old = revisions.at(start)
        if end not in ends[1:]:
            steps += _last_step(old, revisions, index)
        else:
            covered = any(place >= end for place in signing)
            steps.append(Step(start, end, compare(old, revisions.at(end), index), covered))
    return steps


def _last_step(old: Document, revisions: Revisions, index: ReferenceIndex) -> list[Step]:
    current = revisions.current
    if not current.file.data[old.end : current.end].strip(WHITE):
        return []
    return [Step(old.end, current.end, compare(old, current, index), covered=False)]


def is_junk(step: Step, revisions: Revisions) -> bool:
    """Bytes behind the last signature that are no revision at all."""
    data = revisions.current.file.data
    return not step.covered and b"startxref" not in data[step.start : step.end]


def judge_changes(judged: Judged, steps: Sequence[Step], context: Context) -> None:
    """Conclude about the changes after one intact signature."""
    revision = judged.found.revision
    if revision is None or judged.report.integrity == "broken":
        return
    allowed = permissions_of(revision, judged.found.field, judged.found.dictionary)
    if allowed.level is not None:
        judged.report.docmdp = allowed.level
    forbidden: list[Change] = []
    harmless: list[Change] = []
    for step in steps:
        if step.start >= judged.found.end:
            wrong = allowed.forbidden(step.changes, covered=step.covered)
            forbidden += wrong
            harmless += [change for change in step.changes if change not in wrong]
    if judged.found.removed:
        forbidden.append(Change(Kind.OTHER, "the signature was removed from the document's form"))
    _conclude(judged, forbidden, harmless)


def _conclude(judged: Judged, forbidden: Sequence[Change], harmless: Sequence[Change]) -> None:
    if forbidden:
        judged.report.modified_after = True
        details = "; ".join(
            dict.fromkeys(f"{change.detail}{f' ({change.field})' if change.field else ''}" for change in forbidden)
        )
        judged.note(6, "changes after signing", "failed", details[:600])
        judged.conclude("modified_after_sealing", "TOTAL-FAILED", "FORMAT_FAILURE")
        return
    details = "; ".join(dict.fromkeys(change.detail for change in harmless)) or "none"
    judged.note(6, "changes after signing", "passed", details[:600])


def _raises(later: Judged, allowed: int | None) -> bool:
    if allowed is None or later.found.revision is None:
        return False
    level = own_level(later.found.revision, later.found.field, later.found.dictionary)
    return level is not None and level > allowed


def judge_later_levels(signatures: Sequence[Judged], context: Context) -> None:
    """A later signature may not claim more freedom than an earlier one left, nor certify what was already signed."""
    signed = [
        judged
        for judged in signatures
        if judged.found.revision is not None and judged.intact and not judged.is_timestamp
    ]
    for place, earlier in enumerate(signed):
        revision = earlier.found.revision
        if revision is None:
            continue
        level = permissions_of(revision, earlier.found.field, earlier.found.dictionary).level
        for later in signed[place + 1 :]:
            if not _raises(later, level):
                continue
            earlier.report.modified_after = True
            earlier.note(6, "permissions", "failed", "a later signature raises the permissions")
            earlier.conclude("modified_after_sealing", "TOTAL-FAILED", "FORMAT_FAILURE")
