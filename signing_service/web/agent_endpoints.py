"""The agent's addresses under /agent/v1. Every reply is signed with the server's key over the request's own nonce.

The agent asks, we answer: nothing is ever pushed. A request for work waits up to 25 s; all waiting agents of a process
share one look at the database every half second.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from signing_service.agent.messages import FrozenList, ListedJob, decoded, encoded
from signing_service.agent.protocol import VERSIONS, WAIT_SECONDS, common_version
from signing_service.channel.delivery import Delivery
from signing_service.channel.login import Logins
from signing_service.channel.pairing import KnownAgent, Pairings
from signing_service.channel.server_identity import ServerIdentity
from signing_service.channel.signature_jobs import SignatureJob, spot_from_row
from signing_service.errors import ExplainedError, SigningServiceError, Text
from signing_service.pdf.prepared import PreparedSignature
from signing_service.web.error_edge import STATUSES, RequestInvalid, answer, status_of

NONCE, SIGNATURE, AGENT = "x-zhengyin-nonce", "x-zhengyin-signature", "x-zhengyin-agent"
LOOK_EVERY_SECONDS = 0.5


class NoCommonVersion(SigningServiceError):
    code = "version_unsupported"

    def __init__(self) -> None:
        super().__init__(
            Text("签名助手的版本与服务器不兼容。", "The agent and this server have no version in common."),
            advice=Text("请升级签名助手。", "Update the agent."),
        )


class Hello(BaseModel):
    versions: list[int] = Field(max_length=20)


class PairingProof(BaseModel):
    nonce: str = Field(max_length=64)
    certificate: str = Field(max_length=20_000)
    signature: str = Field(max_length=2_000)
    device: str = Field(default="", max_length=100)


class TypedCode(BaseModel):
    code: str = Field(max_length=40)


class LoginProof(BaseModel):
    session: str = Field(max_length=64)
    certificate: str = Field(max_length=20_000)
    signature: str = Field(max_length=2_000)


class MadeSignature(BaseModel):
    certificate: str = Field(max_length=20_000)
    signature: str = Field(max_length=2_000)


class NotSigned(BaseModel):
    code: str = Field(max_length=64)
    text: list[str] = Field(max_length=2)


@dataclass(frozen=True, slots=True)
class AgentParts:
    """What the agent's addresses stand on. `server_name` is what the officer reads in the agent."""

    identity: ServerIdentity
    pairings: Pairings
    logins: Logins
    delivery: Delivery
    server_name: str


def router(parts: AgentParts) -> APIRouter:
    """All of the agent's addresses."""
    routes = APIRouter(prefix="/agent/v1", tags=["agent"], route_class=_signed_route(parts.identity))
    _add_introduction(routes, parts)
    _add_login(routes, parts)
    _add_work(routes, parts)
    return routes


def _add_introduction(routes: APIRouter, parts: AgentParts) -> None:
    @routes.post("/hello")
    def hello(offered: Hello) -> JSONResponse:
        version = common_version(offered.versions)
        if version is None:
            raise NoCommonVersion
        content = {
            "version": version, "versions": list(VERSIONS), "name": parts.server_name,
            "origin": parts.pairings.origin, "server_key": encoded(parts.identity.public),
        }  # fmt: skip
        return JSONResponse(content)

    @routes.post("/pairing")
    def begin() -> JSONResponse:
        return JSONResponse({"nonce": parts.pairings.begin()})

    @routes.post("/pairing/proof")
    def finish(proof: PairingProof) -> JSONResponse:
        certificate, signature = _bytes(proof.certificate), _bytes(proof.signature)
        made = parts.pairings.finish(proof.nonce, certificate, signature, proof.device)
        return JSONResponse({"agent": made.agent, "secret": made.secret, "name": made.name})


def _add_login(routes: APIRouter, parts: AgentParts) -> None:
    @routes.post("/login")
    def ticket(request: Request) -> JSONResponse:
        agent = _agent(request, parts)
        address = f"{parts.logins.origin}/desk/login?ticket={parts.logins.ticket(agent)}"
        return JSONResponse({"address": address})

    @routes.post("/login/code")
    def code(request: Request, typed: TypedCode) -> JSONResponse:
        challenge = parts.logins.challenge(_agent(request, parts), typed.code)
        return JSONResponse({"origin": challenge.origin, "session": challenge.session, "nonce": challenge.nonce})

    @routes.post("/login/proof")
    def proof(request: Request, given: LoginProof) -> JSONResponse:
        agent = _agent(request, parts)
        parts.logins.prove(agent, given.session, _bytes(given.certificate), _bytes(given.signature))
        return JSONResponse({"logged_in": True})


