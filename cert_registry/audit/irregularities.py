"""What supervision (电子监察) looks for in the course of cases and in the use of seals. Pure: facts in, findings out.

1. a second notice of missing material; 2. material outside the published list; 3. a skipped step: sealed with a step
unsigned, or signed before the stage before it; 4. a document dated earlier than the day on which it was sealed;
5. a seal used outside office hours; 6. many uses of a seal by one person in a short time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from cert_registry.errors import Text
from signing_service.kernel.clock import local

OPENS, CLOSES = time(8, 0), time(19, 0)
BURST, WITHIN = 30, timedelta(minutes=10)
BATCHES = "batch:"
"""References of documents sealed from a signed list: they come one after another by their nature."""

NAMES: Mapping[str, Text] = {
    "second_notice": Text("再次要求补正材料", "second notice of missing material"),
    "material_outside_list": Text("要求清单外的材料", "material outside the published list"),
    "step_skipped": Text("环节缺失或次序颠倒", "skipped step"),
    "date_before_seal": Text("落款日期早于用印日期", "dated earlier than it was sealed"),
    "outside_hours": Text("非工作时间用印", "seal used outside office hours"),
    "burst": Text("短时间内大量用印", "many uses of a seal in a short time"),
}


@dataclass(frozen=True, slots=True)
class Irregularity:
    """`code` is one of NAMES; `subject` as in the log, e.g. case:ID or seal:ID; `who` an officer or department;
    `detail` what is known besides."""

    code: str
    subject: str
    shown: str
    at: datetime
    who: str
    detail: Text


@dataclass(frozen=True, slots=True)
class NoticeFact:
    items: Sequence[str]
    given_at: datetime
    given_by: str


@dataclass(frozen=True, slots=True)
class StepFact:
    stage: int
    title: str
    signed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseFact:
    """`sealed_at`: when its document was sealed; `materials`: the published list, empty where there is none."""

    id: str
    number: str
    department: str
    materials: Sequence[str]
    notices: Sequence[NoticeFact]
    steps: Sequence[StepFact]
    document_date: date | None
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class UseFact:
    """One use of a seal; `holder` is who had it sealed."""

    seal: str
    holder: str
    at: datetime
    reference: str


def of_case(case: CaseFact) -> Iterator[Irregularity]:
    """Rules 1 to 4."""
    for number, notice in enumerate(sorted(case.notices, key=lambda each: each.given_at)):
        if number:
            words = Text(f"第 {number + 1} 次", f"number {number + 1}")
            yield _about(case, "second_notice", notice.given_at, notice.given_by, words)
        for item in outside_list(notice.items, case.materials):
            yield _about(case, "material_outside_list", notice.given_at, notice.given_by, Text(item, item))
    if case.sealed_at is None:
        return
    for step in skipped(case.steps, case.sealed_at):
        yield _about(case, "step_skipped", case.sealed_at, case.department, Text(step.title, step.title))
    if case.document_date is not None and case.document_date < local(case.sealed_at).date():
        words = Text(f"落款 {case.document_date}", f"dated {case.document_date}")
        yield _about(case, "date_before_seal", case.sealed_at, case.department, words)


def outside_list(items: Iterable[str], materials: Sequence[str]) -> list[str]:
    """Items that name nothing of the list; an item may add to a name (规划总平面图(加盖公章))."""
    if not materials:
        return []
    return [item for item in items if not any(name in item for name in materials)]


def skipped(steps: Sequence[StepFact], sealed_at: datetime) -> list[StepFact]:
    """Steps unsigned when the document was sealed, and those signed before a step of an earlier stage."""
    found = []
    for step in steps:
        before = [other.signed_at for other in steps if other.stage < step.stage]
        unsigned = step.signed_at is None or step.signed_at > sealed_at
        if unsigned or any(at is None or at > step.signed_at for at in before if step.signed_at):
            found.append(step)
    return found


def of_uses(uses: Iterable[UseFact], is_working: Callable[[date], bool]) -> Iterator[Irregularity]:
    """Rules 5 and 6."""
    ordered = sorted(uses, key=lambda use: use.at)
    for use in ordered:
        if not in_office_hours(use.at, is_working):
            when = f"{local(use.at):%H:%M}"
            yield _use(use, "outside_hours", Text(f"{when},{use.reference}", f"{when}, {use.reference}"))
    by_person: dict[tuple[str, str], list[UseFact]] = {}
    for use in ordered:
        if not use.reference.startswith(BATCHES):
            by_person.setdefault((use.seal, use.holder), []).append(use)
    for several in by_person.values():
        yield from _bursts(several)


def in_office_hours(at: datetime, is_working: Callable[[date], bool]) -> bool:
    moment = local(at)
    return is_working(moment.date()) and OPENS <= moment.time() < CLOSES


def _bursts(uses: Sequence[UseFact]) -> Iterator[Irregularity]:
    """Each told once, where it passes the limit; the next is looked for after it."""
    first = 0
    for number, use in enumerate(uses):
        while use.at - uses[first].at > WITHIN:
            first += 1
        if number - first + 1 > BURST:
            minutes = int(WITHIN.total_seconds() // 60)
            count = number - first + 1
            yield _use(use, "burst", Text(f"{minutes} 分钟内 {count} 次", f"{count} times in {minutes} minutes"))
            first = number + 1 if number + 1 < len(uses) else number


def _about(case: CaseFact, code: str, at: datetime, who: str, detail: Text) -> Irregularity:
    return Irregularity(code, f"case:{case.id}", case.number, at, who, detail)


def _use(use: UseFact, code: str, detail: Text) -> Irregularity:
    return Irregularity(code, f"seal:{use.seal}", use.seal, use.at, use.holder, detail)
