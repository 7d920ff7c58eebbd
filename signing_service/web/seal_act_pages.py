"""/seals/ID/acts: each act on a seal has a page that says what it does and asks for reason, basis and confirmation."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from signing_service.errors import SigningServiceError
from signing_service.kernel.pages import render
from signing_service.people.sessions import LoggedIn
from signing_service.seals.errors import CustodyBehind
from signing_service.seals.replacement import replace_seal
from signing_service.seals.rules import MOVES, STATE_NAMES, State, Why
from signing_service.seals.seal_tables import SealRow
from signing_service.web.error_edge import NotFound, RequestInvalid
from signing_service.web.seal_parts import SealParts, actor_of, require_administrator
from signing_service.web.seal_words import FOR_GOOD, MOVE_EFFECTS, MOVE_NAMES

MOST_TEXT, MOST_BASIS = 500, 200
Reason = Annotated[str, Form(max_length=MOST_TEXT)]
Basis = Annotated[str, Form(max_length=MOST_BASIS)]
Typed = Annotated[str, Form(max_length=64)]


def router(parts: SealParts) -> APIRouter:
    """The moves of one seal, and its replacement by a new one."""
    routes = APIRouter(prefix="/seals/{seal_id}", tags=["seals"])
    _add_moves(routes, parts)
    _add_replacement(routes, parts)
    return routes


def _add_moves(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, row: SealRow, move: str, error: SigningServiceError | None = None,
        given: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        return render(
            request, "seal_act.html", status=422 if error else 200, who=who, row=row, move=MOVES[move],
            words=MOVE_NAMES, effects=MOVE_EFFECTS, states=STATE_NAMES, for_good=move in FOR_GOOD, error=error,
            given=given or {"reason": "", "basis": "", "typed": ""},
        )  # fmt: skip

    @routes.get("/acts/{move}")
    def ask(request: Request, who: officer, seal_id: str, move: str) -> Response:
        return page(request, who, parts.seal(who, seal_id), _move(move))

    @routes.post("/acts/{move}")
    def act(
        request: Request, who: officer, seal_id: str, move: str, reason: Reason = "", basis: Basis = "",
        typed: Typed = "",
    ) -> Response:  # fmt: skip
        row = parts.seal(who, seal_id)
        if _move(move) == "make":
            raise NotFound
        try:
            _require_typed(row, move in FOR_GOOD, typed)
            parts.stops.change(seal_id, move, actor_of(who), Why(reason.strip(), basis.strip()))
        except CustodyBehind:
            pass  # the seal's page says so, and what to do
        except SigningServiceError as refusal:
            given = {"reason": reason, "basis": basis, "typed": typed}
            return page(request, who, row, move, refusal, given)
        return RedirectResponse(f"/seals/{seal_id}", status_code=303)


def _add_replacement(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, row: SealRow, error: SigningServiceError | None = None,
        given: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        query = select(SealRow).where(
            SealRow.state == State.FILED, SealRow.owner_code == row.owner_code, SealRow.kind == row.kind
        )
        with parts.register.database.read() as session:
            ready = list(session.scalars(query.order_by(SealRow.id)))
        empty = {"reason": "", "basis": "", "typed": "", "new": ""}
        return render(
            request, "seal_replace.html", status=422 if error else 200, who=who, row=row, ready=ready, error=error,
            given=given or empty,
        )  # fmt: skip

    @routes.get("/replace")
    def ask(request: Request, who: officer, seal_id: str) -> Response:
        require_administrator(who)
        return page(request, who, parts.seal(who, seal_id))

    @routes.post("/replace")
    def replace(
        request: Request, who: officer, seal_id: str, new: Typed = "", reason: Reason = "", basis: Basis = "",
        typed: Typed = "",
    ) -> Response:  # fmt: skip
        row, actor = parts.seal(who, seal_id), actor_of(who)
        try:
            _require_typed(row, True, typed)
            replace_seal(parts.register, seal_id, new, actor, Why(reason.strip(), basis.strip()))
            parts.stops.follow(seal_id, actor, reason)
            parts.stops.follow(new, actor, reason)
        except CustodyBehind:
            pass
        except SigningServiceError as refusal:
            given = {"reason": reason, "basis": basis, "typed": typed, "new": new}
            return page(request, who, row, refusal, given)
        return RedirectResponse(f"/seals/{seal_id}", status_code=303)


def _move(name: str) -> str:
    """Raises NotFound for what is no move, or has a page of its own."""
    if name not in MOVES or name == "replace":
        raise NotFound
    return name


def _require_typed(row: SealRow, needed: bool, typed: str) -> None:
    if needed and typed.strip() != row.id:
        raise RequestInvalid(
            "不能撤销的操作,请输入印章编号确认。", "It cannot be undone: type the seal's id to confirm."
        )
