"""Where named errors become answers: a problem document (RFC 9457) for programs, a page for people.

Every answer bears a request id; an error without a name is logged under that id and its text is not shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from hardware.errors import TokenError
from signing_service.approvals.access import RightMissing
from signing_service.approvals.code_sessions import VisitOver
from signing_service.approvals.errors import (
    ApprovalError,
    CallbackRefused,
    CaseNotFound,
    CodeRefused,
    MatterNotAllowed,
    MatterUnknown,
    PersonalNumbersUnprotected,
    PlatformUnknown,
    RequestIncomplete,
    RouteInvalid,
    RouteNotAllowed,
    StepNotFound,
    TooManyTries,
)
from signing_service.channel.errors import AgentUnknown, ChallengeOver, JobMoved, JobUnknown, StatementRefused
from signing_service.custody.errors import CustodyUnreachable
from signing_service.errors import ExplainedError, SigningServiceError, Text
from signing_service.kernel.blobs import BlobDamaged, BlobMissing
from signing_service.kernel.outbound import OutboundFailed, OutboundRefused
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of, problem
from signing_service.pades.batch_book import BatchUnknown
from signing_service.people.errors import (
    AlreadyThere,
    GrantRefused,
    RoleMissing,
    SessionEnded,
    TokenRefused,
    Unknown,
)
from signing_service.people.idempotency import InProgress
from signing_service.pki.register import CertificateUnknown
from signing_service.pki.rules import MoveNotAllowed
from signing_service.printing.errors import CopyNotFound
from signing_service.printing.terminals import TerminalUnknown
from signing_service.seals.order_book import OrderRefused
from signing_service.seals.register import SealUnknown
from signing_service.seals.rules import SealMoveNotAllowed
from signing_service.seals.use_book import SealNotUsable
from signing_service.web.desk_ports import NotOnDesk

_LOG = logging.getLogger(__name__)
Statuses = Mapping[type[ExplainedError], int]
DEFAULT_STATUS = 422


class NotFound(SigningServiceError):
    code = "not_found"

    def __init__(self) -> None:
        super().__init__(
            Text("没有这个页面,或您无权查看。", "There is no such page, or you may not see it."),
            advice=Text("请核对地址。", "Check the address."),
        )


class RequestInvalid(SigningServiceError):
    code = "request_invalid"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("请求的格式不正确。", "The request is malformed."),
            why=Text(zh, en),
            advice=Text("请按接口文档修正。", "Correct it as the API's documentation says."),
        )


class MethodRefused(SigningServiceError):
    code = "method_not_allowed"

    def __init__(self) -> None:
        super().__init__(Text("此地址不支持这种请求方法。", "This address does not take that method."))


class FileTooLarge(SigningServiceError):
    code = "file_too_large"

    def __init__(self, most_bytes: int) -> None:
        megabytes = most_bytes // 2**20
        super().__init__(
            Text("提交的内容太大。", "What was sent is too large."),
            why=Text(f"上限 {megabytes} MiB。", f"The limit is {megabytes} MiB."),
            advice=Text("请压缩或拆分文件后重试。", "Make the file smaller, or split it."),
        )


class OriginRefused(SigningServiceError):
    """A write that does not come from our own pages (DESIGN 4)."""

    code = "origin_refused"

    def __init__(self) -> None:
        super().__init__(
            Text("没有执行:请求不是从本站页面发出的。", "Nothing was done: the request did not come from our pages."),
            advice=Text("请从本站页面重新操作。", "Start again from our own page."),
        )


class TooManyAsked(SigningServiceError):
    """One client asks a public address too often."""

    code = "too_many_requests"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__(
            Text("查询过于频繁。", "Too many requests."), advice=Text("请稍后再试。", "Try again in a moment.")
        )


class Failure(SigningServiceError):
    """Something without a name went wrong on our side."""

    code = "internal_error"

    def __init__(self) -> None:
        super().__init__(
            Text("服务出错,您的操作可能没有完成。", "The service failed; what you did may not be complete."),
            advice=Text(
                "请稍后重试;如再次出现,请把请求号告诉运维人员。",
                "Try again; if it recurs, give the operator the request id.",
            ),
        )


STATUSES: Statuses = {
    NotFound: 404,
    MethodRefused: 405,
    RequestInvalid: 400,
    FileTooLarge: 413,
    OriginRefused: 403,
    Failure: 500,
    TokenRefused: 401,
    SessionEnded: 401,
    RoleMissing: 403,
    GrantRefused: 409,
    AlreadyThere: 409,
    Unknown: 404,
    BlobMissing: 500,
    BlobDamaged: 500,
    OutboundFailed: 502,
    OutboundRefused: 502,
    TokenError: 503,
    AgentUnknown: 401,
    ChallengeOver: 410,
    StatementRefused: 403,
    JobUnknown: 404,
    JobMoved: 409,
    NotOnDesk: 404,
    SealUnknown: 404,
    SealMoveNotAllowed: 409,
    SealNotUsable: 409,
    OrderRefused: 409,
    CustodyUnreachable: 503,
    TooManyAsked: 429,
    ApprovalError: 409,
    VisitOver: 401,
    CodeRefused: 403,
    RightMissing: 403,
    TooManyTries: 429,
    CopyNotFound: 404,
    TerminalUnknown: 403,
    CaseNotFound: 404,
    BatchUnknown: 404,
    CertificateUnknown: 404,
    MoveNotAllowed: 409,
    StepNotFound: 404,
    InProgress: 409,
    PlatformUnknown: 404,
    MatterNotAllowed: 403,
    RouteNotAllowed: 403,
    RouteInvalid: 422,
    RequestIncomplete: 422,
    MatterUnknown: 422,
    CallbackRefused: 422,
    PersonalNumbersUnprotected: 503,
}


def status_of(error: ExplainedError, statuses: Statuses) -> int:
    """By the nearest class that has a status."""
    return next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), DEFAULT_STATUS)


def install(app: FastAPI, statuses: Statuses) -> None:
    """Let this app answer errors here; `statuses` adds to ours."""
    known = {**STATUSES, **statuses}

    def explained(request: Request, error: Exception) -> Response:
        assert isinstance(error, ExplainedError)  # noqa: S101  # it is registered for these alone
        return answer(request, error, status_of(error, known))

    def http(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        return answer(request, _named(status), status, getattr(error, "headers", None))

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        where = ", ".join(sorted({".".join(str(part) for part in each["loc"]) for each in error.errors()}))
        return answer(request, RequestInvalid(f"有误的部分:{where}。", f"Wrong or missing: {where}."), 400)

    app.add_exception_handler(ExplainedError, explained)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def answer(request: Request, error: ExplainedError, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """A page where a page was asked for, a problem document otherwise."""
    if status >= 500 and not isinstance(error, Failure):
        _LOG.error("request %s: %s: %s", request_id(request), error.code, error)
    given: Response
    if not wants_page(request):
        given = problem(error, status, language_of(request), request_id=request_id(request))
    elif isinstance(error, SessionEnded) and request.method == "GET":
        given = RedirectResponse("/desk/login", status_code=303)
    else:
        given = render(request, "problem.html", status=status, error=error, request_id=request_id(request))
    if isinstance(error, TokenRefused):
        given.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if (wait := getattr(error, "retry_after_seconds", None)) is not None:
        given.headers["Retry-After"] = str(wait)
    given.headers.update(headers or {})
    return given


def answer_unnamed(request: Request, error: Exception) -> Response:
    """For an error that nobody named: its text goes to the log, the request id to the reader."""
    _LOG.error("request %s failed", request_id(request), exc_info=error)
    return answer(request, Failure(), 500)


def wants_page(request: Request) -> bool:
    """People's browsers name text/html first; addresses under /api never answer with a page."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(("/api/", "/agent/"))


def request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", "-"))


def _named(status: int) -> ExplainedError:
    if status == 404:
        return NotFound()
    if status == 405:
        return MethodRefused()
    return RequestInvalid(f"HTTP {status}。", f"HTTP {status}.")
