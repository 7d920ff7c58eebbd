"""Orders on their way to custody: a holder's standing orders, and emergency orders of two appointed persons.

drafted -> signed (all signatures that its kind needs) -> done (an emergency order that was carried out) or withdrawn.
What counts is the signature: custody judges it anew at every use. This book keeps orders so that they can be found,
shown to the holder and withdrawn; whoever alters it makes an order that custody refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.audit_log import Act
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation import Authorisation, Kind
from signing_service.seals.authorisation_errors import AuthorisationAltered, SecondSignerMissing
from signing_service.seals.errors import SealError, Text
from signing_service.seals.holder_signature import SignedAuthorisation, verified
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import ADMINISTRATOR
from signing_service.seals.seal_tables import SealOrder, SealRow


class OrderState(StrEnum):
    DRAFTED = "drafted"
    SIGNED = "signed"
    DONE = "done"
    WITHDRAWN = "withdrawn"


ORDER_NAMES = {
    OrderState.DRAFTED: Text("待签署", "to be signed"),
    OrderState.SIGNED: Text("已签署", "signed"),
    OrderState.DONE: Text("已办结", "carried out"),
    OrderState.WITHDRAWN: Text("已撤回", "withdrawn"),
}


class OrderRefused(SealError):
    code = "seal_order_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("没有办理该项授权。", "Nothing was done with this order."),
            why=Text(zh, en),
            advice=Text("请核对印章、办理人和授权状态。", "Check the seal, the person and the order's state."),
        )


class PinnedPersons(Protocol):
    """Whose certificates custody accepts for a seal; `custody.policy.Pinned` is one."""

    @property
    def holders(self) -> tuple[bytes, ...]: ...

    @property
    def appointed(self) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class ForDocument:
    """What an emergency order is for: the prepared signature as JSON, the digest of its blob, the document's type."""

    prepared: str
    document: str
    document_type: str = ""


