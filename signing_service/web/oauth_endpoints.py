"""POST /oauth2/token (RFC 6749, 4.4 and 5)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from signing_service.kernel.problems import language_of
from signing_service.people.errors import OAuthRefused, TokenRefused
from signing_service.people.oauth import Caller, TokenEndpoint
from signing_service.web.behind_proxy import certificate_of

FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 16 * 1024
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def router(tokens: TokenEndpoint) -> APIRouter:
    """The token endpoint over `tokens`."""
    routes = APIRouter(tags=["oauth2"])

    @routes.post("/oauth2/token")
    async def token(request: Request) -> JSONResponse:
        """An access token for a client that proves its key by `private_key_jwt` or by its TLS certificate."""
        try:
            form = await _form(request)
            given = await run_in_threadpool(tokens.issue, form, certificate_of(request))
            return JSONResponse(given, headers=_NO_STORE)
        except OAuthRefused as refusal:
            return _refused(request, refusal)

    return routes


def caller_of(request: Request, tokens: TokenEndpoint) -> Caller:
    """Who calls an API address. Raises TokenRefused unless a good bearer token is in the header (RFC 6750, 2.1)."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer:
        raise TokenRefused
    return tokens.authenticate(bearer.strip(), certificate_of(request))


async def _form(request: Request) -> dict[str, str]:
    """The form's fields. Raises OAuthRefused; a field that comes twice is an error (RFC 6749, 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthRefused("invalid_request", f"内容类型应为 {FORM}。", f"The content type must be {FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise OAuthRefused("invalid_request", "请求过大。", "The request is too large.")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except ValueError as failure:
        raise OAuthRefused("invalid_request", "表单无法读取。", "The form cannot be read.") from failure
    if len({name for name, _ in pairs}) != len(pairs):
        raise OAuthRefused("invalid_request", "有重复的字段。", "A field occurs twice.")
    return dict(pairs)


def _refused(request: Request, refusal: OAuthRefused) -> JSONResponse:
    status = 401 if refusal.oauth_error == "invalid_client" else 400
    content = {"error": refusal.oauth_error, "error_description": refusal.explain(language_of(request))}
    return JSONResponse(content, status_code=status, headers=_NO_STORE)
