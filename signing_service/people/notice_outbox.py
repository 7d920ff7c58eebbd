"""Notices to persons (SMS, mail, hall screen): an outbox that retries, gives up visibly, and forgets addresses.

A text never holds personal data. What may not be read in the database, an applicant's address and a query code, lies
in a notice sealed, is opened when it is sent, and is erased once the notice has arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import LargeBinary, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.errors import ExplainedError, Text
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.people.deliveries import DEAD, DELIVERED, PENDING, RETRYING, send_again, settle
from signing_service.people.errors import Unknown
from signing_service.people.notice_channels import SCREEN, Channel, Message, NoticeFailed

SKIPPED = "skipped"
"""The home has no such channel."""
SECRET, SITE = "{secret}", "{site}"
IN_HAND = timedelta(minutes=5)
"""A sender that was killed has its notices taken up by another after this."""
AT_ONCE = 200


class Vault(Protocol):
    """Opens what was sealed for one thing. May go to custody, so no transaction is open."""

    def open(self, sealed: bytes, bound_to: str) -> str: ...


class Notice(Base):
    """One message over one channel. `key` makes it once for ever; `to` is an officer's address or empty, `to_sealed`
    an applicant's, bound with `secret_sealed` to `bound_to`. Texts hold {secret} and {site} as places."""

    __tablename__ = "people_notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(8))
    to: Mapped[str] = mapped_column(String(200), default="")
    to_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    bound_to: Mapped[str] = mapped_column(String(64), default="")
    text_zh: Mapped[str] = mapped_column(String(300))
    text_en: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(16), index=True, default=PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class To:
    """Over which channel and where to: `address` in clear (an officer's), or `sealed` and bound to `bound_to`."""

    channel: str
    address: str = ""
    sealed: bytes | None = None
    bound_to: str = ""
    secret: bytes | None = None


HALL = To(SCREEN)


def queue_notice(session: Session, key: str, kind: str, to: To, text: Text, at: datetime) -> bool:
    """Put a notice into the caller's transaction; False when this key was queued before."""
    if session.scalar(select(Notice.id).where(Notice.key == key)) is not None:
        return False
    session.add(
        Notice(
            key=key, kind=kind, channel=to.channel, to=to.address, to_sealed=to.sealed, secret_sealed=to.secret,
            bound_to=to.bound_to, text_zh=text.zh, text_en=text.en, due_at=at, created_at=at,
        )
    )  # fmt: skip
    return True


def not_delivered(session: Session) -> Sequence[Notice]:
    """Those that were given up, newest first: for a person to look at."""
    return list(session.scalars(select(Notice).where(Notice.state == DEAD).order_by(Notice.id.desc()).limit(500)))


def counts(session: Session) -> dict[str, int]:
    """How many notices are in each state."""
    found = session.execute(select(Notice.state, func.count()).group_by(Notice.state))
    return {str(state): int(number) for state, number in found}


def replay_notice(session: Session, notice_id: int, at: datetime) -> Notice:
    """A dead notice once more. Raises Unknown."""
    notice = session.get(Notice, notice_id)
    if notice is None or notice.state != DEAD:
        raise Unknown(Text("未送达通知", "undelivered notice"), str(notice_id))
    send_again(notice, at)
    return notice


@dataclass(frozen=True, slots=True)
class NoticeSender:
    """The worker's part. `site`: how the service names itself and where it is reached, for the texts."""

    database: Database
    clock: Clock
    channels: Mapping[str, Channel]
    vault: Vault
    site: str

    def run(self) -> int:
        """One round; returns how many were tried. Nothing is open while a channel is waited for."""
        taken = self._take()
        for notice in taken:
            channel = self.channels.get(notice.channel)
            if channel is None:
                self._skip(notice.id)
            else:
                self._settle(notice.id, *self._try(notice, channel))
        return len(taken)

    def _take(self) -> Sequence[Notice]:
        """What is due, put off for other senders while it is in hand."""
        now = self.clock.now()
        query = select(Notice).where(Notice.state.in_((PENDING, RETRYING)), Notice.due_at <= now)
        with self.database.write() as session:
            due = list(session.scalars(query.order_by(Notice.id).limit(AT_ONCE).with_for_update(skip_locked=True)))
            for notice in due:
                notice.due_at = now + IN_HAND
            session.flush()
            session.expunge_all()
        return due

    def _try(self, notice: Notice, channel: Channel) -> tuple[str, bool]:
        """What went wrong ("": nothing), and whether trying again cannot help."""
        try:
            to, secret = notice.to, ""
            if notice.to_sealed is not None:
                to = self.vault.open(notice.to_sealed, notice.bound_to)
            if notice.secret_sealed is not None:
                secret = self.vault.open(notice.secret_sealed, notice.bound_to)
            text = Text(*(_filled(one, secret, self.site) for one in (notice.text_zh, notice.text_en)))
            channel.send(Message(notice.key, notice.kind, to, text))
        except NoticeFailed as failure:
            return failure.cause, failure.final
        except ExplainedError as failure:
            return failure.code, False
        return "", False

    def _settle(self, notice_id: int, error: str, final: bool) -> None:
        now = self.clock.now()
        with self.database.write() as session:
            notice = session.get_one(Notice, notice_id)
            settle(notice, error, now)
            if final:
                notice.state = DEAD
            if notice.state == DELIVERED:
                notice.sent_at, notice.to, notice.to_sealed, notice.secret_sealed = now, "", None, None

    def _skip(self, notice_id: int) -> None:
        with self.database.write() as session:
            notice = session.get_one(Notice, notice_id)
            notice.state, notice.last_error = SKIPPED, "no such channel in the settings"
            notice.to, notice.to_sealed, notice.secret_sealed = "", None, None


def _filled(text: str, secret: str, site: str) -> str:
    return text.replace(SITE, site).replace(SECRET, secret)
