"""/registry/bulk: a file of licences, validated as a whole with a report by row; then issued by the worker."""

import tempfile
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from cert_registry.errors import ExplainedError, Text
from cert_registry.licences import bulk
from cert_registry.licences.bulk_files import READERS, rows_of
from cert_registry.licences.catalogue import LicenceType
from cert_registry.web.files import read_upload
from cert_registry.web.officer_desk import AUDITOR, OfficerDesk, actor_of
from cert_registry.web.statuses import RequestInvalid, status_of
from signing_service.kernel.clock import local
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.sessions import LoggedIn

MOST_SHOWN, JOBS_SHOWN = 100, 50


def bulk_pages(desk: OfficerDesk) -> APIRouter:
    """Upload, the list of jobs, one job."""
    routes = APIRouter(prefix="/registry/bulk")
    _add_start(routes, desk)
    _add_watch(routes, desk)
    return routes


def _add_start(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.clerk)]

    @routes.post("")
    def start(
        request: Request, who: officer, type: Annotated[str, Form(max_length=64)] = "",
        file: Annotated[UploadFile | None, File()] = None,
    ) -> Response:  # fmt: skip
        try:
            kind = desk.kind(who, type, desk.parts.clock.now())
            if file is None or not file.filename:
                raise RequestInvalid(Text("请选择文件。", "Choose a file."))
            with tempfile.TemporaryDirectory() as folder:
                path = _kept(desk, file, Path(folder))
                wrong = list(islice(bulk.validate(rows_of(path, kind), kind), MOST_SHOWN + 1))
                job = "" if wrong else _started(desk, who, kind, path)
        except ExplainedError as refusal:
            return _page(request, desk, who, refusal=refusal, chosen=type)
        if wrong:
            return _page(request, desk, who, wrong=wrong, chosen=type)
        return RedirectResponse(f"/registry/bulk/{job}", status_code=303)


def _add_watch(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.reader)]

    @routes.get("")
    def jobs(request: Request, who: officer) -> Response:
        return _page(request, desk, who)

    @routes.get("/{job_id}")
    def job(request: Request, who: officer, job_id: str) -> Response:
        issuing = desk.parts.issuing
        with desk.parts.database.read() as session:
            row = session.get(bulk.BulkJob, job_id[:32])
            if row is None or (AUDITOR not in who.roles and row.issuer_code not in desk.codes(session, who)):
                raise bulk.BulkJobUnknown
        counted = bulk.progress(issuing, row.id)
        return render(
            request, "registry/desk_bulk_job.html", who=who, job=row, counted=counted, total=counted.total(),
            kind=desk.parts.catalogue.get(row.type_code), failures=bulk.failures(issuing, row.id)[:MOST_SHOWN],
        )  # fmt: skip

    @routes.post("/{job_id}/retry")
    def retry(who: Annotated[LoggedIn, Depends(desk.clerk)], job_id: str) -> Response:
        with desk.parts.database.write() as session:
            row = session.get(bulk.BulkJob, job_id[:32])
            if row is None or row.issuer_code not in desk.codes(session, who):
                raise bulk.BulkJobUnknown
            bulk.wait_again(session, row, actor_of(who), desk.parts.clock.now())
        desk.wake_bulk()
        return RedirectResponse(f"/registry/bulk/{job_id}", status_code=303)


def _kept(desk: OfficerDesk, file: UploadFile, folder: Path) -> Path:
    """The upload as a file for the time of reading; it holds holders' numbers and is gone afterwards."""
    ending = Path(file.filename or "").suffix.lower()
    if ending not in READERS:
        endings = "、".join(READERS)
        raise RequestInvalid(Text(f"请上传 {endings} 文件。", f"Upload one of: {', '.join(READERS)}."))
    path = folder / f"rows{ending}"
    path.write_bytes(read_upload(file, desk.parts.settings.most_upload_bytes))
    return path


def _started(desk: OfficerDesk, who: LoggedIn, kind: LicenceType, path: Path) -> str:
    parts, now, body = desk.parts, desk.parts.clock.now(), desk.body(who)
    with parts.database.write() as session:
        job = bulk.start(session, parts.vault, kind, rows_of(path, kind), body, local(now).date(), actor_of(who), now)
    desk.wake_bulk()
    return job


def _page(
    request: Request, desk: OfficerDesk, who: LoggedIn, *, refusal: ExplainedError | None = None,
    wrong: list[bulk.RowProblem] | None = None, chosen: str = "",
) -> Response:  # fmt: skip
    now, language = desk.parts.clock.now(), language_of(request)
    acts = AUDITOR not in who.roles
    with desk.parts.database.read() as session:
        codes = desk.codes(session, who) if acts else bulk.issuers(session)
        rows = bulk.jobs_of(session, codes, JOBS_SHOWN)
    shown: list[dict[str, Any]] = [
        {
            "job": row, "kind": desk.parts.catalogue.get(row.type_code).name.in_(language),
            "counted": bulk.progress(desk.parts.issuing, row.id),
        }
        for row in rows
    ]  # fmt: skip
    status = status_of(refusal) if refusal else 422 if wrong else 200
    return render(
        request, "registry/desk_bulk.html", status=status, who=who, acts=acts, jobs=shown, error=refusal,
        wrong=[(one.row, one.error) for one in (wrong or [])[:MOST_SHOWN]], more=len(wrong or []) > MOST_SHOWN,
        kinds=desk.kinds(who, now) if acts else [], chosen=chosen,
    )  # fmt: skip
