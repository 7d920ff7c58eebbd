"""The applicant's page (/case): enter by case number and query code, see the course, take documents home, print them.

All of it works without scripts. Rights are the query code's; each use is logged under the person it was given to.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from cert_registry.errors import ExplainedError
from cert_registry.web.case_documents import COPIES, document, documents_of, printable
from cert_registry.web.case_view import case_context
from cert_registry.web.case_visits import Visits
from cert_registry.web.downloads import pdf_download
from cert_registry.web.parts import ApplicantParts, RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.shelf import Shelf
from cert_registry.web.statuses import status_of
from signing_service.approvals.access import as_actor, give_sub_code, use, withdraw_sub_code
from signing_service.approvals.code_sessions import Visit, VisitOver
from signing_service.approvals.course_view import view_case
from signing_service.approvals.query_codes import Right
from signing_service.kernel.pages import render
from signing_service.printing.errors import CopyNotFound
from signing_service.printing.handing_out import hand_out
from signing_service.printing.ledger import PrintCopy

SHORT = 100


def case_pages(parts: RegistryParts, applicants: ApplicantParts, access: PublicAccess, shelf: Shelf) -> APIRouter:
    """Routes below /case."""
    routes = APIRouter(include_in_schema=False)
    visits, work, printing = Visits(applicants, "case"), applicants.work, applicants.printing

    def show(request: Request, visit: Visit, problem: ExplainedError | None = None, **more: object) -> Response:
        context = case_context(parts, applicants, visit)
        status = 200 if problem is None else status_of(problem)
        return render(
            request, "registry/case.html", status=status, problem=problem, **{"fresh": None, **context, **more}
        )

    @routes.get("/case")
    def start(request: Request) -> Response:
        try:
            return show(request, visits.current(request))
        except VisitOver:
            return render(request, "registry/case_enter.html", problem=None, number="")

    @routes.post("/case")
    def enter(
        request: Request,
        number: Annotated[str, Form(max_length=SHORT)] = "",
        code: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        access.count(request)
        reply = RedirectResponse("/case", status_code=303)
        try:
            visits.begin(request, reply, number, code)
        except ExplainedError as refusal:
            status = status_of(refusal)
            return render(request, "registry/case_enter.html", status=status, problem=refusal, number=number)
        return reply

    @routes.post("/case/leave")
    def leave(request: Request) -> Response:
        visits.require_origin(request)
        reply = RedirectResponse("/case", status_code=303)
        visits.end(request, reply)
        return reply

    @routes.get("/case/download/{which}")
    def before_download(request: Request, which: str) -> Response:
        visit = visits.current(request)
        with parts.database.read() as session:
            found = document(documents_of(parts, session, view_case(work, visit.access.case_id)), which)
        return render(request, "registry/case_download.html", document=found)

    @routes.get("/case/file/{which}")
    def download(request: Request, which: str) -> Response:
        visit = visits.current(request)
        with parts.database.read() as session:
            found = document(documents_of(parts, session, view_case(work, visit.access.case_id)), which)
        use(work, visit.access, Right.DOWNLOAD, document=found.subject)
        return pdf_download(found.read(parts).content, found.file_name)

    @routes.post("/case/print")
    def print_(
        request: Request,
        which: Annotated[str, Form(max_length=SHORT)] = "",
        purpose: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        visit = visits.current(request)
        try:
            with parts.database.read() as session:
                found = printable(documents_of(parts, session, view_case(work, visit.access.case_id)), which)
            use(work, visit.access, Right.PRINT, document=found.subject)
            by = as_actor(visit.access).id
            printing.ledger.open(found.subject, COPIES, "process:portal")
            made = hand_out(printing.ledger, found.read(parts), printing.make, by, purpose=purpose.strip())
        except VisitOver:
            raise
        except ExplainedError as refusal:
            return show(request, visit, refusal)
        kept = shelf.put(made.content, parts.clock.now())
        return RedirectResponse(f"/case/copy/{made.copy.serial}?kept={kept}", status_code=303)

    @routes.get("/case/copy/{serial}")
    def copy(request: Request, serial: str, kept: str) -> Response:
        found = _own_copy(parts, applicants, visits.current(request), serial)
        return render(request, "registry/case_copy.html", copy=found, kept=kept)

    @routes.get("/case/copy/{serial}/file")
    def copy_file(request: Request, serial: str, kept: str) -> Response:
        found = _own_copy(parts, applicants, visits.current(request), serial)
        content = shelf.get(kept, parts.clock.now())
        return pdf_download(content, f"打印件 {found.serial}.pdf")

    @routes.post("/case/void")
    def void(
        request: Request,
        serial: Annotated[str, Form(max_length=SHORT)] = "",
        reason: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        visit = visits.current(request)
        try:
            found = _own_copy(parts, applicants, visit, serial)
            use(work, visit.access, Right.PRINT, voided=found.serial)
            printing.ledger.void(found.serial, as_actor(visit.access).id, reason)
        except ExplainedError as refusal:
            return show(request, visit, refusal)
        return RedirectResponse("/case#copies", status_code=303)

    @routes.post("/case/codes")
    def give(
        request: Request,
        person: Annotated[str, Form(max_length=SHORT)] = "",
        rights: Annotated[list[str] | None, Form()] = None,
        until: Annotated[str, Form(max_length=10)] = "",
    ) -> Response:
        visit = visits.current(request)
        wanted = [Right(right) for right in rights or () if right in tuple(Right)]
        typed = {"person": person, "rights": wanted, "until": until}
        try:
            day = date.fromisoformat(until) if _is_day(until) else date.min
            code = give_sub_code(work, visit.access, person=person.strip(), rights=wanted, expires_on=day)
        except ExplainedError as refusal:
            return show(request, visit, refusal, typed=typed)
        return show(request, visit, fresh={"person": person.strip(), "code": code})

    @routes.post("/case/codes/withdraw")
    def withdraw(request: Request, person: Annotated[str, Form(max_length=SHORT)] = "") -> Response:
        visit = visits.current(request)
        try:
            withdraw_sub_code(work, visit.access, person)
        except ExplainedError as refusal:
            return show(request, visit, refusal)
        return RedirectResponse("/case#codes", status_code=303)

    return routes


def _own_copy(parts: RegistryParts, applicants: ApplicantParts, visit: Visit, serial: str) -> PrintCopy:
    """A copy of one of this case's documents. Raises CopyNotFound for any other: serials of others do not exist."""
    with parts.database.read() as session:
        found = documents_of(parts, session, view_case(applicants.work, visit.access.case_id))
    for one in found:
        for copy in applicants.printing.ledger.copies_of(one.subject):
            if copy.serial == serial:
                return copy
    raise CopyNotFound(serial)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
