"""The feed of changes for one department: every number appears, so that a gap is always a loss.

What the department may not see is shown as its number alone. The running hash over all numbers and visible events
lets a consumer check that it has rebuilt the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from cert_registry.licences.events import LicenceEvent, events_after
from cert_registry.sharing.access import ANY, Action, Grant


def feed(
    session: Session,
    grants: Sequence[Grant],
    own_codes: frozenset[str],
    matter: str,
    after: int,
    limit: int,
    now: datetime,
) -> dict[str, Any]:
    """Events after a number. `next` is the number to ask after; the same as `after` when there is nothing new."""
    types = _types(grants, matter, now)
    found = events_after(session, after, limit)
    items = [_shown(event, event.issuer_code in own_codes or bool({event.type_code, ANY} & types)) for event in found]
    return {"items": items, "next": items[-1]["number"] if items else after, "hash": hash_of(items)}


def state_digest(
    session: Session,
    grants: Sequence[Grant],
    own_codes: frozenset[str],
    matter: str,
    until: int,
    now: datetime,
) -> dict[str, Any]:
    """What a consumer that has read every event up to `until` must hold: SHA-256 over one line "NUMBER IDENTIFIER\\n"
    for the last visible event of each licence, in the order of the numbers. Read as a stream, in bounded memory."""
    types = _types(grants, matter, now)
    visible: ColumnElement[bool] = LicenceEvent.issuer_code.in_(sorted(own_codes))
    if ANY in types:
        visible = true()
    elif types:
        visible = or_(visible, LicenceEvent.type_code.in_(sorted(types)))
    last = func.max(LicenceEvent.number)
    query = select(last, LicenceEvent.identifier).where(LicenceEvent.number <= until, visible)
    query = query.group_by(LicenceEvent.identifier).order_by(last)
    hashed, count = hashlib.sha256(), 0
    for number, identifier in session.execute(query, execution_options={"yield_per": 1000}):
        hashed.update(f"{number} {identifier}\n".encode())
        count += 1
    return {"until": until, "licences": count, "hash": hashed.hexdigest()}


def _types(grants: Sequence[Grant], matter: str, now: datetime) -> set[str]:
    """Types of which this department may receive changes for this matter now; ANY among them means all."""
    return {
        grant.type_code
        for grant in grants
        if grant.holds_at(now) and Action.EVENTS in grant.actions and {matter, ANY} & grant.matters
    }


def hash_of(items: Sequence[dict[str, Any]]) -> str:
    """SHA-256 over the canonical JSON of the items; a consumer computes the same over what it stored."""
    canonical = json.dumps(list(items), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shown(event: LicenceEvent, visible: bool) -> dict[str, Any]:
    if not visible:
        return {"number": event.number, "visible": False}
    return {
        "number": event.number,
        "visible": True,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "identifier": event.identifier,
        "type_code": event.type_code,
        "issuer_code": event.issuer_code,
        "content": event.content,
    }
