"""The worker's tasks for notices: what is due is sent each minute; deadlines and lost keys are looked for."""

from __future__ import annotations

from collections.abc import Callable

from cli.certificate_warnings import once_a_day
from cli.stage import Stage
from signing_service.approvals.deadline_notices import tell_deadlines
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.notice_channels import channels_of
from signing_service.people.notice_outbox import NoticeSender
from signing_service.people.register import PeopleRegister
from signing_service.pki.lost_keys import tell_lost_keys

SENDING, DEADLINES, LOST_KEYS = "notices", "notices.deadlines", "notices.lost_keys"


def notice_work(stage: Stage) -> dict[str, Callable[..., object]]:
    """Each may run twice: a notice has a key, and is queued once for it."""
    settings, work = stage.settings, stage.work
    people = PeopleRegister(stage.database, stage.clock, AuditLog())
    site = f"{settings.city}政印 {settings.base_url}"
    sender = NoticeSender(stage.database, stage.clock, channels_of(settings), work.personal_numbers, site)

    def look_at_deadlines() -> None:
        tell_deadlines(work, people)

    return {
        SENDING: lambda *_rows: sender.run(),
        DEADLINES: once_a_day(look_at_deadlines, stage.clock),
        LOST_KEYS: lambda *_rows: tell_lost_keys(stage.database, stage.clock, people),
    }
