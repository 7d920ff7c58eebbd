"""What the facts from above add to the judgement of the document as a whole: pure, one fact after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from signing_service.errors import Text
from signing_service.verification.ports import CopyFact, Facts, LicenceFact, LicenceState
from signing_service.verification.wording import in_english, moment

Conclusion = tuple[str, dict[str, str]]


def conclusions_from(
    facts: Facts | None, identifiers: Sequence[str], organisation: str, at: datetime
) -> Iterator[Conclusion]:
    """Reason codes with their values. No source, for a document that names a licence: its status is unknown."""
    if facts is None:
        if identifiers:
            yield "status_unknown", {}
        return
    if facts.recalled_at is not None:
        yield "recalled", {"time": moment(facts.recalled_at), "number": facts.replaced_by or "—"}
    if facts.simulated:
        yield "simulated", {}
    if facts.licence is not None:
        yield from _licence(facts.licence, organisation, at)
    elif identifiers and not facts.known:
        yield "status_unknown", {}
    if facts.copy is not None:
        yield from _copy(facts.copy, at)


def _licence(licence: LicenceFact, organisation: str, at: datetime) -> Iterator[Conclusion]:
    time = moment(licence.since) if licence.since else "—"
    values = {
        "time": time,
        "manner": licence.manner or "注销",
        "cause": licence.cause or "—",
        "organisation": organisation or "—",
    }
    codes = {
        LicenceState.ENDED: "licence_ended",
        LicenceState.EXPIRED: "licence_expired",
        LicenceState.SUSPENDED: "licence_suspended",
    }
    if licence.state is LicenceState.NOT_YET_VALID:
        yield "licence_not_yet_valid", values
    elif licence.state in codes and (licence.since is None or licence.since <= at):
        yield codes[licence.state], values


def _copy(copy: CopyFact, at: datetime) -> Iterator[Conclusion]:
    if copy.until is not None and copy.until < at:
        yield "copy_expired", {"time": moment(copy.until)}
    if copy.recipient_matches is False:
        yield "copy_wrong_recipient", {"recipient": copy.recipient, "matter": copy.matter}


def joined(told: Sequence[Facts]) -> Facts:
    """What several sources, or one source about several revisions, say; where two speak of the same, the first has the
    word."""
    empty = Facts()
    said: dict[str, Any] = {}
    for part in fields(Facts):
        plain = getattr(empty, part.name)
        values = (getattr(one, part.name) for one in told)
        said[part.name] = next((value for value in values if value != plain), plain)
    return Facts(**said)


def hint_from(facts: Facts | None) -> Text | None:
    """Said beside the verdict, never part of it: `copy_seen_before`, and for whom a purpose-bound copy is."""
    if facts is not None and facts.copy is not None and facts.copy.recipient_matches is None:
        until = moment(facts.copy.until) if facts.copy.until else "—"
        whom, why = facts.copy.recipient, facts.copy.matter
        return Text(
            f"这是限用途副本,只供{whom}办理“{why}”使用,有效至{until}。他人、他事不得使用。",
            in_english(
                f"This is a purpose-bound copy: only for {whom} and “{why}”, until {until}. Nobody else may use it."
            ),
        )
    if facts is None or facts.seen_before < 1:
        return None
    last = moment(facts.last_seen) if facts.last_seen else "—"
    return Text(
        f"这份打印件此前核验过{facts.seen_before}次,最近一次{last}。多次核验属正常;如怀疑是复印件,请持有人出示电子证照。",
        f"This print was verified {facts.seen_before} times before, last on {last}. Repeated checks are normal; "
        "if you suspect a photocopy, ask for the electronic licence.",
    )
