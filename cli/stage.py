"""A home opened for work: its stores, custody, PKI, clock and engine, as commands and server hand them round."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cert_registry.licences.status_facts import LicenceStatusFacts
from cli.data_keys import HomeVault
from cli.home_blobs import home_blobs
from cli.home_casework import home_casework
from cli.known_facts import home_facts
from cli.opened_home import open_custody
from cli.outside_parts import outside_check, timestamper_in_order
from cli.own_services import OwnRevocation, pki_over
from cli.trust_store import current_crls, home_policy, outside_cas, own_fetcher
from signing_service.approvals.casework import Casework
from signing_service.approvals.examining import Finding
from signing_service.custody.ports import CustodyPort
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import Clock, SystemClock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.assembly import PkiServices
from signing_service.pki.outside import OutsideCheck
from signing_service.pki.outside_sources import kept_answers
from signing_service.pki.register import CertificateRegister
from signing_service.pki.tsp_client import HttpTimestamper, Timestamper
from signing_service.seals.order_book import OrderBook
from signing_service.seals.register import SealRegister
from signing_service.seals.use_book import UseBook
from signing_service.settings import Settings
from signing_service.verification.ports import StatusSource
from signing_service.verification.report import Report
from signing_service.verification.worker import WorkerLimits, verify_in_worker


@dataclass(frozen=True)
class Stage:
    """Made by `open_stage`; owns the database and custody's connection."""

    settings: Settings
    clock: Clock
    database: Database
    blobs: BlobStore
    custody: CustodyPort
    pki: PkiServices
    work: Casework

    def judge(
        self, content: bytes, name: str = "", status: StatusSource | None = None, limits: WorkerLimits | None = None
    ) -> Report:
        """The one engine's report from a process of its own, with this home's trust, CRLs and facts; outside CAs on
        record may be asked for the state of their certificates."""
        outside = outside_cas(self.database)
        now = self.clock.now()
        policy = home_policy(self.settings, now, current_crls(self.pki.crls), outside)
        if outside:
            with self.database.read() as session:
                crls, responses = kept_answers(session, now)
            policy = replace(
                policy, crls=[*policy.crls, *crls], ocsp_responses=responses,
                fetcher=own_fetcher(self.settings, outside),
            )  # fmt: skip
        facts = home_facts(self.database, self.blobs, status or LicenceStatusFacts(self.database, self.clock))
        return verify_in_worker(content, policy, facts, file_name=name, limits=limits)

    def examine(self, content: bytes) -> Finding:
        """`judge`, as far as a case's course depends on it."""
        return Finding.from_report(self.judge(content))

    def outside(self) -> OutsideCheck:
        """Whether outside CAs stand by their certificates."""
        return outside_check(self.settings, self.database, self.clock)

    def revocation(self) -> OwnRevocation:
        return OwnRevocation(self.pki.evidence, self.outside())

    def vault(self) -> HomeVault:
        """Holders' codes, under the home's data keys."""
        return HomeVault(self.settings, self.custody)

    def use_book(self) -> UseBook:
        """The seals' book of uses on this home's register."""
        return UseBook(self.seal_register())

    def order_book(self) -> OrderBook:
        """The holders' standing orders and emergency orders on this home's register."""
        return OrderBook(self.seal_register())

    def seal_register(self) -> SealRegister:
        return SealRegister(self.database, self.clock, AuditLog())

    def close(self) -> None:
        self.database.close()


def open_stage(settings: Settings) -> Stage:
    """Open the home's database and reach custody. Raises ServiceCertificateMissing where no ceremony was held."""
    clock, database = SystemClock(), Database(settings.database_url)
    custody, blobs = open_custody(settings), home_blobs(settings)
    register = CertificateRegister(database, clock, AuditLog())
    work = home_casework(settings, database, lambda: custody)
    return Stage(settings, clock, database, blobs, custody, pki_over(register, custody, settings), work)


def outbound_to(settings: Settings, url: str) -> Outbound:
    """Outbound calls, with this home's server allowed although it is on the loopback address."""
    return Outbound(OutboundPolicy(settings.outbound_hosts | {url.partition("://")[2]}))


def http_timestamper(settings: Settings, url: str) -> Timestamper:
    """The authorities of the settings in their order; our own over HTTP at the server's address `url`."""
    return timestamper_in_order(
        settings, lambda: HttpTimestamper(f"{url}/tsa", outbound_to(settings, url)), SystemClock()
    )
