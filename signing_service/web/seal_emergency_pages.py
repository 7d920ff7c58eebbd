"""/seals/-/stops, the stop switch; /seals/ID/emergency, break-glass for an absent holder by two persons."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from signing_service.custody.ledger import ALL
from signing_service.errors import ExplainedError
from signing_service.kernel.pages import render
from signing_service.pades.placing import AnchorPlacing, AnyPlacing, FreeSpotPlacing, Placing, SeamPlacing
from signing_service.people.departments import Department
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.seals.authorisation import LONGEST, Kind
from signing_service.seals.order_book import OrderState
from signing_service.web.error_edge import NotFound, RequestInvalid
from signing_service.web.seal_order_pages import find_order
from signing_service.web.seal_parts import SealParts, actor_of, is_administrator, require_administrator

MOST_HOURS = int(LONGEST[Kind.EMERGENCY].total_seconds()) // 3600
PLACES: dict[str, AnyPlacing] = {
    "corner": Placing(page=-1, x_mm=20, y_mm=20, corner="lower-right"),
    "keyword": AnchorPlacing("盖章处"),
    "free": FreeSpotPlacing(),
    "edge": SeamPlacing(),
}


def router(parts: SealParts) -> APIRouter:
    """The switch, and emergency orders from draft to sealed file."""
    routes = APIRouter(prefix="/seals", tags=["seals"])
    _add_stops(routes, parts)
    _add_emergency(routes, parts)
    _add_result(routes, parts)
    return routes


def _add_stops(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, error: ExplainedError | None = None, given: dict[str, str] | None = None
    ) -> Response:
        with parts.register.database.read() as session:
            departments = list(session.scalars(select(Department).order_by(Department.id)))
        return render(
            request, "seal_stops.html", status=422 if error else 200, who=who, stops=parts.custody.frozen(),
            departments=departments, administers=is_administrator(who), error=error,
            given=given or {"scope": "", "reason": "", "typed": ""},
        )  # fmt: skip

    @routes.get("/-/stops")
    def stops(request: Request, who: officer) -> Response:
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.AUDITOR)
        return page(request, who)

    @routes.post("/-/stops")
    def stop(
        request: Request, who: officer, scope: Annotated[str, Form(max_length=80)] = "",
        reason: Annotated[str, Form(max_length=200)] = "", typed: Annotated[str, Form(max_length=10)] = "",
    ) -> Response:  # fmt: skip
        require_administrator(who)
        try:
            _check_stop(parts, scope, reason, typed)
            parts.custody.freeze(scope, actor=who.officer, reason=reason.strip())
        except ExplainedError as refusal:
            return page(request, who, refusal, {"scope": scope, "reason": reason, "typed": typed})
        return RedirectResponse("/seals/-/stops", status_code=303)


def _check_stop(parts: SealParts, scope: str, reason: str, typed: str) -> None:
    with parts.register.database.read() as session:
        bureaus = {f"bureau:{id}" for id in session.scalars(select(Department.id))}
    if scope != ALL and scope not in bureaus:
        raise RequestInvalid("请选择停用范围。", "Choose what to stop.")
    if not reason.strip():
        raise RequestInvalid("必须写明理由。", "A reason must be given.")
    if typed.strip() not in ("停止", "STOP"):
        raise RequestInvalid("请输入“停止”以确认。", "Type STOP to confirm.")


def _add_emergency(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]
    empty = {"type": "", "reason": "", "hours": "4", "place": "corner"}

    def page(
        request: Request, who: LoggedIn, seal_id: str, given: dict[str, str], error: ExplainedError | None = None
    ) -> Response:
        return render(
            request, "seal_emergency.html", status=422 if error else 200, who=who, row=parts.seal(who, seal_id),
            given=given, error=error, most=MOST_HOURS,
        )  # fmt: skip

    @routes.get("/{seal_id}/emergency")
    def ask(request: Request, who: officer, seal_id: str) -> Response:
        require_administrator(who)
        return page(request, who, seal_id, empty)

    @routes.post("/{seal_id}/emergency")
    def draft(
        request: Request, who: officer, seal_id: str, document_type: Annotated[str, Form(max_length=64)] = "",
        reason: Annotated[str, Form(max_length=500)] = "", hours: Annotated[str, Form(max_length=2)] = "4",
        place: Annotated[str, Form(max_length=10)] = "corner", file: UploadFile | None = None,
    ) -> Response:  # fmt: skip
        require_administrator(who)
        parts.seal(who, seal_id)
        given = {"type": document_type, "reason": reason, "hours": hours, "place": place}
        try:
            if not document_type.strip() or not reason.strip() or not hours.isdecimal() or place not in PLACES:
                raise RequestInvalid("文种、理由、时限和位置都要填写。", "Type, reason, hours and place are needed.")
            pdf = file.file.read() if file is not None else b""
            order = parts.emergencies.draft(
                seal_id, pdf, PLACES[place], document_type.strip(), reason, int(hours), actor_of(who)
            )
        except ExplainedError as refusal:
            return page(request, who, seal_id, given, refusal)
        return RedirectResponse(f"/seals/-/orders/{order.id}", status_code=303)


def _add_result(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/-/orders/{order_id}/document.pdf", response_class=Response)
    def document(who: officer, order_id: str) -> Response:
        order = find_order(parts, who, order_id)
        if not order.document:
            raise NotFound
        return Response(parts.blobs.get(order.document), media_type="application/pdf")

    @routes.post("/-/orders/{order_id}/seal")
    def seal(who: officer, order_id: str) -> Response:
        require_administrator(who)
        find_order(parts, who, order_id)
        parts.emergencies.carry_out(order_id, actor_of(who))
        return RedirectResponse(f"/seals/-/orders/{order_id}", status_code=303)

    @routes.get("/-/orders/{order_id}/sealed.pdf", response_class=Response)
    def sealed(who: officer, order_id: str) -> Response:
        order = find_order(parts, who, order_id)
        if order.state != OrderState.DONE:
            raise NotFound
        headers = {"Content-Disposition": f'attachment; filename="sealed-{order.id[:8]}.pdf"'}
        return Response(parts.blobs.get(order.result), media_type="application/pdf", headers=headers)
