"""The bundle's page for people: what is inside, what it proves, and how to check it with public tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.clock import in_words

TEMPLATES = Path(__file__).parent / "templates"


def bundle_page(manifest: Mapping[str, Any], entries: Sequence[AuditEntry]) -> str:
    """One HTML page that needs nothing beside it."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["in_words"] = in_words
    return environment.get_template("bundle.html").render(manifest=manifest, entries=entries)
