"""GET /status-lists/{n}: a signed Token Status List for everyone, made anew every few minutes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Response

from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.status_list import BITS, last_list, packed, statuses
from cert_registry.web.parts import RegistryParts

MEDIA_TYPE, JWT_TYPE = "application/statuslist+jwt", "statuslist+jwt"
FRESH, LIFE = timedelta(minutes=5), timedelta(hours=24)


@dataclass(slots=True)
class Kept:
    token: str
    made_at: datetime


class StatusLists:
    """Owner of the tokens made last and of the lock under which they are made."""

    def __init__(self, parts: RegistryParts) -> None:
        self._parts = parts
        self._kept: dict[int, Kept] = {}
        self._lock = threading.Lock()

    def token(self, number: int) -> str:
        """The list's JWT, at most FRESH old. Raises LicenceNotFound for a number that is not in use."""
        with self._lock:
            now = self._parts.clock.now()
            kept = self._kept.get(number)
            if kept is None or now - kept.made_at >= FRESH:
                kept = self._kept[number] = Kept(self._made(number, now), now)
            return kept.token

    def _made(self, number: int, now: datetime) -> str:
        with self._parts.database.read() as session:
            if number > last_list(session):
                raise LicenceNotFound
            values = statuses(session, number, now)
        claims = {
            "sub": address_of(self._parts.settings.base_url, number),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFE).timestamp()),
            "ttl": int(FRESH.total_seconds()),
            "status_list": {"bits": BITS, "lst": packed(values)},
        }
        return self._parts.evidence(claims, JWT_TYPE)


def address_of(base_url: str, number: int) -> str:
    return f"{base_url}/status-lists/{number}"


def make_status_lists(parts: RegistryParts) -> APIRouter:
    """Public, without an account."""
    routes, lists = APIRouter(tags=["状态列表"]), StatusLists(parts)

    @routes.get(
        "/status-lists/{number}",
        summary="证照状态列表(签名的 JWT)",
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {}}}},
    )
    def status_list(number: Annotated[int, Path(ge=0, le=2**40)]) -> Response:
        headers = {"Cache-Control": f"public, max-age={int(FRESH.total_seconds())}"}
        return Response(lists.token(number), media_type=MEDIA_TYPE, headers=headers)

    return routes
