"""Look-ups by anybody: counted by address, logged without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError
from cert_registry.web.calls import Trace
from cert_registry.web.parts import RegistryParts
from cert_registry.web.rate_limit import RateLimit
from signing_service.kernel.audit_log import Act, AuditLog

KIND, ACTOR = "public.verified", "public"
Work = Callable[[Session, datetime, Trace], dict[str, Any]]


class PublicAccess:
    """Owner of the counters for addresses."""

    def __init__(self, parts: RegistryParts) -> None:
        self.parts = parts
        self._limit = RateLimit(parts.database, parts.clock, "address", parts.settings.home.public_look_ups_a_minute)

    def count(self, request: Request) -> None:
        """Raises TooManyRequests: identifiers cannot be tried through."""
        self._limit.take(request.client.host if request.client else "-")

    def run(self, request: Request, work: Work) -> dict[str, Any]:
        """Do it and log it in one transaction; a refusal in one of its own."""
        now, trace = self.parts.clock.now(), Trace()
        try:
            with self.parts.database.write() as session:
                value = work(session, now, trace)
                AuditLog().record(session, _act(trace), now)
                return value
        except ExplainedError as refusal:
            AuditLog().refuse(self.parts.database, _act(trace), now, refusal.code)
            raise


def _act(trace: Trace) -> Act:
    details = {"department_name": "公众", **trace.details}
    return Act(KIND, ACTOR, trace.subject, digest=trace.digest, details=details)
