"""From the registry's errors to HTTP: its table of status codes, and what problem documents add for machines."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError

from cert_registry.errors import ExplainedError, RegistryError, Text
from signing_service.kernel.problems import language_of, problem
from signing_service.web.error_edge import answer, request_id, wants_page

STATUS = {
    "identifier_malformed": 422,
    "bad_check_character": 422,
    "holder_code_invalid": 422,
    "fields_invalid": 422,
    "unknown_licence_type": 422,
    "legal_basis_missing": 422,
    "request_invalid": 400,
    "idempotency_key_reused": 422,
    "personal_number_in_purpose": 422,
    "paper_code_invalid": 422,
    "not_found_here": 404,
    "not_in_log_yet": 404,
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
    "too_many_requests": 429,
    "asker_missing": 400,
    "upload_no_longer_kept": 410,
    "no_intact_version": 404,
    "no_reports_here": 404,
    "supervision_order_unknown": 404,
    "supervision_order_refused": 409,
    "verification_report_unknown": 404,
    "code_refused": 403,
    "too_many_tries": 429,
    "visit_over": 401,
    "right_missing": 403,
    "request_incomplete": 422,
    "no_such_document": 404,
    "not_to_be_printed": 409,
    "quota_used_up": 409,
    "quota_unset": 409,
    "copy_not_found": 404,
    "copy_move_not_allowed": 409,
    "void_reason_missing": 422,
    "short_code_unknown": 404,
    "short_code_mistyped": 422,
    "picture_unreadable": 422,
    "terminal_unknown": 403,
    "card_unreadable": 422,
    "too_much_work": 422,
    "scan_not_matched": 422,
    "no_standing_order": 503,
    "no_sandbox_here": 404,
    "sandbox_refused": 422,
    "bulk_job_unknown": 404,
    "bulk_file_unreadable": 422,
    "key_set_refused": 422,
    "key_not_proven": 422,
    "verifier_busy": 503,
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


def status_of(error: ExplainedError) -> int:
    return STATUS.get(error.code, ELSE)


def explained(request: Request, error: ExplainedError) -> Response:
    """A page where a page was asked for; else a problem document with what the error carries for machines."""
    if wants_page(request):
        return answer(request, error, status_of(error))
    extensions: dict[str, Any] = {"request_id": request_id(request)}
    for name in ("identifier", "url"):
        if value := getattr(error, name, ""):
            extensions[name] = value
    if isinstance(found := getattr(error, "problems", None), dict):
        extensions["problems"] = {name: text.in_(language_of(request)) for name, text in found.items()}
    reply = problem(error, status_of(error), language_of(request), **extensions)
    if (wait := getattr(error, "retry_after_seconds", None)) is not None:
        reply.headers["Retry-After"] = str(wait)
    return reply


def install(app: FastAPI) -> None:
    """The registry's own errors, and a database that does not answer; all else is the signing service's edge."""
    app.add_exception_handler(RegistryError, _on_registry_error)
    app.add_exception_handler(DBAPIError, _on_database)


def _on_registry_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)  # noqa: S101  # registered for nothing else
    return explained(request, error)


def _on_database(request: Request, error: Exception) -> Response:
    """The statement and its values stay out of the log: they may hold a person's data."""
    _LOG.error("database error: %s", type(getattr(error, "orig", error)).__name__)
    return explained(request, StoreUnavailable())
