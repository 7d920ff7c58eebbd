"""The departments' API as one router: authentication and rate limit before everything else."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cert_registry.web.api_issue import issue_routes
from cert_registry.web.api_keys import key_routes
from cert_registry.web.api_licences import licence_routes
from cert_registry.web.api_reports import report_routes
from cert_registry.web.api_sharing import sharing_routes
from cert_registry.web.api_subscriptions import subscription_routes
from cert_registry.web.api_verify import verify_routes
from cert_registry.web.calls import Calls
from cert_registry.web.log_batch import LogBatch
from cert_registry.web.log_endpoints import LatestCheckpoint
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.rate_limit import RateLimit

PREFIX = "/api/v1"


def make_api(parts: RegistryParts) -> APIRouter:
    """All routes under /api/v1. Every one of them authenticates; none is reachable without a caller."""
    calls = Calls(parts, LogBatch(parts.database), LatestCheckpoint(parts.database, parts.clock))
    limit = RateLimit(parts.database, parts.clock, "client", parts.settings.requests_per_minute)

    def caller_of(request: Request) -> Caller:
        caller = parts.authenticate(request)
        limit.take(caller.client_id)
        return caller

    api = APIRouter(prefix=PREFIX)
    groups = (
        verify_routes,
        report_routes,
        licence_routes,
        issue_routes,
        sharing_routes,
        subscription_routes,
        key_routes,
    )
    for group in groups:
        api.include_router(group(calls, caller_of))
    return api
