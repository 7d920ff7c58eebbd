"""The bearer token of RFC 6750, from the request to the caller."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from cert_registry.errors import RegistryError, Text
from cert_registry.web.parts import Authenticate, Caller


class TokenMissing(RegistryError):
    code = "token_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("请求没有访问令牌。", "The request carries no access token."),
            advice=Text("请先向 /oauth2/token 申请。", "Get one at /oauth2/token first."),
        )


def by_bearer(check: Callable[[str], Caller]) -> Authenticate:
    """Authentication by the header alone; a token in the query is not looked at. `check` raises for a bad token."""

    def authenticate(request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenMissing
        return check(token.strip())

    return authenticate
