"""/registry: find licences by identifier, number or holder. Holders' numbers travel in the body alone."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import Language
from cert_registry.licences.holders import KINDS
from cert_registry.licences.notices import Notice, mark_read, open_notices
from cert_registry.licences.register import Licence, by_holder
from cert_registry.licences.standing import Standing
from cert_registry.licences.status_facts import standing_of
from cert_registry.sharing.cursors import from_cursor, to_cursor
from cert_registry.web.officer_desk import AUDITOR, CLERK, SEARCHED, OfficerDesk, actor_of
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.sessions import LoggedIn

A_PAGE, MOST_FOUND, MOST_NOTICES = 25, 100, 10
COLOURS = {"passed": "passed", "licence_not_yet_valid": "unsure", "licence_suspended": "unsure"}
MARKS = {"passed": "✔", "unsure": "!", "failed": "✖"}


def search_pages(desk: OfficerDesk) -> APIRouter:
    """The newest licences, and what a search finds."""
    routes = APIRouter(prefix="/registry")
    officer = Annotated[LoggedIn, Depends(desk.reader)]

    @routes.get("")
    def newest(
        request: Request, who: officer, type: Annotated[str, Query(max_length=64)] = "",
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:  # fmt: skip
        with desk.parts.database.read() as session:
            found = _newest(session, desk, who, type, from_cursor(after))
            more = to_cursor(found[A_PAGE - 1].id) if len(found) > A_PAGE else ""
            rows = [_row(desk, licence, language_of(request)) for licence in found[:A_PAGE]]
            notices = open_notices(session, desk.codes(session, who)) if CLERK in who.roles else []
        return _page(request, desk, who, rows, chosen=type, more=more, notices=notices)

    @routes.post("/search")
    def search(request: Request, who: officer, words: Annotated[str, Form(max_length=200)] = "") -> Response:
        text, now = "".join(words.split()).upper(), desk.parts.clock.now()
        if not text:
            return RedirectResponse("/registry", status_code=303)
        with desk.parts.database.read() as session:
            found = _found(session, desk, who, text)
            rows = [_row(desk, licence, language_of(request)) for licence in found]
        desk.note(who, SEARCHED, "licence:search", now, {"found": len(rows)})
        return _page(request, desk, who, rows, searched=True)

    @routes.post("/notices/{notice_id}/read")
    def read(who: Annotated[LoggedIn, Depends(desk.clerk)], notice_id: int) -> Response:
        with desk.parts.database.write() as session:
            codes = desk.codes(session, who)
            mark_read(session, notice_id, codes, actor_of(who), desk.parts.clock.now())
        return RedirectResponse("/registry", status_code=303)

    return routes


def shown_standing(now: Standing, language: Language) -> dict[str, str]:
    colour = COLOURS.get(now.reason, "failed")
    return {"colour": colour, "mark": MARKS[colour], "text": now.status_text.in_(language)}


def _newest(session: Session, desk: OfficerDesk, who: LoggedIn, kind: str, before: int) -> list[Licence]:
    query = select(Licence).where(Licence.digest.is_not(None))
    if AUDITOR not in who.roles:
        query = query.where(Licence.issuer_code.in_(sorted(desk.codes(session, who))))
    if kind in desk.parts.catalogue:
        query = query.where(Licence.type_code == desk.parts.catalogue.get(kind).code)
    if before:
        query = query.where(Licence.id < before)
    return list(session.scalars(query.order_by(Licence.id.desc()).limit(A_PAGE + 1)))


def _found(session: Session, desk: OfficerDesk, who: LoggedIn, text: str) -> list[Licence]:
    """By identifier or number, as they stand on the licence, or by a holder's number of any kind."""
    by_name = select(Licence).where((Licence.identifier == text) | (Licence.number == text))
    found = list(session.scalars(by_name.where(Licence.digest.is_not(None)).limit(MOST_FOUND)))
    codes = [kind.code for kind in desk.parts.catalogue]
    for code_type in KINDS:
        found += by_holder(session, desk.parts.vault.lookups(text, code_type), codes, 0, MOST_FOUND)
    mine = desk.codes(session, who)
    return [one for one in found if AUDITOR in who.roles or one.issuer_code in mine][:MOST_FOUND]


def _row(desk: OfficerDesk, licence: Licence, language: Language) -> dict[str, Any]:
    now = desk.parts.clock.now()
    return {
        "identifier": licence.identifier, "number": licence.number, "issued_on": licence.issued_on,
        "kind": desk.parts.catalogue.get(licence.type_code).name.in_(language), "issuer": licence.issuer_name,
        "holders": "、".join(holder.name for holder in licence.holders),
        "standing": shown_standing(standing_of(licence, now, now), language),
    }  # fmt: skip


def _page(
    request: Request, desk: OfficerDesk, who: LoggedIn, rows: list[dict[str, Any]], *, chosen: str = "",
    more: str = "", searched: bool = False, notices: Sequence[Notice] = (),
) -> Response:  # fmt: skip
    return render(
        request, "registry/desk_search.html", who=who, rows=rows, kinds=list(desk.parts.catalogue), chosen=chosen,
        more=more, searched=searched, notices=notices[:MOST_NOTICES],
        names={kind.code: kind.name for kind in desk.parts.catalogue},
    )  # fmt: skip
