"""The registry of a demo home on one port, with a database of its own: `python -m bench.registry_server HOME URL PORT`.

As served in production: custody's key signs the evidence, every call is logged. Only the limit per client is lifted.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from cert_registry.app import create_app
from cli.opened_home import open_home
from cli.registry_parts import RegistryDesk
from cli.stage import http_timestamper, open_stage
from signing_service.app import Parts
from signing_service.people.oauth import TokenEndpoint
from signing_service.web import oauth_endpoints

NO_LIMIT = 10**9


def main(home: str, database_url: str, port: str) -> None:
    settings = replace(open_home(Path(home)), database_url=database_url)
    stage = open_stage(settings)
    tokens = TokenEndpoint(stage.database, stage.clock, f"{settings.base_url}/oauth2/token")
    service = Parts(database=stage.database, clock=stage.clock, routers=[oauth_endpoints.router(tokens)])
    parts = RegistryDesk(stage, http_timestamper(settings, settings.base_url)).parts(tokens, service)
    parts = replace(parts, settings=replace(parts.settings, requests_per_minute=NO_LIMIT))
    config = uvicorn.Config(create_app(parts), host="127.0.0.1", port=int(port), log_level="error", access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
