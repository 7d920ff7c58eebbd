"""A mailbox as a witness, over a real SMTP server: with TLS and log-in, seldom, and what a failing one says."""

from __future__ import annotations

import email
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from cli.home import free_port
from signing_service.evidence.checkpoint import opened
from signing_service.evidence.log_checkpoints import LogCheckpoints, LogSigner, LogWitnessed
from signing_service.evidence.mail_witness import MailWitness
from signing_service.evidence.witness import WitnessUnavailable
from signing_service.evidence.witness_health import OLD, unwitnessed
from signing_service.kernel.database import Database
from signing_service.kernel.smtp import MailServer

from .test_log_checkpoints import AT, KEY, TOKEN, log

PASSWORD = "plainly-a-test-password"  # of a server that lives as long as the test


class MovingClock:
    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at


class Mailbox:
    """aiosmtpd's handler: keeps what comes, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.refusing = False

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        if self.refusing:
            return "452 mailbox full"
        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 kept"


def only_the_right_password(_server: object, _session: object, _envelope: object, _mechanism: str, given: Any):
    assert isinstance(given, LoginPassword)
    return AuthResult(success=given.password == PASSWORD.encode(), handled=False)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A mail server's certificate that this process trusts."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    pem = tmp_path / "mail.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.fixture
def mailbox(certificate: ssl.SSLContext) -> Iterator[tuple[Mailbox, Controller]]:
    box = Mailbox()
    server = Controller(
        box, hostname="localhost", port=free_port(), tls_context=certificate, require_starttls=True, auth_required=True,
        authenticator=only_the_right_password,
    )  # fmt: skip
    server.start()
    yield box, server
    server.stop()


def witness(server: Controller, folder: Path, password: str = PASSWORD) -> MailWitness:
    file = folder / "mail.password"
    file.write_text(password)
    return MailWitness(
        MailServer("localhost", server.port, "starttls", "log", file, timeout_seconds=5), "log@example.test",
        "auditor@example.test", KEY.public_key(), every=timedelta(hours=1),
    )  # fmt: skip


def book(database: Database, clock: MovingClock, *witnesses: MailWitness) -> LogCheckpoints:
    signer = LogSigner("log.example.test", KEY.public_key(), KEY.sign, lambda digest: TOKEN + digest)
    return LogCheckpoints(database, clock, signer, witnesses)


def test_the_mailbox_has_the_checkpoint_once_an_hour(
    database: Database, mailbox: tuple[Mailbox, Controller], tmp_path: Path
) -> None:
    box, server = mailbox
    clock = MovingClock()
    kept = book(database, clock, witness(server, tmp_path))
    for minutes, size in ((0, 2), (30, 5), (61, 7)):
        clock.at = AT + timedelta(minutes=minutes)
        log(database, size)
        kept.issue()
        assert kept.bring_to_witnesses() == []
    notes = [part.get_content().decode() for message in box.messages for part in message.iter_attachments()]
    assert [opened(note, KEY.public_key()).size for note in notes] == [2, 14]
    with database.read() as session:
        receipts = session.scalars(select(LogWitnessed.receipt)).all()
    assert sorted(receipts) == sorted(message["Message-ID"] for message in box.messages)


def test_a_full_mailbox_is_told_and_made_up_for(
    database: Database, mailbox: tuple[Mailbox, Controller], tmp_path: Path
) -> None:
    box, server = mailbox
    kept = book(database, MovingClock(), witness(server, tmp_path))
    log(database, 1)
    kept.issue()
    box.refusing = True
    (failure,) = kept.bring_to_witnesses()
    assert isinstance(failure, WitnessUnavailable)
    assert "452" in str(failure)
    box.refusing = False
    assert kept.bring_to_witnesses() == []
    assert len(box.messages) == 1


def test_a_wrong_password_is_not_repeated_in_what_is_said(
    database: Database, mailbox: tuple[Mailbox, Controller], tmp_path: Path
) -> None:
    kept = book(database, MovingClock(), witness(mailbox[1], tmp_path, "wrong-secret"))
    log(database, 1)
    kept.issue()
    (failure,) = kept.bring_to_witnesses()
    assert "535" in str(failure)
    assert "wrong-secret" not in str(failure)


def test_a_server_without_our_trust_gets_no_password(
    database: Database, mailbox: tuple[Mailbox, Controller], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    kept = book(database, MovingClock(), witness(mailbox[1], tmp_path))
    log(database, 1)
    kept.issue()
    assert "CERTIFICATE_VERIFY_FAILED" in str(kept.bring_to_witnesses()[0])
    assert mailbox[0].messages == []


def test_who_is_behind_for_long_is_told(database: Database) -> None:
    with database.read() as session:
        assert unwitnessed(session, {"a": timedelta(0)}, AT + 10 * OLD) == []
    log(database, 1)
    with database.write() as session:
        session.add(LogWitnessed(size=1, witness="a", at=AT + timedelta(minutes=1), receipt=""))
    names = {"a": timedelta(0), "b": timedelta(0), "daily": timedelta(days=1)}
    with database.read() as session:
        assert unwitnessed(session, names, AT + OLD) == []
        late = unwitnessed(session, names, AT + OLD + timedelta(minutes=2))
    assert [(each.witness, each.since) for each in late] == [("b", None)]