def _add_work(routes: APIRouter, parts: AgentParts) -> None:
    waiting = WaitingAgents(parts.delivery)

    @routes.get("/work")
    async def work(request: Request, wait: int = WAIT_SECONDS) -> JSONResponse:
        agent = await run_in_threadpool(_agent, request, parts)
        if not await waiting.wait(agent.officer, min(max(wait, 0), WAIT_SECONDS), request):
            return JSONResponse({"batch": None})
        batch = await run_in_threadpool(parts.delivery.open_batch, agent.officer)
        return JSONResponse({"batch": None if batch is None else batch.id})

    @routes.get("/batches/{batch_id}")
    def batch(request: Request, batch_id: str) -> JSONResponse:
        agent = _agent(request, parts)
        found, jobs = parts.delivery.batch(agent.officer, batch_id)
        return JSONResponse(FrozenList(found.id, tuple(_listed(job) for job in jobs)).as_json())

    @routes.post("/jobs/{job_id}/document")
    def document(request: Request, job_id: str) -> Response:
        handed = parts.delivery.hand_over(_agent(request, parts).officer, job_id)
        return Response(handed.prepared.document, media_type="application/pdf")

    @routes.get("/jobs/{job_id}/original")
    def original(request: Request, job_id: str) -> Response:
        content = parts.delivery.original(_agent(request, parts).officer, job_id)
        return Response(content, media_type="application/pdf")

    @routes.post("/jobs/{job_id}/consent")
    def consent(request: Request, job_id: str) -> JSONResponse:
        until = parts.delivery.consent(_agent(request, parts).officer, job_id)
        return JSONResponse({"until": until.isoformat()})

    @routes.post("/jobs/{job_id}/signature")
    def signature(request: Request, job_id: str, made: MadeSignature) -> JSONResponse:
        officer = _agent(request, parts).officer
        value, certificate = _bytes(made.signature), _bytes(made.certificate)
        return JSONResponse({"digest": parts.delivery.take_back(officer, job_id, value, certificate)})

    @routes.post("/jobs/{job_id}/refusal")
    def refusal(request: Request, job_id: str, given: NotSigned) -> JSONResponse:
        parts.delivery.refuse(_agent(request, parts).officer, job_id, given.code, given.text)
        return JSONResponse({"noted": True})


class WaitingAgents:
    """One look at the database for all agents that wait in this process; used within its event loop alone."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._found: frozenset[str] = frozenset()
        self._asked = float("-inf")
        self._asking = False

    async def wait(self, officer: str, seconds: float, request: Request) -> bool:
        """True as soon as the officer has something to sign; False after `seconds`, or when nobody waits any more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            if loop.time() - self._asked >= LOOK_EVERY_SECONDS and not self._asking:
                await self._look(loop.time())
            if officer in self._found:
                return True
            if loop.time() >= deadline or await request.is_disconnected():
                return False
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _look(self, now: float) -> None:
        self._asking = True
        try:
            self._found = await run_in_threadpool(self._delivery.officers_waiting)
            self._asked = now
        finally:
            self._asking = False


def _listed(job: SignatureJob) -> ListedJob:
    field = PreparedSignature.from_json(job.prepared, b"").field
    return ListedJob(
        job=job.id, digest=job.document, title=job.title, asked_by=job.asked_by, opinion=job.opinion,
        state=job.state, field=field, spot=spot_from_row(job.spot), texts=job.texts, prepared=job.prepared,
        certificate=hashlib.sha256(job.certificate).hexdigest(),
    )  # fmt: skip


def _agent(request: Request, parts: AgentParts) -> KnownAgent:
    """Whose agent asks: `X-Zhengyin-Agent: id:secret`. Raises AgentUnknown."""
    id, _, secret = request.headers.get(AGENT, "").partition(":")
    return parts.pairings.agent(id, secret)


def _bytes(text: str) -> bytes:
    try:
        return decoded(text)
    except ValueError as failure:
        raise RequestInvalid("base64 有误。", "The base64 is malformed.") from failure


def _signed_route(identity: ServerIdentity) -> type[APIRoute]:
    """Routes whose replies, refusals included, are signed."""

    class SignedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def signed(request: Request) -> Response:
                try:
                    reply = await handle(request)
                except ExplainedError as error:
                    reply = answer(request, error, status_of(error, STATUSES))
                except RequestValidationError:
                    reply = answer(request, RequestInvalid("消息格式有误。", "The message is malformed."), 400)
                nonce, body = request.headers.get(NONCE, "")[:64], bytes(reply.body)
                reply.headers[SIGNATURE] = identity.sign_reply(
                    request.method, request.url.path, nonce, reply.status_code, body
                )
                return reply

            return signed

    return SignedRoute
