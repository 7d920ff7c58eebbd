"""The web application of a home: the registry's on top of the signing service's, over one opened stage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

from fastapi import FastAPI

from cert_registry.app import create_app
from cert_registry.audit.supervision_orders import SupervisionBook
from cert_registry.web.supervision_parts import SupervisionParts
from cli.case_sealing import case_sealing
from cli.data_keys import load_ring, unwrap
from cli.due_work import due_rows
from cli.operation_metrics import operation_readings
from cli.registry_parts import RegistryDesk
from cli.sandbox import sandbox_of
from cli.seal_batches import BatchRequest, new_batch, wake_workers
from cli.seal_desk import home_seal_routers
from cli.slow_workers import wake_bulk
from cli.stage import Stage, http_timestamper, open_stage
from signing_service.app import Parts
from signing_service.channel.completion import PadesCompletion
from signing_service.channel.server_identity import load_identity
from signing_service.errors import Text
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.pages import Link
from signing_service.pades.batch_book import BatchBook
from signing_service.pades.batch_tables import SealBatch
from signing_service.people.oauth import TokenEndpoint
from signing_service.people.register import PeopleRegister
from signing_service.pki.rate_limit import RateLimit
from signing_service.pki.register import CertificateRegister
from signing_service.pki.rules import Actor
from signing_service.settings import Settings
from signing_service.web import case_api, oauth_endpoints, pki_endpoints, seal_job_endpoints
from signing_service.web.desk import Desk, DeskNeeds, make_desk
from signing_service.web.health_endpoints import Check, Slow
from signing_service.web.metrics import Metrics
from signing_service.web.oauth_endpoints import caller_of
from signing_service.web.seal_job_endpoints import JobAsked, SealJobParts

PKI_REQUESTS_PER_SECOND, PKI_BURST = 200, 2000
LINKS = (
    Link("/desk", Text("工作台", "Desk")),
    Link("/seals", Text("印章", "Seals")),
    Link("/pki", Text("证书", "Certificates")),
    Link("/admin", Text("人员管理", "Administration")),
)


def make_web_app(settings: Settings, url: str) -> FastAPI:
    """`url`: where it will be reached; what the API seals is stamped by the TSA there."""
    stage = open_stage(settings)
    tokens = TokenEndpoint(stage.database, stage.clock, f"{settings.base_url}/oauth2/token")
    registry, desk = RegistryDesk(stage, http_timestamper(settings, url)), make_home_desk(stage, url)
    metrics = Metrics(operation_readings(stage.database, stage.clock, lambda: made.state.readiness.answer()))
    service = _signing_parts(stage, tokens, desk, url, metrics)
    parts = registry.parts(tokens, service, url, sandbox_of(stage), desk.browsers)
    book = SupervisionBook(stage.database, stage.clock, AuditLog())
    supervision = SupervisionParts(
        current=desk.browsers.current, work=stage.work, book=book, due=lambda: due_rows(stage)
    )
    made = create_app(replace(parts, supervision=supervision, wake_bulk=lambda: wake_bulk(settings)))
    return made


def make_home_desk(stage: Stage, url: str) -> Desk:
    """The reviewers' desk and the server's end of their agents. Browsers and agents reach it at `url`."""
    register = CertificateRegister(stage.database, stage.clock, AuditLog())
    return make_desk(
        DeskNeeds(
            work=stage.work,
            people=PeopleRegister(stage.database, stage.clock, AuditLog()),
            certificates=register,
            outside=stage.outside(),
            complete=PadesCompletion(http_timestamper(stage.settings, url)),
            examine=stage.examine,
            identity=load_identity(stage.settings.home / "channel" / "server.key"),
            origin=url,
            server_name=f"{stage.settings.city}政印",
            seal=case_sealing(stage, url),
        )
    )


def _seal_jobs(stage: Stage, tokens: TokenEndpoint) -> SealJobParts:
    """Batches asked for by departments: made here, done by the workers."""
    register = stage.seal_register()

    def make(asked: JobAsked) -> SealBatch:
        actor = Actor(f"client:{asked.caller.client_id}", department=asked.caller.department_id)
        request = BatchRequest(
            asked.name, asked.seal_id, asked.document_type, asked.level, asked.placing, actor, purpose=asked.purpose,
            asked=asked.asked,
        )  # fmt: skip
        return new_batch(stage.settings, register, request)

    return SealJobParts(
        BatchBook(register), stage.blobs, lambda request: caller_of(request, tokens), make,
        lambda batch_id, documents: wake_workers(stage.settings, batch_id, documents),
    )  # fmt: skip


def _signing_parts(stage: Stage, tokens: TokenEndpoint, desk: Desk, url: str, metrics: Metrics) -> Parts:
    pki, limit = stage.pki, RateLimit(stage.clock, per_second=PKI_REQUESTS_PER_SECOND, burst=PKI_BURST)
    routers = (
        pki_endpoints.router(pki.tsa, pki.ocsp, pki.crls, limit=limit),
        oauth_endpoints.router(tokens),
        seal_job_endpoints.router(_seal_jobs(stage, tokens)),
        case_api.router(case_api.CaseApiParts(stage.work, lambda request: caller_of(request, tokens))),
        *desk.routers,
        *home_seal_routers(stage, desk.browsers, url),
    )
    return Parts(
        database=stage.database, clock=stage.clock, routers=routers, links=LINKS, checks=readiness_checks(stage, url),
        metrics=metrics, resources=_metrics_listener(stage.settings, metrics),
    )  # fmt: skip


def readiness_checks(stage: Stage, url: str) -> dict[str, Check | Slow]:
    """What a home needs to work. The token is asked for a data key, the TSA for a timestamp: those are kept longer."""

    def token() -> None:
        ring = load_ring(stage.settings)
        unwrap(stage.custody, next(key for key in ring.keys if key.number == ring.present))

    def tsa() -> None:
        http_timestamper(stage.settings, url).timestamp(hashlib.sha256(b"readiness").digest())

    return {
        "custody": stage.custody.frozen, "blobs": stage.blobs.check, "token": Slow(token, timedelta(minutes=1)),
        "tsa": Slow(tsa),
    }  # fmt: skip


def _metrics_listener(settings: Settings, metrics: Metrics) -> Sequence[Callable[[], AbstractContextManager[object]]]:
    if not settings.metrics_listen:
        return ()
    host, _, port = settings.metrics_listen.rpartition(":")
    return (lambda: metrics.listening(host.strip("[]"), int(port)),)
