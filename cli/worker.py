"""The worker's tasks: released approvals become licences; CRLs are published where commands find them."""

from __future__ import annotations

from cert_registry.licences.from_approval import TOPIC
from cli.registry_parts import RegistryDesk
from cli.stage import http_timestamper, open_stage
from cli.trust_store import publish_crls
from signing_service.app import Task, Worker, create_worker
from signing_service.kernel.outbox import deliver
from signing_service.settings import Settings

OUTBOX, CRLS, EVENTS = "outbox", "crls", "events"


def make_worker(settings: Settings, url: str) -> Worker:
    """`url`: the web server of this home, whose TSA stamps what is sealed here."""
    stage = open_stage(settings)
    consumer = RegistryDesk(stage, http_timestamper(settings, url)).from_approval()

    def hand_on(*_rows: object) -> None:
        deliver(stage.database, TOPIC, consumer, stage.clock.now)

    def publish(*_rows: object) -> None:
        publish_crls(settings, stage.pki.crls)

    return create_worker(settings, [Task(OUTBOX, hand_on, every_minute=True), Task(CRLS, publish, every_minute=True)])
