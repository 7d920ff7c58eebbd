"""The home's own trust: anchors by purpose from HOME/trust; CRLs from the register, or as published there; hosts that
may be asked for more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from signing_service.kernel.blobs import write_atomically
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.crl_publication import CrlPublisher
from signing_service.pki.outside import SIGNERS, TIMESTAMPS, OutsideCa
from signing_service.settings import Settings
from signing_service.verification.certificates import Certificate
from signing_service.verification.fetching import revocation_urls
from signing_service.verification.http_fetcher import HttpFetcher
from signing_service.verification.policy import Policy, Purpose

ISSUERS = ("root", "issuing", "simulation")
FETCH_SECONDS, FETCH_BYTES = 5.0, 16 * 1024 * 1024


def home_policy(
    settings: Settings, at: datetime, crls: Sequence[bytes] = (), outside: Sequence[OutsideCa] = ()
) -> Policy:
    """What this home trusts at `at`; `crls` (DER) instead of the published ones where the register is at hand;
    `outside`: the CAs that it has on record."""
    anchors = {purpose: _certificates(settings.trust / purpose.value) for purpose in Purpose}
    for purpose, more in outside_anchors_of(outside).items():
        anchors[purpose] += more
    return Policy(
        anchors,
        at,
        crls=crls or [path.read_bytes() for path in sorted(_crls(settings).glob("*.crl"))],
        certificates=_certificates(settings.trust / "intermediates"),
    )


def outside_anchors_of(outside: Sequence[OutsideCa]) -> dict[Purpose, list[bytes]]:
    """The outside CAs' roots by what each is trusted for: one that is trusted for time vouches for no signer."""
    return {
        Purpose.OUTSIDE: [ca.der for ca in outside if ca.trusted_for(SIGNERS)],
        Purpose.OUTSIDE_TIMESTAMPS: [ca.der for ca in outside if ca.trusted_for(TIMESTAMPS)],
    }


def named_fetcher(hosts: Iterable[str]) -> HttpFetcher:
    """Asks these hosts and no others; private addresses are closed to it."""
    return HttpFetcher(Outbound(OutboundPolicy(timeout_seconds=FETCH_SECONDS, max_bytes=FETCH_BYTES)), hosts)


def own_fetcher(settings: Settings, outside: Iterable[OutsideCa] = (), further: Iterable[str] = ()) -> HttpFetcher:
    """Asks this home's own server, the hosts that the settings allow, the registered outside CAs' services, and
    `further` hosts."""
    hosts = {urlsplit(settings.base_url).netloc, *settings.outbound_hosts, *further}
    for ca in outside:
        named = [ca.ocsp_url, ca.crl_url, *revocation_urls(Certificate(ca.der))]
        hosts |= {urlsplit(url).netloc for url in named}
    policy = OutboundPolicy(settings.outbound_hosts, timeout_seconds=FETCH_SECONDS, max_bytes=FETCH_BYTES)
    return HttpFetcher(Outbound(policy), hosts - {""})


def outside_cas(database: Database) -> list[OutsideCa]:
    """The outside CAs on record."""
    with database.read() as session:
        return list(session.scalars(select(OutsideCa)))


def current_crls(publisher: CrlPublisher) -> list[bytes]:
    """The CRLs of our own CAs as they are now, DER."""
    return [crl for name in ISSUERS if (crl := publisher.crl(name)) is not None]


def publish_crls(settings: Settings, publisher: CrlPublisher) -> None:
    """Write the present CRLs where `zhengyin verify` finds them without a server."""
    _crls(settings).mkdir(parents=True, exist_ok=True)
    for name in ISSUERS:
        if (crl := publisher.crl(name)) is not None:
            write_atomically(_crls(settings) / f"{name}.crl", crl)


def _crls(settings: Settings) -> Path:
    return settings.trust / "crls"


def _certificates(folder: Path) -> list[bytes]:
    found = [x509.load_pem_x509_certificates(path.read_bytes()) for path in sorted(folder.glob("*.pem"))]
    return [certificate.public_bytes(Encoding.DER) for several in found for certificate in several]
