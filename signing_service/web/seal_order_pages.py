"""/seals/-/mine and the orders: what a holder has, gave, may give and may take back; uses by custody's own ledger.

An order is signed on the holder's own PC: the page gives the file, `zhengyin seals order sign` shows its content and
asks for the USB key's PIN, and the signed file comes back here. The server never sees a PIN.
"""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from signing_service.errors import ExplainedError, SigningServiceError
from signing_service.kernel.pages import render
from signing_service.people.sessions import LoggedIn
from signing_service.seals.authorisation import LONGEST, MOST_STANDING, Kind, standing_order
from signing_service.seals.order_book import ORDER_NAMES, signatures_of
from signing_service.seals.rules import STATE_NAMES
from signing_service.seals.seal_tables import SealOrder, SealRow
from signing_service.web.error_edge import NotFound, RequestInvalid
from signing_service.web.seal_parts import SealParts, actor_of, may_see

Line = Annotated[str, Form(max_length=64)]
MOST_DAYS = LONGEST[Kind.STANDING].days
LARGEST_ORDER = 2 * 1024 * 1024


def router(parts: SealParts) -> APIRouter:
    """The holder's page, drafting, and one order with its signing and withdrawal."""
    routes = APIRouter(prefix="/seals/-", tags=["seals"])
    _add_mine(routes, parts)
    _add_drafting(routes, parts)
    _add_order(routes, parts)
    return routes


def _add_mine(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/mine")
    def mine(request: Request, who: officer) -> Response:
        return _mine(parts, request, who, {"seal": "", "type": "", "count": "", "days": "365"})


def _mine(
    parts: SealParts, request: Request, who: LoggedIn, given: dict[str, str], error: SigningServiceError | None = None
) -> Response:
    now = parts.register.clock.now()
    with parts.register.database.read() as session:
        rows = [row for row in session.scalars(select(SealRow).order_by(SealRow.id)) if who.officer in row.holders]
        states = {row.id: parts.register.status(session, row.id, now).state for row in rows}
    orders = parts.orders.of_seals([row.id for row in rows])
    return render(
        request, "seal_mine.html", status=422 if error else 200, who=who, rows=rows, states=states,
        state_names=STATE_NAMES, orders=[each for each in orders if each.kind == Kind.STANDING],
        emergencies=[each for each in orders if each.kind == Kind.EMERGENCY], names=ORDER_NAMES,
        used={each.id: parts.uses.used_under(each.id) for each in orders}, now=now, given=given, error=error,
        most=MOST_STANDING, days=MOST_DAYS, ledger=_ledger(parts, rows),
    )  # fmt: skip


def _add_drafting(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.post("/orders")
    def draft(
        request: Request, who: officer, seal: Line = "", document_type: Line = "", count: Line = "", days: Line = ""
    ) -> Response:
        parts.seal(who, seal)
        begin = parts.register.clock.now().replace(microsecond=0)
        try:
            many, long = _whole(count), _whole(days)
            what = standing_order(
                seal, document_type.strip(), many, not_before=begin, until=begin + timedelta(days=min(long, 9999))
            )
            order = parts.orders.draft(what, actor_of(who))
        except SigningServiceError as refusal:
            given = {"seal": seal, "type": document_type, "count": count, "days": days}
            return _mine(parts, request, who, given, refusal)
        return RedirectResponse(f"/seals/-/orders/{order.id}", status_code=303)


def _add_order(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, order: SealOrder, error: ExplainedError | None = None, reason: str = ""
    ) -> Response:
        return render(
            request, "seal_order.html", status=422 if error else 200, who=who, order=order, error=error,
            row=parts.seal(who, order.seal_id), names=ORDER_NAMES, signatures=signatures_of(order), reason=reason,
            needed=2 if order.kind == Kind.EMERGENCY else 1, used=parts.uses.used_under(order.id),
            now=parts.register.clock.now(),
        )  # fmt: skip

    @routes.get("/orders/{order_id}")
    def show(request: Request, who: officer, order_id: str) -> Response:
        return page(request, who, find_order(parts, who, order_id))

    @routes.get("/orders/{order_id}/order.json", response_class=Response)
    def file(who: officer, order_id: str) -> Response:
        order = find_order(parts, who, order_id)
        headers = {"Content-Disposition": f'attachment; filename="order-{order.id[:8]}.json"'}
        return Response(order.encoded, media_type="application/json", headers=headers)

    @routes.post("/orders/{order_id}/signed")
    def signed(request: Request, who: officer, order_id: str, file: UploadFile | None = None) -> Response:
        order = find_order(parts, who, order_id)
        content = file.file.read(LARGEST_ORDER) if file is not None else b""
        try:
            pinned = parts.custody.pinned(order.seal_id)
            parts.orders.add_signature(order_id, content, pinned, actor_of(who))
        except ExplainedError as refusal:
            return page(request, who, order, refusal)
        return RedirectResponse(f"/seals/-/orders/{order_id}", status_code=303)

    @routes.post("/orders/{order_id}/withdraw")
    def withdraw(
        request: Request, who: officer, order_id: str, reason: Annotated[str, Form(max_length=200)] = ""
    ) -> Response:
        order = find_order(parts, who, order_id)
        try:
            parts.orders.withdraw(order_id, reason, actor_of(who), tell=parts.custody.withdraw)
        except ExplainedError as refusal:
            return page(request, who, order, refusal, reason)
        return RedirectResponse(f"/seals/-/orders/{order_id}", status_code=303)


def find_order(parts: SealParts, who: LoggedIn, order_id: str) -> SealOrder:
    """An order of a seal that this officer may see. Raises NotFound for every other."""
    with parts.register.database.read() as session:
        order = session.get(SealOrder, order_id)
        row = None if order is None else session.get(SealRow, order.seal_id)
    if order is None or row is None or not may_see(who, row):
        raise NotFound
    return order


def _ledger(parts: SealParts, rows: list[SealRow]) -> list[Any] | None:
    """Emergency uses of these seals by custody's own ledger; none where custody does not answer."""
    try:
        return [use for row in rows if row.certificate for use in parts.custody.uses(row.id, kind="emergency")]
    except ExplainedError:
        return None


def _whole(text: str) -> int:
    if not text.strip().isdecimal():
        raise RequestInvalid("份数和天数应为整数。", "Count and days are whole numbers.")
    return int(text)
