"""One way to a mail server (RFC 5321): TLS from the start, STARTTLS, or none where the server is on this machine."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """`password_file`: owner-only, read at every log-in; none: no log-in. `security` none is for the same machine.
    `ca_file` empty: the system's roots."""

    host: str
    port: int
    security: Security = "tls"
    user: str = ""
    password_file: Path | None = None
    ca_file: str = ""
    timeout_seconds: float = 15.0


def connected(server: MailServer) -> smtplib.SMTP:
    """Open and logged in; closed by leaving it as a context. Raises OSError (SSLError among them), SMTPException, and
    UnicodeDecodeError for a password file that is no text."""
    context = ssl.create_default_context(cafile=server.ca_file or None)
    if server.security == "tls":
        opened: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=server.timeout_seconds, context=context
        )
    else:
        opened = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
    try:
        if server.security == "starttls":
            opened.starttls(context=context)
        if server.password_file is not None:
            opened.login(server.user, server.password_file.read_text("utf-8").strip())
    except BaseException:
        with suppress(OSError, smtplib.SMTPException):
            opened.close()
        raise
    return opened
