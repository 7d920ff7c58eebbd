"""/supervision (电子监察): live cards, uses of seals, refusals, who viewed what, irregularities; filters and CSV."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from cert_registry.audit.accesses import KINDS
from cert_registry.audit.irregularities import NAMES
from cert_registry.audit.supervision_facts import (
    Wanted,
    by_day,
    by_holder,
    by_hour,
    cards,
    irregularities,
    refusals,
    uses,
    views,
)
from cert_registry.web.plots import bars
from cert_registry.web.spreadsheet import spreadsheet
from cert_registry.web.supervision_parts import Day, SupervisionParts, Words
from signing_service.approvals.deadlines import CARD_WORDS, due_in_words
from signing_service.errors import Language
from signing_service.kernel.clock import local
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.sessions import LoggedIn
from signing_service.web.error_edge import NotFound

MOST_SHOWN, MOST_EXPORTED = 500, 100_000
Rows = tuple[Sequence[str], list[list[object]]]


def make_supervision(parts: SupervisionParts) -> APIRouter:
    """What the auditor sees."""
    routes = APIRouter(prefix="/supervision", tags=["supervision"], include_in_schema=False)
    auditor = Annotated[LoggedIn, Depends(parts.auditor)]

    @routes.get("")
    def overview(request: Request, who: auditor) -> Response:
        return render(
            request, "registry/supervision_cards.html", who=who, cards=cards(parts.work), due=parts.due(),
            card_words=CARD_WORDS, due_in_words=due_in_words,
        )  # fmt: skip

    @routes.get("/uses")
    def seal_uses(
        request: Request, who: auditor, since: Day = "", until: Day = "", seal: Words = "", actor: Words = ""
    ) -> Response:
        wanted = parts.wanted(since, until, seal=seal, who=actor)
        with parts.work.database.read() as session:
            found = uses(session, wanted, MOST_EXPORTED)
        plot = bars([(f"{hour:02d}", count) for hour, count in enumerate(by_hour(found))], every=2)
        return render(
            request, "registry/supervision_uses.html", who=who, wanted=wanted, query=_query(wanted), total=len(found),
            uses=found[:MOST_SHOWN], plot=plot, holders=by_holder(found),
        )  # fmt: skip

    @routes.get("/refusals")
    def refused(
        request: Request, who: auditor, since: Day = "", until: Day = "", actor: Words = "", department: Words = "",
        kind: Words = "",
    ) -> Response:  # fmt: skip
        wanted = parts.wanted(since, until, who=actor, department=department, kind=kind)
        return _log_page(request, who, wanted, "refusals", refusals)

    @routes.get("/views")
    def viewed(
        request: Request, who: auditor, since: Day = "", until: Day = "", actor: Words = "", department: Words = "",
        kind: Words = "",
    ) -> Response:  # fmt: skip
        wanted = parts.wanted(since, until, who=actor, department=department, kind=kind)
        return _log_page(request, who, wanted, "views", views)

    @routes.get("/findings")
    def findings(
        request: Request, who: auditor, since: Day = "", until: Day = "", actor: Words = "", department: Words = "",
        kind: Words = "",
    ) -> Response:  # fmt: skip
        wanted = parts.wanted(since, until, who=actor, department=department, kind=kind)
        with parts.work.database.read() as session:
            found = irregularities(parts.work, session, wanted, MOST_SHOWN)
        counts = [(code, sum(each.code == code for each in found)) for code in NAMES]
        return render(
            request, "registry/supervision_findings.html", who=who, wanted=wanted, query=_query(wanted), found=found,
            names=NAMES, counts=counts,
        )  # fmt: skip

    @routes.get("/{table}.csv")
    def as_csv(
        request: Request, who: auditor, table: str, since: Day = "", until: Day = "", seal: Words = "",
        actor: Words = "", department: Words = "", kind: Words = "",
    ) -> Response:  # fmt: skip
        if table not in TABLES:
            raise NotFound
        wanted = parts.wanted(since, until, seal=seal, who=actor, department=department, kind=kind)
        head, rows = TABLES[table](parts, wanted, language_of(request))
        return spreadsheet(f"{table}.csv", head, rows)

    def _log_page(
        request: Request, who: LoggedIn, wanted: Wanted, table: str, read: Callable[..., list[Any]]
    ) -> Response:
        with parts.work.database.read() as session:
            found = read(session, wanted, MOST_EXPORTED)
        days = [(f"{day:%m-%d}", count) for day, count in by_day(found, wanted)]
        return render(
            request, "registry/supervision_log.html", who=who, wanted=wanted, query=_query(wanted), table=table,
            found=found[:MOST_SHOWN], total=len(found), plot=bars(days, every=max(1, len(days) // 10)), kinds=KINDS,
        )  # fmt: skip

    return routes


def _query(wanted: Wanted) -> str:
    """The filters as an address carries them."""
    fields = asdict(wanted)
    fields["actor"] = fields.pop("who")
    return urlencode({name: str(value) for name, value in fields.items() if value})


def _cards(parts: SupervisionParts, _wanted: Wanted, language: Language) -> Rows:
    rows: list[list[object]] = [
        [each.case.number, each.case.title, each.case.issuer_name, CARD_WORDS[each.case.card].in_(language),
         due_in_words(each.case.promised_due) if each.case.promised_due else "",
         each.cancelled.reason if each.cancelled else ""]
        for each in cards(parts.work)
    ]  # fmt: skip
    return ("number", "title", "department", "card", "due", "cancelled_because"), rows


def _uses(parts: SupervisionParts, wanted: Wanted, _language: Language) -> Rows:
    with parts.work.database.read() as session:
        found = uses(session, wanted, MOST_EXPORTED)
    rows: list[list[object]] = [
        [_time(use.reserved_at), use.seal_id, use.actor, use.approver, use.document_type, use.state, use.reference,
         use.digest]
        for use in found
    ]  # fmt: skip
    return ("time", "seal", "holder", "second", "document_type", "state", "reference", "digest"), rows


def _log(read: Callable[..., list[Any]]) -> Callable[[SupervisionParts, Wanted, Language], Rows]:
    def rows(parts: SupervisionParts, wanted: Wanted, _language: Language) -> Rows:
        with parts.work.database.read() as session:
            found = read(session, wanted, MOST_EXPORTED)
        head = ("time", "kind", "reason", "actor", "department", "object", "purpose", "matter")
        return head, [
            [_time(e.at), e.kind, e.reason, e.actor, e.department, e.subject, e.details.get("purpose", ""),
             e.details.get("matter", "")]
            for e in found
        ]  # fmt: skip

    return rows


def _findings(parts: SupervisionParts, wanted: Wanted, language: Language) -> Rows:
    with parts.work.database.read() as session:
        found = irregularities(parts.work, session, wanted, MOST_EXPORTED)
    rows: list[list[object]] = [
        [_time(e.at), NAMES[e.code].in_(language), e.shown, e.who, e.detail.in_(language)] for e in found
    ]
    return ("time", "finding", "object", "who", "detail"), rows


def _time(at: Any) -> str:
    return f"{local(at):%Y-%m-%d %H:%M:%S}"


TABLES: dict[str, Callable[[SupervisionParts, Wanted, Language], Rows]] = {
    "cards": _cards,
    "uses": _uses,
    "refusals": _log(refusals),
    "views": _log(views),
    "findings": _findings,
}
