"""What asks outside CAs and outside timestamp authorities for a home, within its settings and its register."""

from __future__ import annotations

from collections.abc import Callable

from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.outside import TIMESTAMPS, OutsideCheck, outside_anchors
from signing_service.pki.outside_sources import OutsideSources
from signing_service.pki.outside_status import OutsideStatus
from signing_service.pki.trusted_timestamps import TrustedTimestamper
from signing_service.pki.tsp_client import FallbackTimestamper, HttpTimestamper, Timestamper
from signing_service.settings import OWN_TSA, Settings

ANSWER_SECONDS = 5.0


def outside_sources(settings: Settings, database: Database, clock: Clock) -> OutsideSources:
    policy = OutboundPolicy(settings.outbound_hosts, timeout_seconds=ANSWER_SECONDS)
    return OutsideSources(database, Outbound(policy), clock)


def outside_status(settings: Settings, database: Database, clock: Clock) -> OutsideStatus:
    accept = settings.outside_status_unknown == "accept"
    return OutsideStatus(outside_sources(settings, database, clock), clock, accept_unknown=accept)


def outside_check(settings: Settings, database: Database, clock: Clock) -> OutsideCheck:
    return OutsideCheck(database, outside_status(settings, database, clock))


def timestamper_in_order(settings: Settings, own: Callable[[], Timestamper], clock: Clock) -> Timestamper:
    """The authorities of the settings, each asked when the one before it fails; `own` makes ours."""
    chosen = [own() if url == OWN_TSA else _outside(settings, url, clock) for url in settings.timestamp_urls]
    return chosen[0] if len(chosen) == 1 else FallbackTimestamper(chosen)


def _outside(settings: Settings, url: str, clock: Clock) -> Timestamper:
    outbound = Outbound(OutboundPolicy(settings.outbound_hosts, timeout_seconds=ANSWER_SECONDS, max_bytes=256 * 1024))
    database = Database(settings.database_url)

    def anchors() -> list[bytes]:
        with database.read() as session:
            return outside_anchors(session, TIMESTAMPS)

    return TrustedTimestamper(HttpTimestamper(url, outbound), url, anchors, clock)
