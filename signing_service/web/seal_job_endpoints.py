"""Departments' batches: POST /api/v1/seal-jobs, then GET for its course, its report and the sealed files.

A department has its own seals put on its own documents, under the holder's standing order; somebody else's seal or
job is not there (404). The job's row is made with its Idempotency-Key as its name: sent again it is the same job.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Form, Header, Request, Response, UploadFile
from pydantic import BaseModel, Field, ValidationError, model_validator

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.problems import language_of
from signing_service.pades import batch_report
from signing_service.pades.batch_book import BatchBook, BatchUnknown
from signing_service.pades.batch_folder import Found, as_items, duplicate
from signing_service.pades.batch_rules import Reason, batch_key
from signing_service.pades.batch_tables import BatchState, SealBatch
from signing_service.pades.placing import AnchorPlacing, AnyPlacing, FieldPlacing, FreeSpotPlacing, Placing, SeamPlacing
from signing_service.pades.request import Level
from signing_service.people.oauth import Caller
from signing_service.pki.rules import Actor
from signing_service.seals.register import SealUnknown
from signing_service.web.error_edge import NotFound, RequestInvalid

MOST_FILES, MOST_DOCUMENTS, PAGE = 1000, 10_000, 1000
NOT_A_PDF = Reason("not_a_pdf", Text("不是 PDF 文件,没有盖章。", "No PDF; not sealed."))
IdempotencyKey = Annotated[
    str,
    Header(alias="Idempotency-Key", min_length=8, max_length=64, pattern=r"^[0-9A-Za-z._-]+$",
           description="同一请求重试时不变"),
]  # fmt: skip


class JobKeyReused(SigningServiceError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            Text("这个 Idempotency-Key 已用于另一请求。", "This Idempotency-Key was used for another request."),
            advice=Text("新的请求请换新的值。", "Use a new key for a new request."),
        )


class JobFull(SigningServiceError):
    code = "seal_job_full"

    def __init__(self, most: int) -> None:
        super().__init__(
            Text(f"一次最多 {most} 份文件。", f"At most {most} documents."),
            advice=Text("请分成几个任务。", "Make several jobs of it."),
        )


class JobClosed(SigningServiceError):
    code = "seal_job_closed"

    def __init__(self) -> None:
        super().__init__(
            Text("该任务已开始,不能再加文件。", "The job has begun and takes no more documents."),
            advice=Text("请另建任务。", "Make another job."),
        )


class Place(BaseModel):
    """盖章位置:`corner` 为距页角的毫米数,`keyword` 为页面上的文字,`free` 为墨迹最少处,`field` 为文件中已有的空签名域,
    `edge` 为骑缝章(从 `first_page` 到 `last_page`,在 `side` 一侧,下缘距页底 `y_mm`)。"""

    kind: Literal["corner", "keyword", "free", "field", "edge"] = "corner"
    page: int = Field(-1, ge=-1000, le=1000)
    x_mm: float = Field(20, ge=0, le=2000)
    y_mm: float = Field(20, ge=0, le=2000)
    corner: Literal["lower-left", "lower-right", "upper-left", "upper-right"] = "lower-right"
    width_mm: float | None = Field(None, gt=0, le=2000)
    height_mm: float | None = Field(None, gt=0, le=2000)
    keyword: str = Field("", max_length=50)
    field: str = Field("", max_length=200)
    first_page: int = Field(0, ge=-1000, le=1000)
    last_page: int = Field(-1, ge=-1000, le=1000)
    side: Literal["left", "right"] = "right"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind in ("keyword", "field") and not getattr(self, self.kind).strip():
            raise ValueError(f"{self.kind} is empty")
        return self

    def as_placing(self) -> AnyPlacing:
        if self.kind == "keyword":
            return AnchorPlacing(self.keyword)
        if self.kind == "free":
            return FreeSpotPlacing(self.page)
        if self.kind == "field":
            return FieldPlacing(self.field)
        if self.kind == "edge":
            return SeamPlacing(self.first_page, self.last_page, self.y_mm, self.side)
        return Placing(self.page, self.x_mm, self.y_mm, self.width_mm, self.height_mm, self.corner)


@dataclass(frozen=True, slots=True)
class JobAsked:
    """What a client asks for, checked for its form. `name` makes it the same job again."""

    name: dict[str, str]
    asked: str
    seal_id: str
    document_type: str
    level: Level
    placing: AnyPlacing
    caller: Caller
    purpose: str


@dataclass(frozen=True, slots=True)
class SealJobParts:
    """`make` gives the row of a job, under the standing order that covers it, or raises; `wake` tells the workers."""

    book: BatchBook
    blobs: BlobStore
    authenticate: Callable[[Request], Caller]
    make: Callable[[JobAsked], SealBatch]
    wake: Callable[[str, int], None]


def router(parts: SealJobParts) -> APIRouter:
    """Every address authenticates."""
    routes = APIRouter(prefix="/api/v1/seal-jobs", tags=["批量盖章"])

    def caller_of(request: Request) -> Caller:
        return parts.authenticate(request)

    who = Depends(caller_of)

    @routes.post("", summary="提交批量盖章任务", status_code=202)
    def submit(
        request: Request,
        response: Response,
        key: IdempotencyKey,
        files: list[UploadFile],
        seal: Annotated[str, Form(max_length=64)],
        type: Annotated[str, Form(min_length=1, max_length=64, description="文种,与用印人的长期授权一致")],
        purpose: Annotated[str, Form(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")],
        matter: Annotated[str, Form(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._-]+$")],
        level: Annotated[Level, Form()] = Level.B_T,
        place: Annotated[str, Form(max_length=500, description="JSON,见 Place")] = "{}",
        more: Annotated[bool, Form(description="还要用 …/documents 追加文件")] = False,
        caller: Caller = who,
    ) -> dict[str, Any]:
        _check_seal(parts, caller, seal)
        found = _read(parts, files)
        given = [seal, type, purpose, matter, level, place, str(more), *(f"{f.name}:{f.source}" for f in found)]
        asked = JobAsked(
            {"client": caller.client_id, "key": key}, hashlib.sha256("\n".join(given).encode()).hexdigest(),
            seal, type, level, _place(place), caller, f"{matter}: {purpose}",
        )  # fmt: skip
        batch = parts.book.of_key(batch_key(asked.name))
        if batch is not None and batch.asked != asked.asked:
            raise JobKeyReused
        batch = batch or parts.book.open(parts.make(asked))
        _enter(parts, batch, found, more=more, first=True)
        response.headers["Location"] = f"/api/v1/seal-jobs/{batch.id}"
        return _view(parts, batch.id, request)

    @routes.post("/{job}/documents", summary="追加文件", status_code=202)
    def add(
        job: str, request: Request, files: list[UploadFile], more: Annotated[bool, Form()] = False, caller: Caller = who
    ) -> dict[str, Any]:
        batch = _own(parts, caller, job)
        if batch.state != BatchState.OPEN:
            raise JobClosed
        _enter(parts, batch, _read(parts, files), more=more, first=False)
        return _view(parts, job, request)

    @routes.get("/{job}", summary="任务的进展")
    def show(job: str, request: Request, after: int = -1, caller: Caller = who) -> dict[str, Any]:
        """Counts, why it waits if it does, and a page of documents after a position."""
        _own(parts, caller, job)
        page = parts.book.items(job, after=after, most=PAGE)
        rows = [
            batch_report.row(item, language_of(request)) | {"position": item.position, "output": ""} for item in page
        ]
        following = page[-1].position if len(page) == PAGE else None
        return _view(parts, job, request) | {"documents": rows, "next_after": following}

    @routes.get("/{job}/report.csv", summary="结果报表(CSV)")
    def report(job: str, request: Request, caller: Caller = who) -> Response:
        _own(parts, caller, job)
        text = batch_report.as_csv(parts.book.items(job), language_of(request))
        return Response(text.encode(), media_type="text/csv; charset=utf-8")

    @routes.get("/{job}/documents/{position}", summary="取回盖章文件")
    def fetch(job: str, position: int, caller: Caller = who) -> Response:
        batch = _own(parts, caller, job)
        item = next(iter(parts.book.items(job, after=position - 1, most=1)), None)
        if item is None or item.position != position or not item.result:
            raise NotFound
        _log(parts, batch, caller, item.result)
        headers = {"ETag": f'"{item.result}"'}
        return Response(parts.blobs.get(item.result), media_type="application/pdf", headers=headers)

    return routes


def _check_seal(parts: SealJobParts, caller: Caller, seal_id: str) -> None:
    """A department's own seal; another's is as if it were not there, and the refusal is logged."""
    register = parts.book.register
    with register.logged("batch.opened", seal_id[:64], _actor(caller)) as session:
        if register.find(session, seal_id).department != caller.department_id:
            raise SealUnknown(seal_id)


def _own(parts: SealJobParts, caller: Caller, job: str) -> SealBatch:
    batch = parts.book.find(job)
    if batch.department != caller.department_id or batch.actor != _actor(caller).id:
        raise BatchUnknown(job)
    return batch


def _read(parts: SealJobParts, files: Sequence[UploadFile]) -> list[Found]:
    if len(files) > MOST_FILES:
        raise JobFull(MOST_FILES)
    found = []
    for file in files:
        content, name = file.file.read(), _file_name(file.filename or "")
        is_pdf = b"%PDF-" in content[:1024]
        source = parts.blobs.put(content) if is_pdf else hashlib.sha256(content).hexdigest()
        found.append(Found(name, None if is_pdf else NOT_A_PDF, not is_pdf, source, len(content)))
    return found


def _enter(parts: SealJobParts, batch: SealBatch, found: Sequence[Found], *, more: bool, first: bool) -> None:
    """The documents, each content once, and the workers woken when no more are to come."""
    before = [] if first else parts.book.items(batch.id)
    seen = {item.source: item.name for item in before}
    entries = []
    for number, entry in enumerate(found):
        name = f"{len(before) + number + 1:05d}-{entry.name}"
        reason = duplicate(seen[entry.source]) if entry.source in seen else entry.reason
        seen.setdefault(entry.source, name)
        entries.append(Found(name, reason, entry.refused, entry.source, entry.size))
    if len(before) + len(entries) > MOST_DOCUMENTS:
        raise JobFull(MOST_DOCUMENTS)
    parts.book.add(as_items(batch.id, entries, beside=True, known=len(before)))
    if not more:
        if batch.state == BatchState.OPEN:
            parts.book.start(batch.id)
        parts.wake(batch.id, len(before) + len(entries))


def _view(parts: SealJobParts, job: str, request: Request) -> dict[str, Any]:
    batch = parts.book.find(job)
    return batch_report.summary(batch, parts.book.counts(job), language_of(request))


def _place(text: str) -> AnyPlacing:
    try:
        return Place.model_validate_json(text).as_placing()
    except ValidationError as failure:
        raise RequestInvalid("place 不符合格式。", "place is malformed.") from failure


def _file_name(given: str) -> str:
    """The last part of what the client called it, without control characters."""
    name = re.split(r"[\\/]", given)[-1]
    return re.sub(r"[\x00-\x1f]", "", name)[-120:] or "document.pdf"


def _log(parts: SealJobParts, batch: SealBatch, caller: Caller, digest: str) -> None:
    register = parts.book.register
    act = Act("seal.batch.fetched", _actor(caller).id, f"seal:{batch.seal_id}", caller.department_id, digest=digest,
              details={"batch": batch.id})  # fmt: skip
    with register.database.write() as session:
        register.audit.record(session, act, register.clock.now())


def _actor(caller: Caller) -> Actor:
    return Actor(f"client:{caller.client_id}", department=caller.department_id)
