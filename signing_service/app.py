"""Composition: one FastAPI app and one worker, made from settings and parts. Nothing is opened at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text

from signing_service.errors import Text
from signing_service.kernel import pages
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.jobs import Jobs
from signing_service.settings import Settings
from signing_service.web import error_edge, health_endpoints
from signing_service.web.behind_proxy import BehindProxy
from signing_service.web.metrics import Metrics
from signing_service.web.middleware import BodyLimit, RequestFrame

_LOG = logging.getLogger(__name__)
QUEUE = "zhengyin"
WEB = Path(__file__).parent / "web"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the composition root hands in; the registry's routers, templates and statuses come the same way.

    `resources` are entered when the app starts and left, last first, when it stops. `checks` serve /readyz; `metrics`
    are served elsewhere.
    """

    database: Database
    clock: Clock
    routers: Sequence[APIRouter] = ()
    links: Sequence[pages.Link] = ()
    templates: Sequence[Path] = ()
    static: Mapping[str, Path] = field(default_factory=dict)
    statuses: error_edge.Statuses = field(default_factory=dict)
    checks: Mapping[str, health_endpoints.Check | health_endpoints.Slow] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    resources: Sequence[Callable[[], AbstractContextManager[object]]] = ()


def create_app(settings: Settings, parts: Parts) -> FastAPI:
    """The web application: every router given, the error edge, pages, static files, health."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            for resource in parts.resources:
                stack.enter_context(resource())
            yield

    app = FastAPI(
        title="Zhengyin 政印", version="1", lifespan=lifespan, openapi_url="/api/openapi.json", docs_url=None,
        redoc_url=None,
    )  # fmt: skip
    name = Text(f"{settings.city}政印", f"Zhengyin of {settings.city}")
    app.state.pages = pages.Pages(*parts.templates, WEB / "templates", name=name, links=parts.links)
    error_edge.install(app, parts.statuses)
    readiness = health_endpoints.Readiness({"database": _database_answers(parts.database), **parts.checks}, parts.clock)
    for router in (health_endpoints.router(readiness), *parts.routers):
        app.include_router(router)
    for address, folder in {"/static/desk": WEB / "static", **parts.static, "/static": pages.STATIC}.items():
        app.mount(address, StaticFiles(directory=folder))
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestFrame, secure=settings.base_url.startswith("https://"), metrics=parts.metrics)
    app.add_middleware(BehindProxy)  # the outermost: it hands on a scope of its own, which the frame must see too
    app.state.readiness = readiness
    return app


@dataclass(frozen=True, slots=True)
class Task:
    """Work over pending rows: run when woken with row ids, and once a minute with none if `every_minute`."""

    name: str
    run: Callable[..., object]
    every_minute: bool = False
    retries: int = 0


class Worker:
    """The consumer of one deployment's jobs. `wake` is for the same process; others use `Jobs.wake`."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._consumer: Any = None

    def run(self) -> None:
        """Work until SIGINT or SIGTERM."""
        self.jobs.worker().run()

    def start(self) -> None:
        """Work in threads of this process until `stop`."""
        self._consumer = self.jobs.worker()
        self._consumer.start()

    def stop(self) -> None:
        if self._consumer is not None:
            self._consumer.stop(graceful=True)
            self._consumer = None

    def close(self) -> None:
        self.stop()
        self.jobs.close()


def create_worker(settings: Settings, tasks: Sequence[Task], *, queue: str = QUEUE) -> Worker:
    """The worker with these tasks registered. Work that takes long has a queue of its own."""
    jobs = Jobs(settings.database_url, name=queue)
    for task in tasks:
        jobs.task(task.name, task.run, retries=task.retries)
        if task.every_minute:
            jobs.every_minute(task.name, task.run)
    return Worker(jobs)


def _database_answers(database: Database) -> Callable[[], None]:
    def check() -> None:
        with database.read() as session:
            session.execute(text("SELECT 1"))

    return check
