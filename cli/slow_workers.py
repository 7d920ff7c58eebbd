"""Work that takes long, each kind in a queue of its own: a hundred thousand licences, or a department's server that
answers nobody, must not keep a single approval waiting."""

from __future__ import annotations

from cert_registry.licences.bulk import waiting_jobs
from cli.registry_parts import RegistryDesk
from cli.stage import http_timestamper, open_stage
from signing_service.app import Task, Worker, create_worker
from signing_service.kernel.jobs import Jobs
from signing_service.settings import Settings

BULK, BULK_QUEUE = "bulk", "zhengyin-bulk"
WEBHOOKS, WEBHOOK_QUEUE = "webhooks", "zhengyin-webhooks"


def make_slow_workers(settings: Settings, url: str) -> list[Worker]:
    """`url`: the web server of this home, whose TSA stamps what is sealed here."""
    stage = open_stage(settings)
    registry = RegistryDesk(stage, http_timestamper(settings, url))
    bulk, webhooks = registry.bulk(), registry.webhooks()

    def issue(*_rows: object) -> None:
        for job_id in waiting_jobs(bulk.issuing):
            bulk.run(job_id)

    def send(*_rows: object) -> None:
        webhooks.run()

    return [
        create_worker(settings, [Task(BULK, issue, every_minute=True)], queue=BULK_QUEUE),
        create_worker(settings, [Task(WEBHOOKS, send, every_minute=True)], queue=WEBHOOK_QUEUE),
    ]


def wake_bulk(settings: Settings) -> None:
    """Tell the worker that rows of a bulk job wait; if nobody hears it, it looks each minute."""
    jobs = Jobs(settings.database_url, name=BULK_QUEUE)
    jobs.task(BULK, lambda *_rows: None)
    jobs.wake(BULK)
    jobs.close()
