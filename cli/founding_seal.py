"""Founding a home, the agency seal: drawn from the agency's name, kept where sealing finds it."""

from __future__ import annotations

from cli import cast
from cli.founding_keys import Founded
from cli.opened_home import save_picture
from signing_service.kernel.database import Database
from signing_service.seals.picture import SealDesign, draw_seal
from signing_service.settings import Settings


def found_seal(settings: Settings, database: Database, founded: Founded) -> None:
    """The default seal's picture."""
    picture = draw_seal(SealDesign(name=cast.APPROVING.name, diameter_mm=cast.SEAL_DIAMETER_MM))
    save_picture(settings, cast.DEFAULT_SEAL, picture)
