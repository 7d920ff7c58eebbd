"""The bearer token of RFC 6750, from the request to the caller."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from cert_registry.web.parts import Authenticate, Caller
from signing_service.people.errors import TokenRefused


def by_bearer(check: Callable[[str], Caller]) -> Authenticate:
    """Authentication by the header alone; a token in the query is not looked at. `check` raises for a bad token."""

    def authenticate(request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenRefused
        return check(token.strip())

    return authenticate
