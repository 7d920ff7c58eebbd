"""/seals/-/successions: bodies renamed, merged or abolished; the dry run is the form, a second person reviews it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from signing_service.errors import SigningServiceError
from signing_service.kernel.clock import LOCAL_ZONE
from signing_service.kernel.pages import render
from signing_service.people.departments import Department
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.seals.rules import State
from signing_service.seals.seal_tables import SealRow
from signing_service.seals.succession import (
    STANDING,
    SUCCESSION_NAMES,
    Step,
    SuccessionBook,
    SuccessionPlan,
    SuccessionRow,
    SuccessionState,
)
from signing_service.web.error_edge import RequestInvalid
from signing_service.web.seal_parts import SealParts, actor_of, is_administrator, require_administrator
from signing_service.web.seal_words import MOVE_NAMES


@dataclass(frozen=True, slots=True)
class Bodies:
    """Who ends, who takes over, on which local day, on what basis."""

    old: tuple[str, ...]
    new: str
    day: date | None
    basis: str


def router(parts: SealParts) -> APIRouter:
    """The events with their reviews, and the drafting of a new one."""
    routes, book = APIRouter(prefix="/seals/-/successions", tags=["seals"]), SuccessionBook(parts.register)
    _add_list(routes, parts, book)
    _add_drafting(routes, parts, book)
    return routes


def _add_list(routes: APIRouter, parts: SealParts, book: SuccessionBook) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(request: Request, who: LoggedIn, error: SigningServiceError | None = None) -> Response:
        rows = book.all()
        return render(
            request, "seal_successions.html", status=422 if error else 200, who=who, rows=rows, error=error,
            names=SUCCESSION_NAMES, moves=MOVE_NAMES, administers=is_administrator(who), drafted="drafted",
            steps={row.id: _steps(book, row) for row in rows}, open=(SuccessionState.DRAFTED, SuccessionState.BLOCKED),
        )  # fmt: skip

    @routes.get("")
    def show(request: Request, who: officer) -> Response:
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.AUDITOR)
        return page(request, who)

    @routes.post("/{number}/review")
    def review(request: Request, who: officer, number: int) -> Response:
        require_administrator(who)
        try:
            book.review(number, actor_of(who))
        except SigningServiceError as refusal:
            return page(request, who, refusal)
        return RedirectResponse("/seals/-/successions", status_code=303)


def _add_drafting(routes: APIRouter, parts: SealParts, book: SuccessionBook) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, bodies: Bodies, pairs: dict[str, str], error: SigningServiceError | None = None
    ) -> Response:
        with parts.register.database.read() as session:
            departments = list(session.scalars(select(Department).order_by(Department.id)))
            standing = select(SealRow).where(SealRow.department.in_(bodies.old), SealRow.state.in_(STANDING))
            ready = select(SealRow).where(SealRow.department == bodies.new, SealRow.state == State.FILED)
            seals = list(session.scalars(standing.order_by(SealRow.id)))
            new = list(session.scalars(ready.order_by(SealRow.id)))
        return render(
            request, "seal_succession_new.html", status=422 if error else 200, who=who, bodies=bodies, pairs=pairs,
            departments=departments, seals=seals, ready=new, error=error, chosen=bool(bodies.old and bodies.new),
        )  # fmt: skip

    @routes.get("/new")
    def ask(
        request: Request, who: officer, old: Annotated[list[str] | None, Query()] = None, new: str = "",
        day: str = "", basis: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:  # fmt: skip
        require_administrator(who)
        return page(request, who, Bodies(tuple(old or ()), new, _day(day), basis), {})

    @routes.post("")
    def draft(
        request: Request, who: officer, old: Annotated[list[str] | None, Form()] = None,
        new: Annotated[str, Form(max_length=64)] = "", day: Annotated[str, Form(max_length=10)] = "",
        basis: Annotated[str, Form(max_length=200)] = "", seal: Annotated[list[str] | None, Form()] = None,
        instead: Annotated[list[str] | None, Form()] = None,
    ) -> Response:  # fmt: skip
        require_administrator(who)
        bodies = Bodies(tuple(old or ()), new, _day(day), basis)
        pairs = dict(zip(seal or (), instead or (), strict=False))
        try:
            book.draft(_plan(bodies, pairs), actor_of(who))
        except SigningServiceError as refusal:
            return page(request, who, bodies, pairs, refusal)
        return RedirectResponse("/seals/-/successions", status_code=303)


def _plan(bodies: Bodies, pairs: dict[str, str]) -> SuccessionPlan:
    if bodies.day is None:
        raise RequestInvalid("请填写生效日期。", "Give the day.")
    begin = datetime(bodies.day.year, bodies.day.month, bodies.day.day, tzinfo=LOCAL_ZONE)
    return SuccessionPlan(bodies.old, bodies.new, bodies.basis.strip(), begin, pairs)


def _steps(book: SuccessionBook, row: SuccessionRow) -> tuple[list[Step], SigningServiceError | None]:
    """What an open event would do as of now, or why it no longer fits."""
    if row.state == SuccessionState.EFFECTIVE:
        return [], None
    try:
        return list(book.steps(row.id)), None
    except SigningServiceError as refusal:
        return [], refusal


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
