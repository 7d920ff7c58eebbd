"""Bulk issue, in a queue of its own: a hundred thousand licences must not keep a single approval waiting."""

from __future__ import annotations

from cert_registry.licences.bulk import waiting_jobs
from cli.registry_parts import RegistryDesk
from cli.stage import http_timestamper, open_stage
from signing_service.app import Task, Worker, create_worker
from signing_service.kernel.jobs import Jobs
from signing_service.settings import Settings

BULK, QUEUE = "bulk", "zhengyin-bulk"


def make_bulk_worker(settings: Settings, url: str) -> Worker:
    """`url`: the web server of this home, whose TSA stamps what is sealed here."""
    stage = open_stage(settings)
    bulk = RegistryDesk(stage, http_timestamper(settings, url)).bulk()

    def go_on(*_rows: object) -> None:
        for job_id in waiting_jobs(bulk.issuing):
            bulk.run(job_id)

    return create_worker(settings, [Task(BULK, go_on, every_minute=True)], queue=QUEUE)


def wake_bulk(settings: Settings) -> None:
    """Tell the bulk worker that rows wait; if nobody hears it, the worker looks each minute."""
    jobs = Jobs(settings.database_url, name=QUEUE)
    jobs.task(BULK, lambda *_rows: None)
    jobs.wake(BULK)
    jobs.close()
