"""The whole web application of a home: the signing service's, with the registry's API and pages added."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from cert_registry.errors import Text
from cert_registry.web.api import make_api
from cert_registry.web.log_endpoints import make_log
from cert_registry.web.officer_desk import OfficerDesk
from cert_registry.web.officer_pages import make_officer_pages
from cert_registry.web.pages import make_pages
from cert_registry.web.parts import RegistryParts
from cert_registry.web.status_lists import make_status_lists
from cert_registry.web.statuses import install
from cert_registry.web.supervision_act_pages import make_supervision_acts
from cert_registry.web.supervision_pages import make_supervision
from signing_service import app as service
from signing_service.kernel.pages import Link

__all__ = ["RegistryParts", "create_app"]
WEB = Path(__file__).parent / "web"
VERIFY, REGISTRY = Link("/v", Text("核验", "Verify")), Link("/registry", Text("证照", "Licences"))
CASE = Link("/case", Text("我的办件", "My case"))
SUPERVISION = Link("/supervision", Text("监察", "Supervision"))


def create_app(parts: RegistryParts) -> FastAPI:
    """Composes; opens nothing. With `parts.service` it is the whole application of the home.

    The OpenAPI document is at /api/openapi.json, a page for people at /api/docs.
    """
    given = parts.service or service.Parts(database=parts.database, clock=parts.clock)
    own = [make_api(parts), make_log(parts.database), make_status_lists(parts), make_pages(parts)]
    links = [*given.links, *([CASE] if parts.applicants is not None else [])]
    if parts.browsers is not None:
        own.insert(0, make_officer_pages(OfficerDesk(parts, parts.browsers, parts.wake_bulk)))
        links.append(REGISTRY)
    links.append(VERIFY)
    if parts.supervision is not None:
        own += [make_supervision_acts(parts.supervision), make_supervision(parts.supervision)]
        links.append(SUPERVISION)
    whole = replace(
        given,
        routers=[*given.routers, *own],
        links=links,
        static={**given.static, "/static/registry": WEB / "static"},
        templates=[*given.templates, WEB / "templates"],
    )
    app = service.create_app(parts.settings.home, whole)
    install(app)
    return app
