"""The web application of a home: the signing service's app, and the registry's under its own addresses."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from cert_registry.app import create_app as create_registry_app
from cli.registry_parts import RegistryDesk
from cli.stage import Stage, http_timestamper, open_stage
from signing_service.app import Parts, create_app
from signing_service.people.oauth import TokenEndpoint
from signing_service.pki.rate_limit import RateLimit
from signing_service.settings import Settings
from signing_service.web import oauth_endpoints, pki_endpoints

REGISTRY_ADDRESSES = ("/api/", "/case", "/v", "/c/", "/registry", "/supervision", "/status-lists", "/log/")


class ByAddress:
    """One ASGI application of two: the registry's addresses to the registry, everything else to the signing service."""

    def __init__(self, signing: FastAPI, registry: FastAPI) -> None:
        self.signing, self.registry = signing, registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        chosen: ASGIApp = self.registry if path.startswith(REGISTRY_ADDRESSES) else self.signing
        await chosen(scope, receive, send)


def make_web_app(settings: Settings, url: str) -> ByAddress:
    """`url`: where it will be reached; what the API seals is stamped by the TSA there."""
    stage = open_stage(settings)
    tokens = TokenEndpoint(stage.database, stage.clock, f"{settings.base_url}/oauth2/token")
    registry = RegistryDesk(stage, http_timestamper(settings, url)).parts(tokens)
    return ByAddress(create_app(settings, _signing_parts(stage, tokens)), create_registry_app(registry))


def _signing_parts(stage: Stage, tokens: TokenEndpoint) -> Parts:
    pki = stage.pki
    routers = (
        pki_endpoints.router(pki.tsa, pki.ocsp, pki.crls, limit=RateLimit(stage.clock, per_second=200, burst=2000)),
        oauth_endpoints.router(tokens),
    )
    checks = {"custody": stage.custody.frozen}
    return Parts(database=stage.database, clock=stage.clock, routers=routers, checks=checks)
