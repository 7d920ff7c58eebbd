"""The seals' pages of a home, and the public status of its seals, on an opened stage."""

from __future__ import annotations

from fastapi import APIRouter

from cli.emergency_sealing import EmergencySealing
from cli.seal_stops import SealStops
from cli.sealing import sealing_desk
from cli.stage import Stage, http_timestamper
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.register import PeopleRegister
from signing_service.pki.rate_limit import RateLimit
from signing_service.web import seal_status_endpoint
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.seal_pages import make_seal_pages
from signing_service.web.seal_parts import SealParts

ASKED_PER_SECOND, ASKED_BURST = 10, 100


def home_seal_routers(stage: Stage, browsers: BrowserSessions, url: str) -> tuple[APIRouter, ...]:
    """`url`: where this server is reached; emergency seals are stamped by the TSA there."""
    register, orders, uses = stage.seal_register(), stage.order_book(), stage.use_book()
    timestamper = http_timestamper(stage.settings, url)
    sealing = sealing_desk(stage, timestamper)
    parts = SealParts(
        browsers=browsers,
        people=PeopleRegister(stage.database, stage.clock, AuditLog()),
        register=register,
        orders=orders,
        uses=uses,
        custody=stage.custody,
        stops=SealStops(stage.settings, register, stage.custody),
        emergencies=EmergencySealing(register, orders, sealing, stage.blobs, stage.clock),
        blobs=stage.blobs,
    )
    limit = RateLimit(stage.clock, per_second=ASKED_PER_SECOND, burst=ASKED_BURST)
    return (*make_seal_pages(parts), seal_status_endpoint.router(register, limit))
