"""The web application of a home: the registry's on top of the signing service's, over one opened stage."""

from __future__ import annotations

from fastapi import FastAPI

from cert_registry.app import create_app
from cli.registry_parts import RegistryDesk
from cli.stage import Stage, http_timestamper, open_stage
from signing_service.app import Parts
from signing_service.people.oauth import TokenEndpoint
from signing_service.pki.rate_limit import RateLimit
from signing_service.settings import Settings
from signing_service.web import oauth_endpoints, pki_endpoints

PKI_REQUESTS_PER_SECOND, PKI_BURST = 200, 2000


def make_web_app(settings: Settings, url: str) -> FastAPI:
    """`url`: where it will be reached; what the API seals is stamped by the TSA there."""
    stage = open_stage(settings)
    tokens = TokenEndpoint(stage.database, stage.clock, f"{settings.base_url}/oauth2/token")
    registry = RegistryDesk(stage, http_timestamper(settings, url))
    return create_app(registry.parts(tokens, _signing_parts(stage, tokens)))


def _signing_parts(stage: Stage, tokens: TokenEndpoint) -> Parts:
    pki, limit = stage.pki, RateLimit(stage.clock, per_second=PKI_REQUESTS_PER_SECOND, burst=PKI_BURST)
    routers = (pki_endpoints.router(pki.tsa, pki.ocsp, pki.crls, limit=limit), oauth_endpoints.router(tokens))
    checks = {"custody": stage.custody.frozen}
    return Parts(database=stage.database, clock=stage.clock, routers=routers, checks=checks)
