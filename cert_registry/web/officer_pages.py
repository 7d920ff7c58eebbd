"""Everything below /registry put together. Nothing is opened here."""

from __future__ import annotations

from fastapi import APIRouter

from cert_registry.web.officer_bulk import bulk_pages
from cert_registry.web.officer_desk import OfficerDesk
from cert_registry.web.officer_events import event_pages
from cert_registry.web.officer_grants import grant_pages
from cert_registry.web.officer_issue import issue_pages
from cert_registry.web.officer_licence import licence_pages
from cert_registry.web.officer_search import search_pages


def make_officer_pages(desk: OfficerDesk) -> APIRouter:
    """None of it is in the departments' OpenAPI document."""
    pages = APIRouter(include_in_schema=False)
    for made in (search_pages, issue_pages, grant_pages, bulk_pages, event_pages, licence_pages):
        pages.include_router(made(desk))
    return pages