class OrderBook:
    """Works on the register's database; every step is logged with the seal as its subject."""

    def __init__(self, register: SealRegister) -> None:
        self._register = register

    def draft(self, authorisation: Authorisation, actor: Actor, document: ForDocument | None = None) -> SealOrder:
        """A standing order by one of the seal's holders, or an emergency order by an administrator, unsigned."""
        with self._register.logged("order.draft", authorisation.seal_id, actor) as session:
            row = self._register.find(session, authorisation.seal_id)
            _check_author(authorisation, row, actor)
            order = self._row(authorisation, SignedAuthorisation(authorisation.statement(), ()), actor)
            if document is not None:
                order.prepared, order.document = document.prepared, document.document
                order.document_type = document.document_type
            session.add(order)
            session.flush()
            self._log(session, "draft", order, actor)
        return order

    def keep(self, encoded: bytes, pinned: PinnedPersons, actor: Actor) -> SealOrder:
        """Keep an order that was signed elsewhere. Raises what `holder_signature.verified` raises."""
        signed = SignedAuthorisation.decode(encoded)
        now = self._register.clock.now()
        authorisation = verified(signed, holders=pinned.holders, appointed=pinned.appointed, now=now)
        with self._register.logged("order.keep", authorisation.seal_id, actor) as session:
            self._register.find(session, authorisation.seal_id)
            if session.get(SealOrder, authorisation.id) is not None:
                raise OrderRefused("该授权已经登记。", "This order is kept already.")
            order = self._row(authorisation, signed, actor)
            order.state = OrderState.SIGNED
            session.add(order)
            session.flush()
            self._log(session, "signed", order, actor)
        return order

    def add_signature(self, order_id: str, encoded: bytes, pinned: PinnedPersons, actor: Actor) -> SealOrder:
        """Take in one person's signature over exactly this statement; the last one that is needed makes it `signed`.

        Raises OrderRefused, AuthorisationUnreadable, AuthorisationAltered, HolderUnknown, HolderCertificateNotValid.
        """
        offered = SignedAuthorisation.decode(encoded)
        with self._register.logged("order.sign", f"order-{order_id}", actor) as session:
            order = _found(session, order_id)
            if order.state != OrderState.DRAFTED:
                raise OrderRefused("该授权不在待签署状态。", "The order does not wait for a signature.")
            so_far = SignedAuthorisation.decode(order.encoded)
            if offered.statement != so_far.statement or not offered.signatures:
                raise AuthorisationAltered
            known = {each.certificate for each in so_far.signatures}
            new = [each for each in offered.signatures if each.certificate not in known]
            joined = SignedAuthorisation(so_far.statement, (*so_far.signatures, *new))
            complete = _is_complete(joined, pinned, self._register.clock.now())
            order.encoded = joined.encode()
            order.state = OrderState.SIGNED if complete else OrderState.DRAFTED
            self._log(session, "signed" if complete else "half_signed", order, actor)
        return order

    def done(self, order_id: str, result: str, actor: Actor) -> None:
        """An emergency order was carried out; `result` is the sealed file's digest."""
        with self._register.logged("order.done", f"order-{order_id}", actor) as session:
            order = _found(session, order_id)
            if order.state != OrderState.SIGNED:
                raise OrderRefused("该授权尚未签署齐全或已办结。", "It is not fully signed, or was carried out.")
            order.state, order.result = OrderState.DONE, result
            order.ended_by, order.ended_at = actor.id, self._register.clock.now()
            self._log(session, "done", order, actor)

    def withdraw(self, order_id: str, reason: str, actor: Actor, *, tell: Callable[[str, str], None]) -> None:
        """By the seal's holder or an administrator: it only takes away.

        `tell` is custody's `withdraw` and comes before the record: where custody is not reached, nothing is recorded.
        """
        with self._register.logged("order.withdraw", f"order-{order_id}", actor) as session:
            self._check_withdrawal(session, _found(session, order_id), reason, actor)
        tell(order_id, reason.strip())
        with self._register.logged("order.withdraw", f"order-{order_id}", actor) as session:
            order = _found(session, order_id)
            self._check_withdrawal(session, order, reason, actor)
            order.state, order.ended_because = OrderState.WITHDRAWN, reason.strip()[:200]
            order.ended_by, order.ended_at = actor.id, self._register.clock.now()
            self._log(session, "withdrawn", order, actor)

    def _check_withdrawal(self, session: Session, order: SealOrder, reason: str, actor: Actor) -> None:
        row = self._register.find(session, order.seal_id)
        if actor.id not in row.holders and ADMINISTRATOR not in actor.roles:
            raise OrderRefused("只有持有人或印章管理员可以撤回。", "Only holder or administrator may withdraw it.")
        if not reason.strip():
            raise OrderRefused("必须写明理由。", "A reason must be given.")
        if order.state not in (OrderState.DRAFTED, OrderState.SIGNED):
            raise OrderRefused("该授权已经终止。", "The order has ended already.")

    def find(self, order_id: str) -> SealOrder:
        """Raises OrderRefused."""
        with self._register.database.read() as session:
            return _found(session, order_id)

    def of_seals(self, seal_ids: Sequence[str]) -> list[SealOrder]:
        """Every order of these seals, the newest first."""
        query = select(SealOrder).where(SealOrder.seal_id.in_(seal_ids)).order_by(SealOrder.drafted_at.desc())
        with self._register.database.read() as session:
            return list(session.scalars(query.order_by(SealOrder.id)))

    def standing(self, seal_id: str, document_type: str, at: datetime) -> list[SealOrder]:
        """The signed standing orders for a type that are in force, the one that ends first before others."""
        query = select(SealOrder).where(
            SealOrder.seal_id == seal_id, SealOrder.kind == Kind.STANDING, SealOrder.document_type == document_type,
            SealOrder.state == OrderState.SIGNED, SealOrder.not_before <= at, SealOrder.until >= at,
        )  # fmt: skip
        with self._register.database.read() as session:
            return list(session.scalars(query.order_by(SealOrder.until, SealOrder.id)))

    def _row(self, what: Authorisation, signed: SignedAuthorisation, actor: Actor) -> SealOrder:
        return SealOrder(
            id=what.id, seal_id=what.seal_id, kind=what.kind, document_type=what.document_type, count=what.count,
            not_before=what.not_before, until=what.until, reason=what.reason, encoded=signed.encode(),
            state=OrderState.DRAFTED, drafted_by=actor.id, drafted_at=self._register.clock.now(),
        )  # fmt: skip

    def _log(self, session: Session, name: str, order: SealOrder, actor: Actor) -> None:
        details = {
            "order": order.id, "kind": order.kind, "document_type": order.document_type, "count": order.count,
            "until": order.until.isoformat(), "reason": (order.ended_because or order.reason)[:500],
        }  # fmt: skip
        act = Act(
            f"seal.order.{name}", actor.id, f"seal:{order.seal_id}", actor.department, actor.certificate,
            details=details,
        )  # fmt: skip
        self._register.audit.record(session, act, self._register.clock.now())


def signatures_of(order: SealOrder) -> int:
    """How many persons have signed so far."""
    return len(SignedAuthorisation.decode(order.encoded).signatures)


def _found(session: Session, order_id: str) -> SealOrder:
    order = session.get(SealOrder, order_id, with_for_update=True)
    if order is None:
        raise OrderRefused("没有这项授权。", "There is no such order.")
    return order


def _check_author(authorisation: Authorisation, row: SealRow, actor: Actor) -> None:
    if authorisation.kind is Kind.EMERGENCY:
        if ADMINISTRATOR not in actor.roles:
            raise OrderRefused("应急用印由印章管理员提出。", "A seal administrator asks for emergency use.")
    elif actor.id not in row.holders:
        raise OrderRefused("只有印章持有人可以授权。", "Only a holder of the seal may give an order.")


def _is_complete(signed: SignedAuthorisation, pinned: PinnedPersons, now: datetime) -> bool:
    """Every signature holds; False where an emergency order lacks the second person."""
    try:
        verified(signed, holders=pinned.holders, appointed=pinned.appointed, now=now)
    except SecondSignerMissing:
        return False
    return True
