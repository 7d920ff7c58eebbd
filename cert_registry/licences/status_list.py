"""Token Status Lists (draft-ietf-oauth-status-list): two bits a licence, so that verifiers need no call per licence.

A place is the row number: list `row >> 17`, index `row & 0x1FFFF`. Values: 0 valid, 1 invalid (ended, expired,
not in effect, no licence at that place), 2 suspended.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cert_registry.licences.lifecycle import State, is_expired, state_at
from cert_registry.licences.register import Licence, LicenceOperation, entries_of
from signing_service.kernel.clock import local

BITS, PLACES = 2, 1 << 17
VALID, INVALID, SUSPENDED = 0, 1, 2


def place_of(licence: Licence) -> tuple[int, int]:
    """(list number, index) of a licence."""
    return licence.id // PLACES, licence.id % PLACES


def last_list(session: Session) -> int:
    """The number of the newest list; 0 while there is no licence."""
    return (session.scalar(select(func.max(Licence.id))) or 0) // PLACES


def statuses(session: Session, number: int, now: datetime) -> bytearray:
    """One value for each place of a list, as recorded until now. Only licences with a history are worked out."""
    values = bytearray([INVALID]) * PLACES
    first = number * PLACES
    here = (Licence.id >= first, Licence.id < first + PLACES, Licence.digest.is_not(None))
    today = local(now).date()
    expired = set()
    for row_id, valid_from, valid_until in session.execute(
        select(Licence.id, Licence.valid_from, Licence.valid_until).where(*here)
    ):
        if is_expired(valid_until, today):
            expired.add(row_id)
        elif valid_from <= today:
            values[row_id - first] = VALID
    for row_id, state in _with_history(session, first, now):
        if state.status == "suspended":
            values[row_id - first] = SUSPENDED
        elif state.status != "valid" or row_id in expired:
            values[row_id - first] = INVALID
    return values


def packed(values: bytearray) -> str:
    """The list as it goes into the token: values LSB first, DEFLATE in zlib form, unpadded base64url."""
    four = zip(*(iter(values),) * 4, strict=True)
    content = bytes(a | b << 2 | c << 4 | d << 6 for a, b, c, d in four)
    return urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def _with_history(session: Session, first: int, now: datetime) -> list[tuple[int, State]]:
    """Licences of the list that more happened to than being issued."""
    inside = (LicenceOperation.licence_id >= first, LicenceOperation.licence_id < first + PLACES)
    several = select(LicenceOperation.licence_id).where(*inside).group_by(LicenceOperation.licence_id)
    several = several.having(func.count() > 1)
    query = select(LicenceOperation).where(LicenceOperation.licence_id.in_(several)).order_by(LicenceOperation.id)
    by_licence: dict[int, list[LicenceOperation]] = {}
    for row in session.scalars(query):
        by_licence.setdefault(row.licence_id, []).append(row)
    return [(row_id, state_at(entries_of(rows), now, now)) for row_id, rows in by_licence.items()]
