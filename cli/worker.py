"""The worker's tasks: approvals become licences, CRLs are published, events numbered, unprinted copies given back."""

from __future__ import annotations

from collections.abc import Callable

from cert_registry.licences.events import sequence
from cert_registry.licences.from_approval import TOPIC
from cli.registry_parts import RegistryDesk
from cli.stage import http_timestamper, open_stage
from cli.trust_store import publish_crls
from cli.web_app import make_home_desk
from signing_service.app import Task, Worker, create_worker
from signing_service.kernel.outbox import deliver
from signing_service.printing.ledger import PrintLedger
from signing_service.settings import Settings

OUTBOX, CRLS, EVENTS, COPIES, CHANNEL = "outbox", "crls", "events", "copies", "channel.resume"


def make_worker(settings: Settings, url: str) -> Worker:
    """`url`: the web server of this home, whose TSA stamps what is sealed here."""
    stage = open_stage(settings)
    consumer = RegistryDesk(stage, http_timestamper(settings, url)).from_approval()

    def hand_on(*_rows: object) -> None:
        deliver(stage.database, TOPIC, consumer, stage.clock.now)

    def publish(*_rows: object) -> None:
        publish_crls(settings, stage.pki.crls)

    def number_events(*_rows: object) -> None:
        sequence(stage.database)

    def return_copies(*_rows: object) -> None:
        PrintLedger(stage.database, stage.clock).expire_pending()

    desk = make_home_desk(stage, url)
    work: dict[str, Callable[..., object]] = {
        CHANNEL: desk.delivery.resume, OUTBOX: hand_on, CRLS: publish, EVENTS: number_events, COPIES: return_copies,
    }  # fmt: skip
    return create_worker(settings, [Task(name, run, every_minute=True) for name, run in work.items()])
