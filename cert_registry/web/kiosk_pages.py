"""The self-service terminal's pages (/kiosk): enter by query code or ID card, print on the terminal's own printer.

Nothing is spooled: a copy is printed from memory, and what a crash leaves is a reservation that expires. The ledger
follows the printer's job to its end. The page wipes itself when nobody touches it; the visit ends on the server too.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError
from cert_registry.licences.register import Licence, by_holder
from cert_registry.web.case_documents import COPIES, CaseDocument, document_of_licence, documents_of, printable
from cert_registry.web.case_visits import Visits
from cert_registry.web.parts import ApplicantParts, RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.statuses import status_of
from signing_service.approvals.access import as_actor, use
from signing_service.approvals.code_sessions import VisitOver
from signing_service.approvals.course_view import view_case
from signing_service.approvals.query_codes import Right
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.pages import render
from signing_service.printing.errors import PrinterFailure
from signing_service.printing.handing_out import rendered
from signing_service.printing.ledger import PrintCopy, ReservedCopy
from signing_service.printing.ledger_rules import PENDING, CopyState
from signing_service.printing.print_run import print_reserved
from signing_service.printing.terminals import Terminal, TerminalUnknown

SHORT = 200
ONE_YEAR = 365 * 24 * 3600
RESIDENT_NUMBER = "111"
MOST_LICENCES = 50


@dataclass(frozen=True, slots=True)
class AtTerminal:
    """Who stands at the terminal. `by`: the log's name, an access or the terminal itself; `title`: what is shown."""

    by: str
    title: str
    documents: list[CaseDocument]
    with_card: bool


class Kiosk:
    """What the routes share."""

    def __init__(self, parts: RegistryParts, applicants: ApplicantParts) -> None:
        self.parts, self.applicants = parts, applicants
        self.visits = Visits(applicants, "kiosk")
        self.cookie_name = self.visits.cookie_name.replace("kiosk", "terminal")

    def terminal(self, request: Request) -> Terminal:
        """By the cookie that activation left. Raises TerminalUnknown, OriginRefused."""
        self.visits.require_origin(request)
        return self.applicants.terminals.by_key(request.cookies.get(self.cookie_name, ""))

    def who(self, request: Request, terminal: Terminal) -> AtTerminal:
        """By the card that lies on the reader, else by the visit begun here. Raises VisitOver, CardUnreadable."""
        card = terminal.reader.read()
        with self.parts.database.read() as session:
            if card is not None:
                held = self._held(session, card.number)
                found = [document_of_licence(self.parts, session, row.identifier) for row in held]
                return AtTerminal(f"terminal:{terminal.id}", card.name, found, with_card=True)
            visit = self.visits.current(request)
            if visit.terminal != terminal.id:
                raise VisitOver
            view = view_case(self.applicants.work, visit.access.case_id)
            found = documents_of(self.parts, session, view)
        return AtTerminal(as_actor(visit.access).id, view.title, found, with_card=False)

    def allow(self, request: Request, terminal: Terminal, who: AtTerminal, wanted: CaseDocument) -> None:
        """The right to print, logged before it happens: of the query code, or of the card's holder."""
        if not who.with_card:
            visit = self.visits.current(request)
            use(self.applicants.work, visit.access, Right.PRINT, document=wanted.subject, terminal=terminal.id)
            return
        with self.parts.database.write() as session:
            act = Act("print.by_card", who.by, f"print:{wanted.subject}", details={"terminal": terminal.id})
            AuditLog().record(session, act, self.parts.clock.now())

    def start(self, terminal: Terminal, who: AtTerminal, wanted: CaseDocument) -> str:
        """Reserve and render now, print behind: the page follows the ledger. Returns the copy's serial."""
        printing = self.applicants.printing
        ledger, sealed = printing.ledger, wanted.read(self.parts)
        ledger.open(wanted.subject, COPIES, f"terminal:{terminal.id}")
        copy = ledger.reserve(wanted.subject, who.by, channel="terminal")
        content = rendered(ledger, sealed, printing.make, copy, who.by)
        threading.Thread(target=self._print, args=(terminal, copy, content, who.by), daemon=True).start()
        return copy.serial

    def _print(self, terminal: Terminal, copy: ReservedCopy, content: bytes, by: str) -> None:
        printing = self.applicants.printing
        printer = printing.printer(terminal.printer, allow=urlsplit(terminal.printer).hostname or "")
        try:
            print_reserved(printing.ledger, copy, content, printer, by, wait=time.sleep)
        except PrinterFailure:
            return  # the ledger has it as void, with the reason; the page shows that

    def _held(self, session: Session, number: str) -> list[Licence]:
        hashes = self.parts.vault.lookups(number, RESIDENT_NUMBER)
        types = [kind.code for kind in self.parts.catalogue]
        return by_holder(session, hashes, types, 0, MOST_LICENCES)


