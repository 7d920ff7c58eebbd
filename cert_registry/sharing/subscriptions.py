"""Who wants to be told of changes, where, of which types and areas; and the deliveries that this makes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.events import LicenceEvent, events_after
from cert_registry.sharing.access import ANY, Action
from cert_registry.sharing.grants import grants_of
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime
from signing_service.people.deliveries import DEAD, PENDING, RETRYING, is_callback_address, send_again

SUBSCRIBED, ENDED, REPLAYED = "sharing.subscribed", "sharing.unsubscribed", "sharing.replayed"
AT_ONCE = 500


class Subscription(Base):
    """`after`: number of the last event that was looked at. `issuers`: prefixes of issuing bodies' codes (areas)."""

    __tablename__ = "event_subscription"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    department: Mapped[str] = mapped_column(String(64), index=True)
    matter: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(String(500))
    types: Mapped[list[str]] = mapped_column(JSON)
    issuers: Mapped[list[str]] = mapped_column(JSON)
    after: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delivery(Base):
    """One event for one subscription. `due_at`: not before then."""

    __tablename__ = "event_delivery"
    __table_args__ = (UniqueConstraint("subscription_id", "event_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("event_subscription.id"))
    event_number: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(500), default="")


class SubscriptionNotFound(RegistryError):
    code = "subscription_not_found"

    def __init__(self) -> None:
        super().__init__(Text("没有这项订阅。", "There is no such subscription."))


class AddressRefused(RegistryError):
    code = "fields_invalid"

    def __init__(self) -> None:
        super().__init__(
            Text("回调地址不对。", "The callback address is not acceptable."),
            why=Text(
                "应为不带用户名的 http(s) 地址。", "It must be an http(s) address without a user name or fragment."
            ),
        )


def subscribe(session: Session, wanted: Subscription, actor: str, now: datetime) -> str:
    """Record a subscription from the present event on; gives its id. Raises AddressRefused.

    Where the address leads is checked at every send, not here: names can be pointed elsewhere later.
    """
    if not is_callback_address(wanted.url):
        raise AddressRefused
    wanted.id, wanted.created_at = secrets.token_hex(16), now
    wanted.after = session.scalar(select(func.max(LicenceEvent.number))) or 0
    session.add(wanted)
    details = {"host": urlsplit(wanted.url).hostname, "types": wanted.types}
    AuditLog().record(
        session, Act(SUBSCRIBED, actor, f"subscription:{wanted.id}", wanted.department, details=details), now
    )
    return wanted.id


def subscriptions_of(session: Session, department: str) -> list[Subscription]:
    query = select(Subscription).where(Subscription.department == department, Subscription.ended_at.is_(None))
    return list(session.scalars(query.order_by(Subscription.created_at)))


def all_subscriptions(session: Session) -> list[Subscription]:
    """Every department's that have not ended."""
    return list(session.scalars(select(Subscription).where(Subscription.ended_at.is_(None)).order_by(Subscription.id)))


def counted_deliveries(session: Session, subscription_id: str) -> dict[str, int]:
    """How many deliveries are in which state."""
    query = select(Delivery.state, func.count()).where(Delivery.subscription_id == subscription_id)
    return {row[0]: row[1] for row in session.execute(query.group_by(Delivery.state))}


def unsubscribe(session: Session, subscription_id: str, department: str, actor: str, now: datetime) -> None:
    """Raises SubscriptionNotFound, also for another department's."""
    row = session.get(Subscription, subscription_id[:32])
    if row is None or row.department != department or row.ended_at is not None:
        raise SubscriptionNotFound
    row.ended_at = now
    AuditLog().record(session, Act(ENDED, actor, f"subscription:{row.id}", department), now)


def spread(session: Session, now: datetime) -> int:
    """Make deliveries of the numbered events that subscriptions have not seen; returns how many."""
    made = 0
    for row in session.scalars(select(Subscription).where(Subscription.ended_at.is_(None)).with_for_update()):
        fresh = events_after(session, row.after, AT_ONCE)
        for event in fresh:
            if _wants(row, event) and may_receive(session, row, event, now):
                number = event.number or 0
                session.add(Delivery(subscription_id=row.id, event_number=number, state=PENDING, due_at=now))
                made += 1
        row.after = (fresh[-1].number or row.after) if fresh else row.after
    return made


def may_receive(session: Session, row: Subscription, event: LicenceEvent, now: datetime) -> bool:
    """Does a grant still let this department receive this event? Asked when a delivery is made and when it is sent."""
    return any(
        grant.holds_at(now) and Action.EVENTS in grant.actions and bool({row.matter, ANY} & grant.matters)
        for grant in grants_of(session, row.department, event.type_code)
    )


def due(session: Session, now: datetime) -> Sequence[int]:
    """Deliveries to be tried now, oldest first."""
    query = select(Delivery.id).where(Delivery.state.in_((PENDING, RETRYING)), Delivery.due_at <= now)
    return list(session.scalars(query.order_by(Delivery.id).limit(AT_ONCE)))


def replay(session: Session, subscription_id: str, department: str | None, now: datetime, *, actor: str = "") -> int:
    """Send the dead ones once more; returns how many. `department` None: an officer of the registry, logged as `actor`.

    Raises SubscriptionNotFound, also for another department's.
    """
    row = session.get(Subscription, subscription_id[:32])
    if row is None or department not in (None, row.department):
        raise SubscriptionNotFound
    if actor:
        AuditLog().record(session, Act(REPLAYED, actor, f"subscription:{row.id}", row.department), now)
    dead = list(session.scalars(select(Delivery).where(Delivery.subscription_id == row.id, Delivery.state == DEAD)))
    for delivery in dead:
        send_again(delivery, now)
    return len(dead)


def dead_letters(session: Session, subscription_id: str) -> list[tuple[int, str]]:
    """(event number, last error) of deliveries that were given up."""
    query = select(Delivery.event_number, Delivery.last_error).where(
        Delivery.subscription_id == subscription_id, Delivery.state == DEAD
    )
    return [(row[0], row[1]) for row in session.execute(query.order_by(Delivery.event_number))]


def _wants(row: Subscription, event: LicenceEvent) -> bool:
    wants_type = not row.types or event.type_code in row.types
    return wants_type and (not row.issuers or event.issuer_code.startswith(tuple(row.issuers)))
