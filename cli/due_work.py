"""What retention and renewal have to do on a home: for the supervision page, the commands and the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from cert_registry.audit.retention import SHIPPED, THEN_WORDS, Class, delete_due, read_schedule, what_is_due
from cert_registry.web.supervision_parts import DueRow
from cli.renewing import new_documents
from cli.stage import Stage
from signing_service.errors import Text
from signing_service.kernel.clock import local
from signing_service.settings import Settings
from signing_service.verification.renewal import MARGIN
from signing_service.verification.renewal_book import due

SOON = timedelta(days=90)
"""How long before the worker takes it up a renewal is shown."""
MOST_COUNTED = 1000
DELETE_EVERY = timedelta(hours=1)


def schedule(settings: Settings) -> Mapping[str, Class]:
    """The home's own where it has one. Raises RetentionUnreadable."""
    own = settings.home / "retention.yaml"
    return read_schedule(own if own.exists() else SHIPPED)


def due_rows(stage: Stage) -> list[DueRow]:
    """Renewals first: those that failed, those due or nearly so; then kinds of data that were kept long enough."""
    now = stage.clock.now()
    with stage.database.read() as session:
        documents = due(session, now + MARGIN + SOON)
        kept = what_is_due(session, schedule(stage.settings), now)
        unknown = len(new_documents(session, MOST_COUNTED))
    failed = [row for row in documents if row.failure]
    waiting = [row for row in documents if not row.failure]
    found = []
    if unknown:
        words = Text("期限尚未登记的文件(由后台登记)", "documents whose end is not known yet (the worker looks)")
        found.append(DueRow(words, unknown, "—"))
    for rows, zh, en in (
        (failed, "续期未成功的文件(用 zhengyin audit renewals 查看原因)",
         "documents that could not be renewed (zhengyin audit renewals tells why)"),
        (waiting, "时间戳需要续期的文件(由后台办理)", "documents whose timestamp is to be renewed (by the worker)"),
    ):  # fmt: skip
        ends = [row.ends_at for row in rows if row.ends_at is not None]
        if rows:
            found.append(DueRow(Text(zh, en), len(rows), f"{local(min(ends)):%Y-%m-%d}" if ends else "—"))
    for each in kept:
        then = THEN_WORDS[each.then]
        words = Text(f"{each.words.zh}:{then.zh}", f"{each.words.en}: {then.en}")
        found.append(DueRow(words, each.count, each.by.isoformat()))
    return found


def retention_work(stage: Stage) -> Callable[..., object]:
    """The worker's part, once an hour."""
    next_at = [stage.clock.now()]

    def run_if_due(*_rows: object) -> None:
        now = stage.clock.now()
        if now < next_at[0]:
            return
        with stage.database.write() as session:
            delete_due(session, schedule(stage.settings), now)
        next_at[0] = now + DELETE_EVERY

    return run_if_due
