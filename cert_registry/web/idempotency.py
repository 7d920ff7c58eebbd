"""Idempotency-Key of the registry's calls, over the rows that all APIs of the house share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cert_registry.web.parts import Caller, RegistryParts
from signing_service.people.idempotency import CallOnce, Repeats
from signing_service.web.purposes import IdempotencyKey

__all__ = ["IdempotencyKey", "once"]


def once(
    parts: RegistryParts,
    caller: Caller,
    key: str,
    address: str,
    body: Mapping[str, Any],
    work: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Do the work once for this client and key. Raises KeyReused, InProgress; a failed call may be tried again."""
    call = CallOnce(caller.client_id, key, address, body)
    return Repeats(parts.database, parts.clock).once(call, lambda _again: work())
