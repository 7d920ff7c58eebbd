"""Sending events: each a signed JWS by POST, through the one outbound client, which checks the address every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cert_registry.licences.events import LicenceEvent, sequence
from cert_registry.sharing.subscriptions import Delivery, Subscription, due, may_receive, spread
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound
from signing_service.people.deliveries import DEAD, EVENT_TYPE, SignEvent, post_signed, settle

__all__ = ["EVENT_TYPE", "Webhooks"]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The worker's part: number the events, make deliveries, send what is due. Safe to run at any time."""

    database: Database
    outbound: Outbound
    sign: SignEvent
    clock: Clock
    issuer: str

    def run(self) -> int:
        """One round; returns how many deliveries were tried. No transaction is open while signing or sending."""
        sequence(self.database)
        with self.database.write() as session:
            spread(session, self.clock.now())
        with self.database.read() as session:
            waiting = due(session, self.clock.now())
        for delivery_id in waiting:
            self._try(delivery_id)
        return len(waiting)

    def _try(self, delivery_id: int) -> None:
        prepared = self._prepared(delivery_id)
        error = "" if prepared is None else post_signed(self.outbound, self.sign, *prepared)
        with self.database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            if prepared is None:
                delivery.state, delivery.last_error = DEAD, "not allowed any more"
            else:
                settle(delivery, error, self.clock.now())

    def _prepared(self, delivery_id: int) -> tuple[str, dict[str, Any]] | None:
        """Address and claims; None when subscription or grant has ended since."""
        with self.database.read() as session:
            delivery = session.get_one(Delivery, delivery_id)
            row = session.get_one(Subscription, delivery.subscription_id)
            event = session.scalars(select(LicenceEvent).where(LicenceEvent.number == delivery.event_number)).one()
            if row.ended_at is not None or not may_receive(session, row, event, self.clock.now()):
                return None
            claims = {
                "iss": self.issuer,
                "aud": row.client_id,
                "iat": int(self.clock.now().timestamp()),
                "jti": f"{row.id}:{event.number}",
                "event": {
                    "number": event.number, "at": event.at.isoformat(), "kind": event.kind,
                    "identifier": event.identifier, "type_code": event.type_code, "issuer_code": event.issuer_code,
                },
            }  # fmt: skip
            return row.url, claims
