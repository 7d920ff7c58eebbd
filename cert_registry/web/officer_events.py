"""/registry/webhooks: every department's subscriptions, what could not be delivered and why, and sending it again."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from cert_registry.sharing.subscriptions import all_subscriptions, counted_deliveries, dead_letters, replay
from cert_registry.web.officer_desk import CLERK, OfficerDesk
from signing_service.kernel.pages import render
from signing_service.people.sessions import LoggedIn

MOST_DEAD = 50


def event_pages(desk: OfficerDesk) -> APIRouter:
    """Only the host of an address is shown: the rest of it may be a department's secret."""
    routes = APIRouter(prefix="/registry/webhooks")

    @routes.get("")
    def subscriptions(request: Request, who: Annotated[LoggedIn, Depends(desk.reader)]) -> Response:
        with desk.parts.database.read() as session:
            rows = [
                {
                    "row": row, "host": urlsplit(row.url).hostname, "counted": counted_deliveries(session, row.id),
                    "dead": dead_letters(session, row.id)[:MOST_DEAD],
                }
                for row in all_subscriptions(session)
            ]  # fmt: skip
        names = {kind.code: kind.name for kind in desk.parts.catalogue}
        return render(request, "registry/desk_webhooks.html", who=who, rows=rows, names=names, acts=CLERK in who.roles)

    @routes.post("/{subscription_id}/replay")
    def again(subscription_id: str, who: Annotated[LoggedIn, Depends(desk.clerk)]) -> Response:
        with desk.parts.database.write() as session:
            replay(session, subscription_id, None, desk.parts.clock.now(), actor=f"officer:{who.officer}")
        return RedirectResponse("/registry/webhooks", status_code=303)

    return routes
