"""/supervision/orders (督办单), and cancelling a wrong card: the only things that supervision writes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from cert_registry.audit.irregularities import NAMES
from cert_registry.audit.supervision_orders import (
    MOVES,
    STATE_NAMES,
    OrderState,
    SupervisionOrder,
    cancelled_cards,
    orders,
)
from cert_registry.web.supervision_parts import SupervisionParts, Words, person_of
from signing_service.approvals.deadlines import CARD_WORDS, Card
from signing_service.errors import Text
from signing_service.kernel.pages import render
from signing_service.people.departments import Department
from signing_service.people.rules import Role
from signing_service.people.sessions import LoggedIn
from signing_service.web.error_edge import NotFound, RequestInvalid

Written = Annotated[str, Form(max_length=4000)]
Short = Annotated[str, Form(max_length=192)]


def finding_words(code: str) -> Text:
    """What an order is about: a card, a rule, or something else."""
    if code in (Card.YELLOW, Card.RED):
        return CARD_WORDS[Card(code)]
    return NAMES.get(code, Text("其他", "something else"))


def make_supervision_acts(parts: SupervisionParts) -> APIRouter:
    """Orders are seen by the auditor and by the officers of the department that they are addressed to."""
    routes = APIRouter(prefix="/supervision", tags=["supervision"], include_in_schema=False)
    auditor = Annotated[LoggedIn, Depends(parts.auditor)]
    officer = Annotated[LoggedIn, Depends(parts.current)]

    @routes.get("/orders")
    def listed(request: Request, who: officer, state: Words = "") -> Response:
        mine = None if Role.AUDITOR in who.roles else who.department
        with parts.work.database.read() as session:
            found = orders(session, department=mine, state=state if state in STATE_NAMES else "")
        return render(
            request, "registry/supervision_orders.html", who=who, orders=found, states=STATE_NAMES, chosen=state,
            finding_words=finding_words,
        )  # fmt: skip

    @routes.get("/orders/new")
    def new(
        request: Request, who: auditor, subject: Words = "", shown: Words = "", finding: Words = "",
        department: Words = "",
    ) -> Response:  # fmt: skip
        with parts.work.database.read() as session:
            departments = list(session.scalars(select(Department).order_by(Department.id)))
        return render(
            request, "registry/supervision_new.html", who=who, departments=departments, subject=subject, shown=shown,
            finding=finding, department=department, finding_words=finding_words,
        )  # fmt: skip

    @routes.post("/orders")
    def open_order(
        who: auditor, subject: Short, shown: Short, department: Short, text: Written, finding: Short = ""
    ) -> Response:
        with parts.work.database.read() as session:
            if session.get(Department, department) is None:
                raise RequestInvalid("请选择部门。", "Choose a department.")
        order = SupervisionOrder(subject=subject, shown=shown or subject, finding=finding, department=department)
        made = parts.book.open(person_of(who), order, text)
        return RedirectResponse(f"/supervision/orders/{made}", status_code=303)

    @routes.get("/orders/{number}")
    def one(request: Request, who: officer, number: int) -> Response:
        with parts.work.database.read() as session:
            order = session.get(SupervisionOrder, number)
            if order is None or not (Role.AUDITOR in who.roles or who.department == order.department):
                raise NotFound
            mine = Role.AUDITOR in who.roles
            offered = {
                name: move for name, move in MOVES.items()
                if OrderState(order.state) in move.before and move.by_auditor == mine
            }  # fmt: skip
            names = {name: move.words for name, move in MOVES.items()} | {"open": Text("发出督办单", "opened")}
            return render(
                request, "registry/supervision_order.html", who=who, order=order, states=STATE_NAMES, offered=offered,
                names=names, finding_words=finding_words,
            )  # fmt: skip

    @routes.post("/orders/{number}/{move}")
    def act(who: officer, number: int, move: str, text: Written) -> Response:
        parts.book.move(person_of(who), number, move, text)
        return RedirectResponse(f"/supervision/orders/{number}", status_code=303)

    @routes.get("/cards/{case_id}/{card}")
    def card_page(request: Request, who: auditor, case_id: str, card: Card) -> Response:
        with parts.work.database.read() as session:
            gone = cancelled_cards(session).get((case_id, card))
        return render(
            request, "registry/supervision_card.html", who=who, case_id=case_id, card=card, words=CARD_WORDS[card],
            gone=gone,
        )  # fmt: skip

    @routes.post("/cards/{case_id}/{card}")
    def cancel(who: auditor, case_id: str, card: Card, text: Written) -> Response:
        parts.book.cancel_card(person_of(who), case_id, card.value, text)
        return RedirectResponse("/supervision", status_code=303)

    return routes
