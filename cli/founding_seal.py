"""Founding a home, the agency seal: applied for, approved, made, filed and activated on record; its first standing."""

from __future__ import annotations

from datetime import timedelta

from cli import cast
from cli.seal_making import make_structure
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.seals.founding import record_founded_seal
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import Kind, Why
from signing_service.settings import Settings

VALID_FOR = timedelta(days=3 * 365)
WHY = Why("建立示例环境", "示例市印章备案(示例)")


def found_seal(settings: Settings, database: Database, clock: Clock) -> None:
    """The default seal, with the key and certificate that custody's policy already names for it."""
    register, now = SealRegister(database, clock, AuditLog()), clock.now()
    application = Application(
        cast.DEFAULT_SEAL, Kind.STATUTORY, cast.APPROVING.name, cast.APPROVING.code, cast.APPROVING.id,
        (cast.SEAL_HOLDER.id,), SealDesign(cast.APPROVING.name, diameter_mm=cast.SEAL_DIAMETER_MM), now,
        now + VALID_FOR,
    )  # fmt: skip
    record_founded_seal(register, application, lambda row: make_structure(settings, register, row), WHY)