def kiosk_pages(parts: RegistryParts, applicants: ApplicantParts, access: PublicAccess) -> APIRouter:
    """Routes below /kiosk."""
    routes, kiosk = APIRouter(include_in_schema=False), Kiosk(parts, applicants)

    def begin(request: Request, terminal: Terminal, problem: ExplainedError | None = None) -> Response:
        status = 200 if problem is None else status_of(problem)
        return render(request, "registry/kiosk.html", status=status, problem=problem, terminal=terminal)

    def documents(request: Request, terminal: Terminal, problem: ExplainedError | None = None) -> Response:
        who = kiosk.who(request, terminal)
        left = {one.subject: applicants.printing.ledger.left_or(one.subject, COPIES) for one in who.documents}
        status = 200 if problem is None else status_of(problem)
        context = {"who": who, "left": left, "terminal": terminal, "problem": problem}
        return render(request, "registry/kiosk_documents.html", status=status, **context)

    @routes.get("/kiosk")
    def start(request: Request) -> Response:
        try:
            return begin(request, kiosk.terminal(request))
        except TerminalUnknown:
            return render(request, "registry/kiosk_activate.html", problem=None)

    @routes.post("/kiosk/activate")
    def activate(request: Request, key: Annotated[str, Form(max_length=SHORT)] = "") -> Response:
        access.count(request)
        kiosk.visits.require_origin(request)
        try:
            applicants.terminals.by_key(key.strip())
        except TerminalUnknown as refusal:
            return render(request, "registry/kiosk_activate.html", status=403, problem=refusal)
        reply = RedirectResponse("/kiosk", status_code=303)
        reply.set_cookie(
            kiosk.cookie_name, key.strip(), max_age=ONE_YEAR, path="/", httponly=True, samesite="strict",
            secure=applicants.origin.startswith("https://"),
        )  # fmt: skip
        return reply

    @routes.post("/kiosk")
    def enter(
        request: Request,
        number: Annotated[str, Form(max_length=SHORT)] = "",
        code: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        access.count(request)
        terminal = kiosk.terminal(request)
        reply = RedirectResponse("/kiosk/documents", status_code=303)
        try:
            kiosk.visits.begin(request, reply, number, code, terminal=terminal.id)
        except ExplainedError as refusal:
            return begin(request, terminal, refusal)
        return reply

    @routes.get("/kiosk/documents")
    def shown(request: Request) -> Response:
        terminal = kiosk.terminal(request)
        try:
            return documents(request, terminal)
        except ExplainedError as refusal:
            return begin(request, terminal, refusal)

    @routes.post("/kiosk/print")
    def print_(request: Request, subject: Annotated[str, Form(max_length=SHORT)] = "") -> Response:
        terminal = kiosk.terminal(request)
        try:
            who = kiosk.who(request, terminal)
        except ExplainedError as refusal:
            return begin(request, terminal, refusal)
        try:
            which = next((one.which for one in who.documents if one.subject == subject), "")
            wanted = printable([one for one in who.documents if one.subject == subject], which)
            kiosk.allow(request, terminal, who, wanted)
            serial = kiosk.start(terminal, who, wanted)
        except ExplainedError as refusal:
            return documents(request, terminal, refusal)
        return RedirectResponse(f"/kiosk/job/{serial}", status_code=303)

    @routes.get("/kiosk/job/{serial}")
    def job(request: Request, serial: str) -> Response:
        kiosk.terminal(request)
        with parts.database.read() as session:
            copy = session.get(PrintCopy, serial)
            state = CopyState(copy.state) if copy is not None else CopyState.EXPIRED
        running = state in PENDING
        return render(request, "registry/kiosk_job.html", running=running, printed=state is CopyState.CONFIRMED)

    @routes.post("/kiosk/leave")
    def leave(request: Request) -> Response:
        kiosk.visits.require_origin(request)
        reply = RedirectResponse("/kiosk", status_code=303)
        kiosk.visits.end(request, reply)
        return reply

    @routes.get("/kiosk/idle")
    def idle(request: Request) -> Response:
        """Where an untouched page goes by itself, with or without scripts."""
        reply = RedirectResponse("/kiosk", status_code=303)
        kiosk.visits.end(request, reply)
        return reply

    return routes
