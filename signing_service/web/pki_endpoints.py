"""TSA, OCSP and CRL over HTTP for anybody's client (RFC 3161 3.4, RFC 6960 appendix A, RFC 5280 4.2.1.13).

Whatever is sent, the answer is the protocol's own; a body that is too large is 413, a client that asks too often 429.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from signing_service.errors import ExplainedError
from signing_service.pki import ocsp_response, timestamping
from signing_service.pki.crl_partitions import WHOLE, name_and_partition
from signing_service.pki.rate_limit import RateLimit
from signing_service.pki.timestamp_request import FailureInfo

_LOG = logging.getLogger(__name__)
LARGEST_BODY = 16 * 1024
NO_STORE = {"Cache-Control": "no-store"}
OCSP_TYPE, TIMESTAMP_TYPE = "application/ocsp-response", "application/timestamp-reply"
CRL_TYPE, CERTIFICATE_TYPE = "application/pkix-crl", "application/pkix-cert"


class Responder(Protocol):
    def respond(self, request: bytes) -> bytes: ...


class Crls(Protocol):
    def crl(self, name: str, partition: int = WHOLE) -> bytes | None: ...

    def delta(self, name: str) -> bytes | None: ...

    def certificate(self, name: str) -> bytes | None: ...


def router(tsa: Responder, ocsp: Responder, crls: Crls, *, limit: RateLimit | None = None) -> APIRouter:
    """The public PKI addresses: POST /tsa, POST /ocsp, GET /ocsp/{base64}, GET /crl/{issuer}.crl (-p1.crl, -delta.crl),
    GET /ca/{issuer}.cer. `limit` is asked with the client's address."""
    routes = APIRouter(tags=["pki"])

    @routes.post("/tsa", response_class=Response)
    async def timestamp(request: Request) -> Response:
        failed = timestamping.rejection(FailureInfo.SYSTEM_FAILURE, "internal error")
        return await _answer(request, limit, tsa.respond, TIMESTAMP_TYPE, failed)

    @routes.post("/ocsp", response_class=Response)
    async def ocsp_post(request: Request) -> Response:
        failed = ocsp_response.failure(ocsp_response.Failure.INTERNAL_ERROR)
        return await _answer(request, limit, ocsp.respond, OCSP_TYPE, failed)

    @routes.get("/ocsp/{encoded:path}", response_class=Response)
    def ocsp_get(request: Request, encoded: str) -> Response:
        if _is_over(limit, request):
            return _too_many()
        raw = _decoded(request.scope.get("raw_path", b""), encoded)
        failed = ocsp_response.failure(ocsp_response.Failure.INTERNAL_ERROR)
        return _reply(_guarded(ocsp.respond, raw, failed), OCSP_TYPE)

    @routes.get("/crl/{name}.crl", response_class=Response)
    def crl(name: str) -> Response:
        try:
            found = _named_list(crls, name)
        except ExplainedError as trouble:
            _LOG.error("the CRL of %s cannot be signed: %s", name, trouble.code)
            return Response(status_code=503, headers={"Retry-After": "60"})
        return _found(found, CRL_TYPE)

    @routes.get("/ca/{name}.cer", response_class=Response)
    def certificate(name: str) -> Response:
        return _found(crls.certificate(name), CERTIFICATE_TYPE)

    return routes


def _named_list(crls: Crls, name: str) -> bytes | None:
    """`issuing` is the whole list, `issuing-p3` a partition, `issuing-delta` what changed."""
    if name.endswith("-delta"):
        return crls.delta(name.removesuffix("-delta"))
    return crls.crl(*name_and_partition(name))


async def _answer(
    request: Request, limit: RateLimit | None, respond: Callable[[bytes], bytes], media_type: str, failed: bytes
) -> Response:
    if _is_over(limit, request):
        return _too_many()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return Response(b"", 413, headers={"Connection": "close"})
    return _reply(await run_in_threadpool(_guarded, respond, bytes(body), failed), media_type)


def _guarded(respond: Callable[[bytes], bytes], body: bytes, failed: bytes) -> bytes:
    """The protocol's own words for a fault of ours, with the cause in the log: a client cannot read a 500."""
    try:
        return respond(body)
    except Exception:
        _LOG.exception("a PKI endpoint failed")
        return failed


def _decoded(raw_path: bytes, encoded: str) -> bytes:
    """The request in a GET address: base64, percent-encoded or not; the raw path keeps doubled slashes."""
    _, found, rest = raw_path.partition(b"/ocsp/")
    text = unquote_to_bytes(rest.partition(b"?")[0]) if found else encoded.encode()
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_over(limit: RateLimit | None, request: Request) -> bool:
    return limit is not None and not limit.allows(request.client.host if request.client else "-")


def _reply(content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers=NO_STORE)


def _found(content: bytes | None, media_type: str) -> Response:
    return Response(status_code=404) if content is None else _reply(content, media_type)


def _too_many() -> Response:
    return Response(b"", 429, headers={"Retry-After": "1"})
