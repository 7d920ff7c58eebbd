"""Casework on a home's own stores, with the operator's calendar (HOME/calendar.yaml) where there is one."""

from __future__ import annotations

from cli.home_blobs import home_blobs
from signing_service.approvals.casework import Casework
from signing_service.approvals.matter_catalogue import MatterCatalogue
from signing_service.approvals.working_days import WorkingDays
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.settings import Settings

CALENDAR = "calendar.yaml"


def home_casework(settings: Settings, database: Database) -> Casework:
    """The shipped matters, the home's blobs and the machine's clock. Opens nothing but the calendar file."""
    calendar = settings.home / CALENDAR
    days = WorkingDays.read(calendar) if calendar.exists() else WorkingDays()
    return Casework(database, home_blobs(settings), SystemClock(), MatterCatalogue.read(), days)
