"""Online approval platforms: API clients that hand in cases, for which matters, and where they are called back."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework
from signing_service.approvals.errors import CallbackRefused, MatterNotAllowed, PlatformUnknown, RouteNotAllowed
from signing_service.approvals.platform_tables import CasePlatform
from signing_service.approvals.rules import Actor
from signing_service.kernel.audit_log import Act
from signing_service.people.api_clients import ApiClient
from signing_service.people.deliveries import is_callback_address


def allow_platform(work: Casework, client_id: str, matters: Sequence[str], actor: Actor, *, may_route: bool) -> None:
    """Let a registered client hand in cases, or change for which matters. Raises PlatformUnknown, MatterUnknown."""
    chosen = sorted({work.matters.get(code).code for code in matters})
    with work.database.write() as session:
        if session.get(ApiClient, client_id) is None:
            raise PlatformUnknown
        row = session.get(CasePlatform, client_id, with_for_update=True)
        if row is None:
            row = CasePlatform(client_id=client_id, created_at=work.clock.now(), created_by=actor.id)
            session.add(row)
        row.matters, row.may_route, row.ended_at = chosen, may_route, None
        _log(work, session, "platform.allow", client_id, actor, {"matters": chosen, "may_route": may_route})


def end_platform(work: Casework, client_id: str, actor: Actor, reason: str) -> None:
    """No more cases from this client; the earlier ones go on. Raises PlatformUnknown."""
    with work.database.write() as session:
        platform_of(session, client_id).ended_at = work.clock.now()
        _log(work, session, "platform.end", client_id, actor, {"reason": reason[:500]})


def platform_of(session: Session, client_id: str) -> CasePlatform:
    """Raises PlatformUnknown, also for one that has ended."""
    row = session.get(CasePlatform, client_id)
    if row is None or row.ended_at is not None:
        raise PlatformUnknown
    return row


def check_request(platform: CasePlatform, matter: str, *, own_route: bool) -> None:
    """Raises MatterNotAllowed, RouteNotAllowed."""
    if matter not in platform.matters:
        raise MatterNotAllowed(matter)
    if own_route and not platform.may_route:
        raise RouteNotAllowed


def set_webhook(work: Casework, client_id: str, url: str, actor: Actor) -> None:
    """Where events go from now on; empty for none. Raises PlatformUnknown, CallbackRefused."""
    if url and not is_callback_address(url):
        raise CallbackRefused
    with work.database.write() as session:
        platform_of(session, client_id).webhook = url
        _log(work, session, "platform.webhook", client_id, actor, {"host": urlsplit(url).hostname or ""})


def _log(work: Casework, session: Session, kind: str, client_id: str, actor: Actor, details: dict[str, object]) -> None:
    act = Act(kind, actor.id, f"client:{client_id}", actor.department, details=details)
    work.audit.record(session, act, work.clock.now())
