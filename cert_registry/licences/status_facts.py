"""What the verdict engine asks of the registry: the state of the licence that a document is or names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time

from sqlalchemy.orm import Session

from cert_registry.licences.errors import BadCheckCharacter, IdentifierMalformed, LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import Licence, by_digest, by_identifier
from cert_registry.licences.standing import Standing, standing
from signing_service.kernel.clock import LOCAL_ZONE, Clock
from signing_service.kernel.database import Database
from signing_service.verification.ports import CopyFact, Facts, LicenceFact, LicenceState

_STATES = {
    "passed": LicenceState.VALID,
    "licence_suspended": LicenceState.SUSPENDED,
    "licence_expired": LicenceState.EXPIRED,
    "licence_ended": LicenceState.ENDED,
    "licence_replaced": LicenceState.ENDED,
    "licence_not_yet_valid": LicenceState.NOT_YET_VALID,
}
LAST_MINUTE = time(23, 59)
CopyByDigest = Callable[[str], tuple[str, CopyFact] | None]
"""(identifier, facts) of the purpose-bound copy whose sealed file has this SHA-256 in hex."""


class LicenceStatusFacts:
    """A StatusSource. A document is known by its digest, else by the first identifier in it that is ours."""

    def __init__(self, database: Database, clock: Clock, copies: CopyByDigest | None = None) -> None:
        self._database, self._clock, self._copies = database, clock, copies

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """State at `at`, as recorded until now. Not ours: `known` stays False."""
        copy = self._copies(digest.hex()) if self._copies else None
        with self._database.read() as session:
            licence = _find(session, [copy[0], *ids] if copy else ids, digest)
            if licence is None:
                return Facts()
            fact = _fact(licence, standing_of(licence, at, self._clock.now()))
        return Facts(known=True, licence=fact, copy=copy[1] if copy else None)


def standing_of(licence: Licence, at: datetime, known_at: datetime) -> Standing:
    """The licence's standing at `at`, by what was recorded until `known_at`."""
    state = licence.state(at, known_at)
    return standing(state, licence.valid_from, licence.valid_until, at, licence.issuer_name)


def _find(session: Session, ids: Sequence[str], digest: bytes) -> Licence | None:
    found = by_digest(session, digest.hex())
    for text in () if found else ids:
        try:
            return by_identifier(session, LicenceIdentifier.parse(text))
        except (IdentifierMalformed, BadCheckCharacter, LicenceNotFound):
            continue
    return found


def _fact(licence: Licence, now: Standing) -> LicenceFact:
    """`since` is the instant that the engine's sentence names: of expiry the last minute of validity, of a licence that
    has not taken effect the beginning."""
    state, since = _STATES[now.reason], now.since
    if state is LicenceState.EXPIRED and licence.valid_until is not None:
        since = datetime.combine(licence.valid_until, LAST_MINUTE, LOCAL_ZONE)
    elif state is LicenceState.NOT_YET_VALID:
        since = datetime.combine(licence.valid_from, time(), LOCAL_ZONE)
    manner = now.status_text.zh if state is LicenceState.ENDED else ""
    return LicenceFact(licence.identifier, state, since, manner)
