"""A mailbox as a witness: checkpoints go to somebody outside by SMTP, who keeps them and can compare at any time.

A mailbox refuses nothing: what does not extend an earlier checkpoint shows when its owner checks a bundle with the one
that he holds (`zhengyin audit verify --checkpoint`). The message is plain text, the note as it is.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from signing_service.evidence.checkpoint import LogKey, opened
from signing_service.evidence.witness import WitnessUnavailable
from signing_service.kernel.smtp import MailServer, connected

ATTACHMENT = "checkpoint.txt"


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
            with connected(self._server) as connection:
                connection.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as failure:
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


def _said(failure: Exception) -> str:
    """Without what was sent: an answer to a log-in may repeat it."""
    if isinstance(failure, smtplib.SMTPResponseException):
        return f"SMTP {failure.smtp_code}"
    return f"{type(failure).__name__}: {failure}" if isinstance(failure, OSError) else type(failure).__name__
