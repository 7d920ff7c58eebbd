"""The registry's application on real sockets, with the real token endpoint and one registered client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn

from cert_registry.app import create_app
from cert_registry.web.parts import RegistryParts
from signing_service.app import Parts
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.people.oauth import NewClient, TokenEndpoint, add_client
from signing_service.people.register import PeopleRegister
from signing_service.web import oauth_endpoints
from signing_service.web.oauth_endpoints import caller_of

CLIENT = "housing-sample"


def with_tokens(parts: RegistryParts, jwks: dict[str, Any], base: str) -> RegistryParts:
    """The parts with the real token endpoint at `base`, and department housing's client registered with these keys."""
    clock, database = SystemClock(), parts.database
    with database.write() as session:
        people = PeopleRegister(database, clock, AuditLog())
        people.add_department(session, "housing", "示例市住房和城乡建设局", "11990000MB9900021N")
        add_client(session, NewClient(CLIENT, "housing", "示例", jwks), clock, AuditLog())
    tokens = TokenEndpoint(database, clock, f"{base}/oauth2/token")
    service = Parts(database=database, clock=clock, routers=[oauth_endpoints.router(tokens)])
    return replace(
        parts, clock=clock, authenticate=lambda request: caller_of(request, tokens), client_keys=tokens,
        service=service,
    )  # fmt: skip


@contextmanager
def serving(parts: RegistryParts, sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Serve on sockets that are bound already, until leaving the block."""
    server = uvicorn.Server(uvicorn.Config(create_app(parts), log_level="error", proxy_headers=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": list(sockets)}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
