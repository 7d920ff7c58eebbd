"""A mailbox as a witness: checkpoints go to somebody outside by SMTP, who keeps them and can compare at any time.

A mailbox refuses nothing: what does not extend an earlier checkpoint shows when its owner checks a bundle with the one
that he holds (`zhengyin audit verify --checkpoint`). The message is plain text, the note as it is.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Literal

from signing_service.evidence.checkpoint import LogKey, opened
from signing_service.evidence.witness import WitnessUnavailable

Security = Literal["tls", "starttls", "none"]
ATTACHMENT = "checkpoint.txt"


@dataclass(frozen=True, slots=True)
class MailServer:
    """`password_file`: owner-only, read when it is used; none: no log-in. `security` none is for the same machine."""

    host: str
    port: int
    security: Security = "tls"
    user: str = ""
    password_file: Path | None = None
    timeout_seconds: float = 20.0


class MailWitness:
    """`every`: at most one message in that time; a mailbox is not filled each minute."""

    def __init__(
        self, server: MailServer, sender: str, recipient: str, *keys: LogKey, every: timedelta = timedelta(hours=1)
    ) -> None:
        self._server, self._sender, self._recipient, self._keys = server, sender, recipient, keys
        self.every = every

    @property
    def name(self) -> str:
        return f"mailto:{self._recipient}"

    def keep(self, note: str, proof_from: Callable[[int], Sequence[bytes]]) -> str:
        """Hand the note to the mail server; the receipt is the message's id. Raises WitnessUnavailable."""
        message = self._message(note)
        try:
            with self._connection() as connection:
                connection.send_message(message)
        except (OSError, smtplib.SMTPException) as failure:
            raise WitnessUnavailable(self.name, _said(failure)) from failure
        return str(message["Message-ID"])

    def _message(self, note: str) -> EmailMessage:
        checkpoint, message = opened(note, *self._keys), EmailMessage()
        message["From"], message["To"] = self._sender, self._recipient
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        message["Subject"] = f"{checkpoint.origin} {checkpoint.size}"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(
            f"审计日志 {checkpoint.origin} 的检查点,共 {checkpoint.size} 条。请保存附件,不要删除;"
            "核对证据时用它:zhengyin audit verify 证据.zip --checkpoint checkpoint.txt\n\n"
            f"A checkpoint of the audit log {checkpoint.origin} over {checkpoint.size} entries. Keep the attachment: "
            "evidence is checked against it.\n"
        )
        message.add_attachment(note.encode(), maintype="application", subtype="octet-stream", filename=ATTACHMENT)
        return message

    def _connection(self) -> smtplib.SMTP:
        server, context = self._server, ssl.create_default_context()
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_seconds, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
        try:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.password_file is not None:
                connection.login(server.user, server.password_file.read_text("utf-8").strip())
        except BaseException:
            with suppress(OSError, smtplib.SMTPException):
                connection.close()
            raise
        return connection


def _said(failure: Exception) -> str:
    """Without what was sent: an answer to a log-in may repeat it."""
    if isinstance(failure, smtplib.SMTPResponseException):
        return f"SMTP {failure.smtp_code}"
    return f"{type(failure).__name__}: {failure}" if isinstance(failure, OSError) else type(failure).__name__
