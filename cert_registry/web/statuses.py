"""From errors to HTTP: the one table of status codes, and the handlers that write problem documents."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from cert_registry.errors import ExplainedError, RegistryError, Text
from signing_service.kernel.problems import language_of, problem

STATUS = {
    "identifier_malformed": 422,
    "bad_check_character": 422,
    "holder_code_invalid": 422,
    "fields_invalid": 422,
    "unknown_licence_type": 422,
    "legal_basis_missing": 422,
    "request_invalid": 422,
    "idempotency_key_reused": 422,
    "personal_number_in_purpose": 422,
    "paper_code_invalid": 422,
    "not_found_here": 404,
    "other_issuer": 404,
    "grant_not_found": 404,
    "subscription_not_found": 404,
    "grant_missing": 403,
    "consent_needed": 403,
    "not_an_issuer": 403,
    "already_issued": 409,
    "absorbed_type": 409,
    "operation_not_allowed": 409,
    "request_in_progress": 409,
    "licence_ended": 409,
    "licence_expired": 409,
    "licence_suspended": 409,
    "licence_replaced": 409,
    "licence_not_yet_valid": 409,
    "file_too_large": 413,
    "invalid_token": 401,
    "token_missing": 401,
    "token_expired": 401,
    "unauthenticated": 401,
    "invalid_client": 401,
    "too_many_requests": 429,
    "store_unavailable": 503,
    "evidence_unavailable": 503,
}
ELSE = 400
_LOG = logging.getLogger(__name__)


class RequestInvalid(RegistryError):
    code = "request_invalid"

    def __init__(self, what: Text) -> None:
        super().__init__(
            Text("请求的格式不对。", "The request has not the right form."),
            why=what,
            advice=Text("请对照接口文档 /api/docs。", "Compare with the documentation at /api/docs."),
        )


class StoreUnavailable(RegistryError):
    code = "store_unavailable"

    def __init__(self) -> None:
        super().__init__(
            Text("数据库暂时不可用,没有执行任何操作。", "The database is not available; nothing was done."),
            why=Text("没有日志就不提供服务。", "Without a log entry there is no service."),
            advice=Text("请稍后重试。", "Try again later."),
        )


class InternalError(RegistryError):
    code = "internal_error"

    def __init__(self) -> None:
        super().__init__(
            Text("系统内部错误。", "Something went wrong inside."),
            advice=Text("请把发生时间告诉运维人员。", "Tell an operator when it happened."),
        )


class NoSuchAddress(RegistryError):
    code = "no_such_address"

    def __init__(self, status: int) -> None:
        what = Text("没有这个地址。", "There is no such address.")
        if status == 405:
            what = Text("这个地址不支持该请求方法。", "This address does not take that method.")
        super().__init__(what, advice=Text("请对照接口文档 /api/docs。", "See the documentation at /api/docs."))


def status_of(error: ExplainedError) -> int:
    return STATUS.get(error.code, ELSE)


def explained(request: Request, error: ExplainedError) -> JSONResponse:
    """The problem document of a domain error, with what the error carries for machines."""
    extensions: dict[str, Any] = {}
    for name in ("identifier", "url"):
        if value := getattr(error, name, ""):
            extensions[name] = value
    if isinstance(found := getattr(error, "problems", None), dict):
        extensions["problems"] = {name: text.in_(language_of(request)) for name, text in found.items()}
    reply = problem(error, status_of(error), language_of(request), **extensions)
    if reply.status_code == 401:
        reply.headers["WWW-Authenticate"] = "Bearer"
    if (wait := getattr(error, "retry_after_seconds", None)) is not None:
        reply.headers["Retry-After"] = str(wait)
    return reply


def install(app: FastAPI) -> None:
    """Problem documents for everything: domain errors, malformed requests, unknown addresses, crashes."""
    app.add_exception_handler(ExplainedError, _on_explained)
    app.add_exception_handler(RequestValidationError, _on_malformed)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(Exception, _on_crash)


async def _on_explained(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ExplainedError)  # noqa: S101  # registered for nothing else
    return explained(request, error)


async def _on_malformed(request: Request, error: Exception) -> JSONResponse:
    """Names the places and what is wrong there, never the values: they may hold personal numbers."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    places = [".".join(str(part) for part in one["loc"]) + ": " + str(one["msg"]) for one in error.errors()]
    told = "; ".join(places)[:2000]
    return explained(request, RequestInvalid(Text(f"{told}。", f"{told}.")))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    reply = problem(NoSuchAddress(error.status_code), error.status_code, language_of(request))
    reply.headers.update(error.headers or {})
    return reply


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("database error: %s", type(getattr(error, "orig", error)).__name__)
    return explained(request, StoreUnavailable())


async def _on_crash(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("internal error at %s: %s", request.url.path, type(error).__name__)
    return problem(InternalError(), 500, language_of(request))
