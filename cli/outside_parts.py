"""What asks outside CAs and outside timestamp authorities for a home, within its settings and its trust folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing_service.kernel.blobs import write_atomically
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.outside import SIGNERS, TIMESTAMPS, OutsideCheck
from signing_service.pki.outside_sources import CRL, OCSP, OutsideSources
from signing_service.pki.outside_status import OutsideStatus
from signing_service.pki.trusted_timestamps import TrustedTimestamper
from signing_service.pki.tsp_client import FallbackTimestamper, HttpTimestamper, Timestamper
from signing_service.settings import OWN_TSA, Settings
from signing_service.verification.policy import Purpose

ANSWER_SECONDS = 5.0
FOLDERS = {SIGNERS: Purpose.OUTSIDE, TIMESTAMPS: Purpose.OUTSIDE_TIMESTAMPS}
"""In HOME/trust: where the engine looks for the anchors of a purpose."""


def outside_sources(settings: Settings, database: Database, clock: Clock) -> OutsideSources:
    policy = OutboundPolicy(settings.outbound_hosts, timeout_seconds=ANSWER_SECONDS)
    return OutsideSources(database, Outbound(policy), clock)


def outside_status(settings: Settings, database: Database, clock: Clock) -> OutsideStatus:
    accept = settings.outside_status_unknown == "accept"
    return OutsideStatus(outside_sources(settings, database, clock), clock, accept_unknown=accept)


def outside_check(settings: Settings, database: Database, clock: Clock) -> OutsideCheck:
    return OutsideCheck(database, outside_status(settings, database, clock))


class OutsideFetcher:
    """The engine's `Fetcher`: it asks for certificates whose chain leads to a trusted root, at the addresses that their
    CA put into them. Our own addresses are left out: what they say is at hand."""

    def __init__(self, sources: OutsideSources, own_url: str) -> None:
        self._sources, self._own = sources, own_url

    def crl(self, url: str) -> bytes | None:
        return None if url.startswith(self._own) else self._sources.at(CRL, url)

    def ocsp(self, url: str, request: bytes) -> bytes | None:
        return None if url.startswith(self._own) else self._sources.at(OCSP, url, request)


def keep_anchor(settings: Settings, anchor: bytes, name: str, purposes: list[str]) -> None:
    """Put an outside root (DER) where the engine finds it; `name` is its fingerprint."""
    pem = x509.load_der_x509_certificate(anchor).public_bytes(Encoding.PEM)
    for purpose in purposes:
        folder = settings.trust / FOLDERS[purpose].value
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name[:16]}.pem", pem)


def timestamper_in_order(settings: Settings, own: Callable[[], Timestamper], clock: Clock) -> Timestamper:
    """The authorities of the settings, each asked when the one before it fails; `own` makes ours."""
    chosen = [own() if url == OWN_TSA else _outside(settings, url, clock) for url in settings.timestamp_urls]
    return chosen[0] if len(chosen) == 1 else FallbackTimestamper(chosen)


def _outside(settings: Settings, url: str, clock: Clock) -> Timestamper:
    outbound = Outbound(OutboundPolicy(settings.outbound_hosts, timeout_seconds=ANSWER_SECONDS, max_bytes=256 * 1024))
    folder = settings.trust / Purpose.OUTSIDE_TIMESTAMPS.value
    return TrustedTimestamper(HttpTimestamper(url, outbound), url, lambda: _anchors(folder), clock)


def _anchors(folder: Path) -> list[bytes]:
    found = [x509.load_pem_x509_certificates(path.read_bytes()) for path in sorted(folder.glob("*.pem"))]
    return [certificate.public_bytes(Encoding.DER) for several in found for certificate in several]
