"""The reviewer's desk: lists, one document with all its pages, and lists that wait for the USB key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from signing_service.agent.page_images import page_count, page_image
from signing_service.agent.protocol import MOST_JOBS
from signing_service.channel.delivery import Delivery
from signing_service.channel.rules import JOB_WORDS, OPEN, JobState
from signing_service.channel.signature_jobs import SignatureJob
from signing_service.errors import Language
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.opinions import keep_opinion, opinions_of
from signing_service.people.sessions import LoggedIn
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.desk_ports import DESK_LISTS, Casebook, DeskItem, DeskList
from signing_service.web.error_edge import NotFound, RequestInvalid

PICTURE_DPI = 110
MOST_REASON = 300
PICTURE_HEADERS = {"Cache-Control": "private, max-age=600"}


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What the desk stands on."""

    browsers: BrowserSessions
    casebook: Casebook
    delivery: Delivery
    database: Database
    clock: Clock


def router(parts: DeskParts) -> APIRouter:
    """All pages below /desk but those of log-in."""
    routes = APIRouter(tags=["desk"])
    _add_lists(routes, parts)
    _add_document(routes, parts)
    _add_acts(routes, parts)
    _add_batches(routes, parts)
    return routes


def _add_lists(routes: APIRouter, parts: DeskParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/desk")
    def desk(request: Request, who: officer, which: DeskList = DeskList.PENDING) -> Response:
        items = parts.casebook.items(who, which)
        waiting = parts.delivery.open_batch(who.officer)
        with parts.database.read() as session:
            opinions = opinions_of(session, who.officer)
        return render(
            request, "desk.html", who=who, items=items, which=which, lists=DESK_LISTS, opinions=opinions,
            waiting=waiting, most=MOST_JOBS,
        )  # fmt: skip


def _add_document(routes: APIRouter, parts: DeskParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/desk/documents/{reference}")
    def document(request: Request, who: officer, reference: str) -> Response:
        item = parts.casebook.item(who, reference)
        content = parts.casebook.document(who, reference)
        before, after = _neighbours(parts.casebook.items(who, DeskList.PENDING), reference)
        with parts.database.read() as session:
            opinions = opinions_of(session, who.officer)
        return render(
            request, "document.html", who=who, item=item, pages=page_count(content), before=before, after=after,
            place=parts.casebook.place(who, reference) if item.can_sign else None, opinions=opinions,
        )  # fmt: skip

    @routes.get("/desk/documents/{reference}/pages/{number}.png", response_class=Response)
    def picture(who: officer, reference: str, number: int) -> Response:
        content = parts.casebook.document(who, reference)
        if not 1 <= number <= page_count(content):
            raise NotFound
        picture = page_image(content, number - 1, dpi=PICTURE_DPI)
        return Response(picture, media_type="image/png", headers=PICTURE_HEADERS)

    @routes.get("/desk/documents/{reference}/file.pdf", response_class=Response)
    def file(who: officer, reference: str) -> Response:
        return Response(parts.casebook.document(who, reference), media_type="application/pdf")

    @routes.post("/desk/documents/{reference}/read")
    def read(request: Request, who: officer, reference: str) -> Response:
        parts.casebook.mark_read(who, reference)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"read": True})
        return RedirectResponse(f"/desk/documents/{reference}", status_code=303)


def _add_acts(routes: APIRouter, parts: DeskParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.post("/desk/documents/{reference}/return")
    def send_back(who: officer, reference: str, reason: Annotated[str, Form(max_length=MOST_REASON)]) -> Response:
        following = _neighbours(parts.casebook.items(who, DeskList.PENDING), reference)[1]
        parts.casebook.send_back(who, reference, _required(reason))
        return RedirectResponse(f"/desk/documents/{following}" if following else "/desk", status_code=303)

    @routes.post("/desk/documents/{reference}/withdraw")
    def withdraw(who: officer, reference: str, reason: Annotated[str, Form(max_length=MOST_REASON)]) -> Response:
        parts.casebook.withdraw(who, reference, _required(reason))
        return RedirectResponse(f"/desk/documents/{reference}", status_code=303)

    @routes.post("/desk/documents/{reference}/delegate")
    def delegate(
        who: officer,
        reference: str,
        to: Annotated[str, Form(max_length=64)],
        first: Annotated[date, Form()],
        last: Annotated[date, Form()],
        reason: Annotated[str, Form(max_length=MOST_REASON)],
    ) -> Response:
        parts.casebook.delegate(who, reference, to.strip(), first, last, _required(reason))
        return RedirectResponse(f"/desk/documents/{reference}", status_code=303)


def _add_batches(routes: APIRouter, parts: DeskParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.post("/desk/batches")
    def freeze(
        who: officer,
        reference: Annotated[list[str] | None, Form()] = None,
        opinion: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        chosen = list(dict.fromkeys(reference or []))
        if not 1 <= len(chosen) <= MOST_JOBS:
            raise RequestInvalid(f"请选择 1 至 {MOST_JOBS} 份。", f"Choose 1 to {MOST_JOBS} documents.")
        jobs = [parts.casebook.prepare(who, each, _required(opinion)) for each in chosen]
        batch = parts.delivery.submit_batch(jobs)
        with parts.database.write() as session:
            keep_opinion(session, who.officer, opinion, parts.clock.now())
        return RedirectResponse(f"/desk/batches/{batch.id}", status_code=303)

    @routes.get("/desk/batches/{batch_id}")
    def batch(request: Request, who: officer, batch_id: str) -> Response:
        found, jobs = parts.delivery.batch(who.officer, batch_id)
        rows = [_row(job, language_of(request)) for job in jobs]
        return render(request, "batch.html", who=who, batch=found, rows=rows, done=_done(jobs))

    @routes.get("/desk/batches/{batch_id}/state")
    def state(request: Request, who: officer, batch_id: str) -> JSONResponse:
        _, jobs = parts.delivery.batch(who.officer, batch_id)
        return JSONResponse({"rows": [_row(job, language_of(request)) for job in jobs], **_done(jobs)})

    @routes.post("/desk/batches/{batch_id}/cancel")
    def cancel(who: officer, batch_id: str) -> Response:
        _, jobs = parts.delivery.batch(who.officer, batch_id)
        for job in jobs:
            if job.state in OPEN:
                parts.delivery.cancel(who.officer, job.id)
        return RedirectResponse("/desk", status_code=303)


def _row(job: SignatureJob, language: Language) -> dict[str, str]:
    """One document of a frozen list as page and script show it."""
    reason = job.failure_text[0 if language == "zh" else -1] if job.failure_text else ""
    return {
        "job": job.id, "reference": job.reference, "title": job.title, "state": str(job.state),
        "words": JOB_WORDS[JobState(job.state)].in_(language), "reason": reason,
    }  # fmt: skip


def _done(jobs: Sequence[SignatureJob]) -> dict[str, int]:
    states = [job.state for job in jobs]
    return {
        "total": len(states),
        "completed": states.count(JobState.COMPLETED),
        "open": sum(state in OPEN or state == JobState.SIGNED for state in states),
    }


def _neighbours(items: Sequence[DeskItem], reference: str) -> tuple[str | None, str | None]:
    """The references before and after this one on the list."""
    references = [item.reference for item in items]
    if reference not in references:
        return None, references[0] if references else None
    index = references.index(reference)
    before = references[index - 1] if index else None
    return before, references[index + 1] if index + 1 < len(references) else None


def _required(text: str) -> str:
    if not text.strip():
        raise RequestInvalid("请填写意见或原因。", "Give an opinion or a reason.")
    return text.strip()
