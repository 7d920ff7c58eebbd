"""The ways out for notices: mail by SMTP, SMS and hall screen as files that the city's own systems take up.

SMS is a port: a gateway reads one JSON file for each message from the folder and removes it when it has sent it. The
file `{id}.json` holds `id` (stable: the same message again has the same one), `kind`, `to` and `text`.
The hall screen's file holds the newest lines, newest first, and is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol

from signing_service.errors import Text
from signing_service.kernel.blobs import write_atomically
from signing_service.kernel.smtp import MailServer, connected
from signing_service.settings import MailSettings, Settings

SMS, MAIL, SCREEN = "sms", "mail", "screen"
LINES_ON_SCREEN = 40


class NoticeFailed(Exception):
    """A notice that did not go out. `cause` names no address and no text; `final`: trying again cannot help."""

    def __init__(self, cause: str, *, final: bool = False) -> None:
        super().__init__(cause)
        self.cause, self.final = cause, final


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out: `to` is a telephone number or mail address, empty for the hall screen."""

    key: str
    kind: str
    to: str
    text: Text

    @property
    def id(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]


class Channel(Protocol):
    def send(self, message: Message) -> None:
        """Raises NoticeFailed. The same message may come twice: `Message.id` stays the same."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpMail:
    """Mail by SMTP (RFC 5321), Chinese first. `tls` from the start, `starttls`, or `none` on a loopback relay."""

    settings: MailSettings

    def send(self, message: Message) -> None:
        try:
            with connected(self._server()) as server:
                server.send_message(self._mail(message))
        except smtplib.SMTPRecipientsRefused as failure:
            code = next(iter(failure.recipients.values()))[0]
            raise NoticeFailed(f"recipient refused ({code})", final=code >= 500) from None
        except smtplib.SMTPResponseException as failure:
            raise NoticeFailed(f"{type(failure).__name__} ({failure.smtp_code})") from None
        except (smtplib.SMTPException, OSError, ValueError) as failure:
            raise NoticeFailed(type(failure).__name__) from None

    def _server(self) -> MailServer:
        given = self.settings
        password = given.password_file if given.user else None
        return MailServer(given.host, given.port, given.security, given.user, password, given.ca_file)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self.settings.sender, message.to
        mail["Subject"] = message.text.zh.split("。", maxsplit=1)[0]
        mail["Date"] = format_datetime(datetime.now(UTC))
        domain = self.settings.sender.rpartition("@")[2].rstrip(">") or "localhost"
        mail["Message-ID"] = f"<{message.id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"{message.text.zh}\n\n{message.text.en}\n")
        return mail


@dataclass(frozen=True, slots=True)
class SmsFolder:
    """One file for each message, for the city's SMS gateway."""

    folder: Path

    def send(self, message: Message) -> None:
        content = {"id": message.id, "kind": message.kind, "to": message.to, "text": message.text.zh}
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self.folder / f"{message.id}.json", _json(content))
        except OSError as failure:
            raise NoticeFailed(f"{type(failure).__name__}: {failure.strerror}") from None


@dataclass(frozen=True, slots=True)
class ScreenFile:
    """The newest lines for the screen in the hall; everybody there may read them. One sender writes at a time."""

    file: Path

    def send(self, message: Message) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            before = json.loads(self.file.read_bytes())["lines"] if self.file.exists() else []
            line = {"id": message.id, "zh": message.text.zh, "en": message.text.en}
            lines = [line, *(one for one in before if one["id"] != message.id)][:LINES_ON_SCREEN]
            write_atomically(self.file, _json({"lines": lines}), mode=0o644)
        except (OSError, ValueError, KeyError, TypeError) as failure:
            raise NoticeFailed(type(failure).__name__) from None


def channels_of(settings: Settings) -> Mapping[str, Channel]:
    """The channels that the home's settings name."""
    chosen: dict[str, Channel] = {}
    if settings.notices.mail is not None:
        chosen[MAIL] = SmtpMail(settings.notices.mail)
    if settings.notices.sms_folder is not None:
        chosen[SMS] = SmsFolder(settings.notices.sms_folder)
    if settings.notices.screen_file is not None:
        chosen[SCREEN] = ScreenFile(settings.notices.screen_file)
    return chosen


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
