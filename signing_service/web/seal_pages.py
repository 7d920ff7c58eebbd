"""Everything below /seals put together. Nothing is opened here."""

from __future__ import annotations

from fastapi import APIRouter

from signing_service.web import (
    seal_act_pages,
    seal_application_pages,
    seal_condition_pages,
    seal_emergency_pages,
    seal_list_pages,
    seal_order_pages,
    seal_succession_pages,
)
from signing_service.web.seal_parts import SealParts

PAGES = (
    seal_application_pages, seal_order_pages, seal_emergency_pages, seal_succession_pages, seal_list_pages,
    seal_act_pages, seal_condition_pages,
)  # fmt: skip


def make_seal_pages(parts: SealParts) -> tuple[APIRouter, ...]:
    """Addresses of no single seal (/seals/-/…) come before those of one."""
    return tuple(page.router(parts) for page in PAGES)
