"""Sending events: each a signed JWS by POST, through the one outbound client, which checks the address every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cert_registry.errors import ExplainedError
from cert_registry.licences.events import LicenceEvent, sequence
from cert_registry.sharing.subscriptions import DEAD, Delivery, Subscription, due, may_receive, settle, spread
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound

EVENT_TYPE, MEDIA_TYPE = "zhengyin-event+jwt", "application/jwt"
SignEvent = Callable[[Mapping[str, Any], str], str]
"""Claims and type to a signed compact JWS."""


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
        error = "" if prepared is None else self._sent(*prepared)
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

    def _sent(self, url: str, claims: Mapping[str, Any]) -> str:
        """An empty text, or what went wrong."""
        try:
            body = self.sign(claims, EVENT_TYPE).encode()
            reply = self.outbound.request("POST", url, body=body, headers={"Content-Type": MEDIA_TYPE})
        except ExplainedError as failure:
            return f"{failure.code}: {failure.explain('en')}"
        return "" if 200 <= reply.status < 300 else f"HTTP {reply.status}"
