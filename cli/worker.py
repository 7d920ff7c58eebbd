"""The worker's tasks: approvals become licences, CRLs are published, events numbered, unprinted copies given back; due
successions of bodies carried out, open uses of seals and open verification reports ended, custody's stops kept in step
with the seal register, the audit log's tree grown and witnessed, documents renewed before their timestamps end, what
was kept long enough deleted. Bulk issue and webhooks are in cli/slow_workers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cert_registry.licences.events import sequence
from cert_registry.licences.from_approval import TOPIC
from cli.certificate_warnings import certificate_warnings
from cli.due_work import retention_work
from cli.evidence_log import home_checkpoints, keep_evidence
from cli.notice_tasks import notice_work
from cli.registry_parts import RegistryDesk
from cli.renewing import renewal_work
from cli.sandbox import SAMPLES, make_sandbox_samples
from cli.seal_stops import SealStops
from cli.stage import http_timestamper, open_stage
from cli.trust_store import publish_crls
from cli.verification_reports import report_book
from cli.web_app import make_home_desk
from signing_service.app import Task, Worker, create_worker
from signing_service.approvals.case_webhooks import CaseWebhooks
from signing_service.custody.ports import CustodyPort
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.kernel.outbox import deliver
from signing_service.printing.ledger import PrintLedger
from signing_service.seals.recovery import recover_uses
from signing_service.seals.register import SealRegister
from signing_service.seals.succession import SuccessionBook
from signing_service.seals.use_book import UseBook
from signing_service.settings import Settings

_LOG = logging.getLogger(__name__)
OUTBOX, CRLS, EVENTS, COPIES, CHANNEL = "outbox", "crls", "events", "copies", "channel.resume"
ENDINGS = "endings"
REPORTS = "verification.reports"
EVIDENCE, CALLBACKS, RENEWALS = "evidence", "cases.callbacks", "archive.renewals"
RETENTION = "retention"
SUCCESSIONS, STOPS, USES = "seals.successions", "seals.stops", "seals.uses"


def make_worker(settings: Settings, url: str) -> Worker:
    """`url`: the web server of this home, whose TSA stamps what is sealed here."""
    stage = open_stage(settings)
    registry = RegistryDesk(stage, http_timestamper(settings, url))
    consumer = registry.from_approval()

    def hand_on(*_rows: object) -> None:
        deliver(stage.database, TOPIC, consumer, stage.clock.now)

    def publish(*_rows: object) -> None:
        publish_crls(settings, stage.pki.crls)

    def number_events(*_rows: object) -> None:
        sequence(stage.database)

    def sandbox_samples(*_rows: object) -> None:
        make_sandbox_samples(registry)

    def return_copies(*_rows: object) -> None:
        PrintLedger(stage.database, stage.clock).expire_pending()

    def keep_log(*_rows: object) -> None:
        for failure in keep_evidence(stage.database, home_checkpoints(stage, http_timestamper(settings, url))):
            _LOG.warning("%s: %s", failure.code, failure.explain("en"))

    def end_reports(*_rows: object) -> None:
        report_book(stage).recover()

    callbacks = CaseWebhooks(
        stage.database, Outbound(OutboundPolicy(settings.outbound_hosts)), registry.sign_claims, stage.clock,
        settings.base_url,
    )  # fmt: skip
    desk = make_home_desk(stage, url)
    work: dict[str, Callable[..., object]] = {
        CHANNEL: desk.delivery.resume, OUTBOX: hand_on, CRLS: publish, EVENTS: number_events, COPIES: return_copies,
        ENDINGS: certificate_warnings(stage.database, stage.clock),
        EVIDENCE: keep_log, REPORTS: end_reports,
        RENEWALS: renewal_work(stage, http_timestamper(settings, url)),
        RETENTION: retention_work(stage),
        CALLBACKS: lambda *_rows: callbacks.run(),
        **notice_work(stage),
        **seal_work(settings, stage.seal_register(), stage.custody),
    }  # fmt: skip
    tasks = [Task(name, run, every_minute=True) for name, run in work.items()]
    if settings.is_demo:
        tasks.append(Task(SAMPLES, sandbox_samples))
    return create_worker(settings, tasks)


def seal_work(settings: Settings, register: SealRegister, custody: CustodyPort) -> dict[str, Callable[..., object]]:
    """What is due on the seals each minute; each may run twice, and goes on where a killed run stopped."""

    def carry_out(*_rows: object) -> None:
        SuccessionBook(register).carry_out_due()

    def agree(*_rows: object) -> None:
        SealStops(settings, register, custody).agree()

    def recover(*_rows: object) -> None:
        recover_uses(UseBook(register), custody.was_signed, register.clock.now())

    return {SUCCESSIONS: carry_out, STOPS: agree, USES: recover}
