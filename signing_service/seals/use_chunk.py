"""The book of uses for many documents at once: one transaction and one lock for a chunk of a batch.

The rules are those of `UseBook`. The methods join the caller's transaction, so that a batch's own rows change together
with the uses. A use that a crash or a pause left behind is taken up again under its reference and is never a second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.clock import local
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import ConditionNotMet, Conditions, Counts, UseRequest, check_conditions
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import State
from signing_service.seals.seal_tables import SealRow, SealUse
from signing_service.seals.use_book import (
    SealNotUsable,
    UseAlreadyRequested,
    UseState,
    UseStepNotAllowed,
    act_of,
    counts_of,
)

RESUMABLE = (UseState.RESERVED, UseState.VOIDED, UseState.QUARANTINED, UseState.WITHHELD)


@dataclass(frozen=True, slots=True)
class Taken:
    """The first `count` requests are reserved; `refusal` is why the next one is not."""

    count: int
    refusal: SealNotUsable | ConditionNotMet | None = None


class UseChunk:
    """One seal's uses, several at once. `register` gives clock, audit log and the seal's state."""

    def __init__(self, register: SealRegister, seal_id: str, actor: Actor) -> None:
        self._register, self._seal_id, self._actor = register, seal_id, actor

    def lock(self, session: Session) -> SealRow:
        """The seal's row, locked until the transaction ends. Take it before any row of a batch. Raises SealUnknown."""
        return self._register.find(session, self._seal_id, lock=True)

    def refusal(self, session: Session) -> SealNotUsable | None:
        """Why the seal cannot be used now, if it cannot."""
        status = self._register.status(session, self._seal_id, self._register.clock.now())
        return None if status.state is State.ACTIVE else SealNotUsable(self._seal_id, status)

    def reserve(self, session: Session, requests: Sequence[UseRequest]) -> Taken:
        """T1 for as many requests, in order, as state, conditions and counts allow. Raises UseAlreadyRequested."""
        row, now = self.lock(session), self._register.clock.now()
        if (stopped := self.refusal(session)) is not None:
            return Taken(0, stopped)
        conditions = Conditions.from_json(row.conditions)
        known = self._known(session, [request.reference for request in requests])
        limited = conditions.per_day or conditions.total
        counts = counts_of(session, self._seal_id, now) if limited else Counts(0, 0)
        taken, refusal = [], None
        for request in requests:
            use = known.get(request.reference)
            if use is not None and use.state not in RESUMABLE:
                raise UseAlreadyRequested(request.reference, use.state)
            counted = use is not None and use.state != UseState.VOIDED
            try:
                check_conditions(conditions, request, _without_own(counts, use, now) if counted else counts, now)
            except ConditionNotMet as not_met:
                refusal = not_met
                break
            taken.append(self._reserved(session, use, request, now))
            counts = counts if counted else Counts(counts.today + 1, counts.total + 1)
        session.flush()
        self._log(session, taken, now)
        return Taken(len(taken), refusal)

    def release(self, session: Session, references: Collection[str]) -> SealNotUsable | None:
        """The keys have signed and the files may leave; where the seal was stopped meanwhile all are quarantined, and
        the refusal is returned, so that the caller's transaction can keep that."""
        self.lock(session)
        stopped = self.refusal(session)
        state = UseState.RELEASED if stopped is None else UseState.QUARANTINED
        self._end(session, dict.fromkeys(references, "" if stopped is None else stopped.code), state)
        return stopped

    def void(self, session: Session, reasons: Mapping[str, str]) -> None:
        """Uses that came to nothing, by reference, with the code of why; their counts are given back."""
        self._end(session, reasons, UseState.VOIDED)

    def _end(self, session: Session, reasons: Mapping[str, str], state: UseState) -> None:
        now, uses = self._register.clock.now(), self._known(session, list(reasons))
        for use in uses.values():
            if use.state != UseState.RESERVED:
                raise UseStepNotAllowed(use.state)
            use.state, use.reason, use.ended_at = state, reasons[use.reference][:200], now
        session.flush()
        self._log(session, list(uses.values()), now)

    def _reserved(self, session: Session, use: SealUse | None, request: UseRequest, now: datetime) -> SealUse:
        if use is None:
            use = SealUse(seal_id=self._seal_id, reference=request.reference)
            session.add(use)
        if use.state != UseState.RESERVED:
            use.day, use.reserved_at = local(now).date(), now
        use.state, use.reason, use.ended_at = UseState.RESERVED, "", None
        use.document_type, use.digest, use.authorisation = request.document_type, request.digest, request.authorisation
        use.actor, use.approver = request.actor, request.approver
        return use

    def _known(self, session: Session, references: Sequence[str]) -> dict[str, SealUse]:
        query = select(SealUse).where(SealUse.seal_id == self._seal_id, SealUse.reference.in_(references))
        return {use.reference: use for use in session.scalars(query.order_by(SealUse.id))}

    def _log(self, session: Session, uses: Sequence[SealUse], now: datetime) -> None:
        self._register.audit.record_all(session, [act_of(use, self._actor) for use in uses], now)


def _without_own(counts: Counts, use: SealUse | None, now: datetime) -> Counts:
    """The counts as they stand for a use that is in them already."""
    of_today = int(use is not None and use.day == local(now).date())
    return replace(counts, today=counts.today - of_today, total=counts.total - 1)
