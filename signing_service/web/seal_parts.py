"""What the seals' pages stand on — register, custody, stops, orders, emergency sealing — and who may see what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from signing_service.custody.ports import CustodyPort
from signing_service.kernel.blobs import BlobStore
from signing_service.pades.placing import AnyPlacing
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.pki.rules import Actor
from signing_service.seals.order_book import OrderBook
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import Why
from signing_service.seals.seal_tables import SealOrder, SealRow
from signing_service.seals.use_book import UseBook
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.error_edge import NotFound


class Stops(Protocol):
    """The register's moves, with custody kept in step."""

    def change(self, seal_id: str, move: str, actor: Actor, why: Why) -> SealRow:
        """Raises what the register raises; CustodyBehind after the register was changed."""
        ...

    def follow(self, seal_id: str, actor: Actor, reason: str) -> None:
        """Raises CustodyBehind."""
        ...


class Emergencies(Protocol):
    """Break-glass sealing of one document by two persons."""

    def draft(
        self, seal_id: str, pdf: bytes, placing: AnyPlacing, document_type: str, reason: str, hours: int, actor: Actor
    ) -> SealOrder: ...

    def carry_out(self, order_id: str, actor: Actor) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class SealParts:
    """What the pages stand on."""

    browsers: BrowserSessions
    people: PeopleRegister
    register: SealRegister
    orders: OrderBook
    uses: UseBook
    custody: CustodyPort
    stops: Stops
    emergencies: Emergencies
    blobs: BlobStore

    def seal(self, who: LoggedIn, seal_id: str) -> SealRow:
        """A seal that this officer may see: all for administrator and auditor, the own ones for a holder.

        Raises NotFound for every other, whether or not it exists.
        """
        with self.register.database.read() as session:
            row = session.get(SealRow, seal_id)
        if row is None or not may_see(who, row):
            raise NotFound
        return row


def may_see(who: LoggedIn, row: SealRow) -> bool:
    return sees_all(who) or who.officer in row.holders


def sees_all(who: LoggedIn) -> bool:
    return bool({Role.SEAL_ADMINISTRATOR, Role.AUDITOR} & who.roles)


def is_administrator(who: LoggedIn) -> bool:
    return Role.SEAL_ADMINISTRATOR in who.roles


def require_administrator(who: LoggedIn) -> None:
    """Raises RoleMissing."""
    require_role(who.roles, Role.SEAL_ADMINISTRATOR)


def actor_of(who: LoggedIn) -> Actor:
    return Actor(who.officer, frozenset(role.value for role in who.roles), department=who.department)
