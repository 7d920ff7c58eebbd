"""What the facts from above add to the judgement of the document as a whole: pure, one fact after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from signing_service.errors import Text
from signing_service.verification.ports import CopyFact, Facts, LicenceFact, LicenceState
from signing_service.verification.wording import moment

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


def hint_from(facts: Facts | None) -> Text | None:
    """`copy_seen_before`: said beside the verdict, never part of it."""
    if facts is None or facts.seen_before < 1:
        return None
    last = moment(facts.last_seen) if facts.last_seen else "—"
    return Text(
        f"这份打印件此前核验过{facts.seen_before}次,最近一次{last}。多次核验属正常;如怀疑是复印件,请持有人出示电子证照。",
        f"This print was verified {facts.seen_before} times before, last on {last}. Repeated checks are normal; "
        "if you suspect a photocopy, ask for the electronic licence.",
    )
