"""Calling platforms back: each event a signed JWS by POST, through the one outbound client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from signing_service.approvals.casework import find_case
from signing_service.approvals.platform_tables import CaseEvent, CasePlatform
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound
from signing_service.people.deliveries import DEAD, PENDING, RETRYING, SignEvent, post_signed, settle

AT_ONCE = 200
IN_HAND = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class CaseWebhooks:
    """The worker's part; safe to run at any time and in several workers. `issuer`: our own address, for `iss`."""

    database: Database
    outbound: Outbound
    sign: SignEvent
    clock: Clock
    issuer: str

    def run(self) -> int:
        """One round; returns how many were tried. No transaction is open while signing or sending."""
        taken = self._take()
        for event_id in taken:
            self._try(event_id)
        return len(taken)

    def _take(self) -> Sequence[int]:
        """What is due, put off for other workers while it is in hand."""
        now = self.clock.now()
        query = select(CaseEvent).where(CaseEvent.state.in_((PENDING, RETRYING)), CaseEvent.due_at <= now)
        with self.database.write() as session:
            due = list(session.scalars(query.order_by(CaseEvent.id).limit(AT_ONCE).with_for_update(skip_locked=True)))
            for event in due:
                event.due_at = now + IN_HAND
            return [event.id for event in due]

    def _try(self, event_id: int) -> None:
        prepared = self._prepared(event_id)
        error = "" if prepared is None else post_signed(self.outbound, self.sign, *prepared)
        with self.database.write() as session:
            event = session.get_one(CaseEvent, event_id)
            if prepared is None:
                event.state, event.last_error = DEAD, "no callback address any more"
            else:
                settle(event, error, self.clock.now())

    def _prepared(self, event_id: int) -> tuple[str, dict[str, Any]] | None:
        """Address and claims; None when the platform has ended or wants no callbacks any more."""
        with self.database.read() as session:
            event = session.get_one(CaseEvent, event_id)
            platform = session.get(CasePlatform, event.client_id)
            if platform is None or platform.ended_at is not None or not platform.webhook:
                return None
            case = find_case(session, event.case_id)
            claims = {
                "iss": self.issuer,
                "aud": event.client_id,
                "iat": int(self.clock.now().timestamp()),
                "jti": f"{event.case_id}:{event.number}",
                "case": {"id": case.id, "number": case.number, "reference": case.source_key},
                "event": event_entry(event),
            }
            return platform.webhook, claims


def event_entry(event: CaseEvent) -> dict[str, Any]:
    """An event as callbacks and polling tell it."""
    return {
        "number": event.number, "at": event.at.isoformat(), "kind": event.kind, "state": event.case_state,
        "step": event.step, "department": event.department_name,
    }  # fmt: skip
