"""Notices over a real SMTP server and the file ports: once, retried, given up visibly, and without personal data."""

import json
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from signing_service.errors import Text
from signing_service.people.addresses import AddressInvalid, checked_address
from signing_service.people.contacts import contacts_of, set_contact
from signing_service.people.deliveries import DEAD, DELIVERED, PENDING, RETRYING, WAITS
from signing_service.people.errors import Unknown
from signing_service.people.notice_channels import MAIL, SCREEN, SMS, ScreenFile, SmsFolder, SmtpMail, channels_of
from signing_service.people.notice_outbox import (
    HALL,
    SKIPPED,
    Notice,
    NoticeSender,
    To,
    counts,
    not_delivered,
    queue_notice,
    replay_notice,
)
from signing_service.settings import MailSettings, NoticeSettings, SettingsUnreadable, load_settings

TEXT = Text("办件示办〔2026〕1号已登记,查询码{secret}。{site}", "Case 1 is on record; your code is {secret}. {site}")
SITE = "示例市政印 https://zw.example.cn"


class Post:
    """A mail server's memory; `refuse` is the reply to every recipient while it is set."""

    def __init__(self):
        self.received, self.refuse = [], ""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  # aiosmtpd's name
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # aiosmtpd's name
        self.received.append(envelope)
        return "250 OK"


class AnyPort(Controller):
    """A server on a free port."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Reversed:
    """A vault that tests can read: the text backwards, with what it is bound to."""

    def open(self, sealed, bound_to):
        text, _, bound = sealed.decode()[::-1].partition("|")
        assert bound == bound_to
        return text


def sealed(text, bound_to):
    return f"{text}|{bound_to}"[::-1].encode()


@pytest.fixture(scope="module")
def mail_certificate(tmp_path_factory):
    """A mail server's own certificate and key, in one file."""
    folder, key = tmp_path_factory.mktemp("mail"), ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = folder / "certificate.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, folder / "key.pem")
    return certificate, context


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def mail_server(post, mail_certificate, tmp_path):
    """A real SMTP server with STARTTLS and a log-in; the settings that reach it."""
    certificate, context = mail_certificate

    def authenticator(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"notice", b"example-word")
        return AuthResult(success=good, handled=good)

    controller = AnyPort(
        post, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=authenticator,
    )  # fmt: skip
    controller.start()
    password = tmp_path / "mail-password"
    password.write_text("example-word\n")
    yield MailSettings(
        "127.0.0.1", controller.port, "starttls", "notice@zw.example.cn", "notice", password, str(certificate)
    )
    controller.stop()


@pytest.fixture
def sender(database, clock, mail_server, tmp_path):
    channels = {
        MAIL: SmtpMail(mail_server), SMS: SmsFolder(tmp_path / "sms"), SCREEN: ScreenFile(tmp_path / "hall.json"),
    }  # fmt: skip
    return NoticeSender(database, clock, channels, Reversed(), SITE)


def queue(sender, key, to, text=TEXT):
    with sender.database.write() as session:
        return queue_notice(session, key, "query_code", to, text, sender.clock.now())


def row(sender):
    with sender.database.read() as session:
        return session.query(Notice).one()


def to_applicant(channel, address):
    return To(channel, sealed=sealed(address, "case-1"), bound_to="case-1", secret=sealed("ABCD-2345", "case-1"))


def test_a_mail_goes_out_over_tls_once_and_its_secrets_are_forgotten(sender, post):
    assert queue(sender, "query_code:case-1:mail:1", to_applicant(MAIL, "zhang@home.example"))
    assert not queue(sender, "query_code:case-1:mail:1", to_applicant(MAIL, "zhang@home.example"))
    assert sender.run() == 1
    assert sender.run() == 0
    (mail,) = post.received
    assert mail.rcpt_tos == ["zhang@home.example"]
    assert b"Message-ID: <" in mail.content
    kept = row(sender)
    assert (kept.state, kept.to_sealed, kept.secret_sealed, kept.to) == (DELIVERED, None, None, "")
    assert "ABCD" not in kept.text_zh


def test_sms_and_hall_screen_are_files_for_the_citys_own_systems(sender, tmp_path):
    queue(sender, "a", to_applicant(SMS, "13900000000"))
    queue(sender, "b", HALL, Text("办件 1 已办结", "Case 1 is finished"))
    queue(sender, "c", HALL, Text("办件 2 已办结", "Case 2 is finished"))
    assert sender.run() == 3
    (file,) = (tmp_path / "sms").glob("*.json")
    assert json.loads(file.read_text())["text"] == f"办件示办〔2026〕1号已登记,查询码ABCD-2345。{SITE}"
    assert json.loads(file.read_text())["to"] == "13900000000"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = json.loads((tmp_path / "hall.json").read_text())["lines"]
    assert [line["zh"] for line in lines] == ["办件 2 已办结", "办件 1 已办结"]


def test_a_mail_server_that_is_busy_is_tried_again_and_then_given_up_until_a_person_replays(sender, post, clock):
    post.refuse = "451 try later"
    queue(sender, "a", to_applicant(MAIL, "zhang@home.example"))
    for wait in WAITS:
        assert sender.run() == 1
        assert (row(sender).state, row(sender).last_error) == (RETRYING, "recipient refused (451)")
        assert sender.run() == 0, "it is not due yet"
        clock.advance(seconds=wait.total_seconds())
    assert sender.run() == 1
    assert row(sender).state == DEAD
    with sender.database.read() as session:
        (dead,) = not_delivered(session)
        assert counts(session) == {DEAD: 1}
    assert "zhang" not in dead.last_error
    post.refuse = ""
    with sender.database.write() as session:
        replay_notice(session, dead.id, clock.now())
    assert sender.run() == 1
    assert row(sender).state == DELIVERED
    with sender.database.write() as session, pytest.raises(Unknown):
        replay_notice(session, dead.id, clock.now())


def test_an_address_that_the_server_refuses_for_good_is_not_tried_again(sender, post):
    post.refuse = "550 no such person"
    queue(sender, "a", to_applicant(MAIL, "nobody@home.example"))
    sender.run()
    assert (row(sender).state, row(sender).attempts) == (DEAD, 1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ca_file": ""}, "SSLCertVerificationError"),
        ({"port": 1}, "ConnectionRefusedError"),
        ({"user": "other"}, "SMTPAuthenticationError (535)"),
    ],
)
def test_what_is_wrong_with_the_server_is_named_without_secrets(sender, post, mail_server, change, error):
    channels = {**sender.channels, MAIL: SmtpMail(replace(mail_server, **change))}
    broken = replace(sender, channels=channels)
    queue(sender, "a", to_applicant(MAIL, "zhang@home.example"))
    broken.run()
    assert (row(sender).state, row(sender).last_error) == (RETRYING, error)
    assert post.received == []


def test_a_sender_that_was_killed_has_its_notice_taken_up(sender, post, clock):
    queue(sender, "a", to_applicant(MAIL, "zhang@home.example"))
    assert len(sender._take()) == 1  # and then it is killed
    assert sender.run() == 0
    assert row(sender).state == PENDING
    clock.advance(minutes=5)
    assert sender.run() == 1
    assert len(post.received) == 1


def test_a_home_without_a_channel_keeps_no_address_for_it(sender):
    queue(sender, "a", to_applicant(MAIL, "zhang@home.example"))
    replace(sender, channels={}).run()
    kept = row(sender)
    assert (kept.state, kept.to_sealed, kept.secret_sealed) == (SKIPPED, None, None)


def test_officers_addresses_are_set_and_taken_away_and_logged_without_them(people, clock):
    with people.database.write() as session:
        set_contact(session, "li", MAIL, "li@zw.example.cn", actor="admin-1", at=clock.now())
        set_contact(session, "wang", SMS, "13900000001", actor="admin-1", at=clock.now())
        assert contacts_of(session, ["li", "wang"]) == [
            ("li", To(MAIL, "li@zw.example.cn")),
            ("wang", To(SMS, "13900000001")),
        ]
        set_contact(session, "li", MAIL, "", actor="admin-1", at=clock.now())
        people.remove_officer(session, "wang", "调离", actor="admin-1")
        session.flush()
        assert contacts_of(session, ["li", "wang"]) == []


@pytest.mark.parametrize(
    ("channel", "address"),
    [(MAIL, "no-at-sign"), (MAIL, "a@b\nBcc: x@y"), (SMS, "139 0000"), (SMS, "a@b"), ("fax", "1390000"), (MAIL, "")],
)
def test_addresses_of_another_form_are_refused(channel, address):
    with pytest.raises(AddressInvalid):
        checked_address(channel, address)


def _settings(tmp_path, notices):
    lines = ['profile = "demo"', 'database_url = "sqlite://"', 'token_module = ""', 'city = "示例市"']
    lines += ['base_url = "http://127.0.0.1"', "outbound_hosts = []", "[notices]", *notices]
    (tmp_path / "settings.toml").write_text("\n".join(lines))
    return load_settings(tmp_path)


def test_the_homes_settings_name_the_channels(tmp_path):
    mail = ['mail_server = "mail.example.test:465"', 'mail_from = "notice@example.test"']
    settings = _settings(tmp_path, [*mail, 'sms_folder = "notices/sms"', 'screen_file = "notices/hall.json"'])
    assert settings.notices.sms_folder == tmp_path / "notices/sms"
    assert settings.notices.mail.security == "tls"
    assert set(channels_of(settings)) == {MAIL, SMS, SCREEN}
    assert _settings(tmp_path, []).notices == NoticeSettings()


@pytest.mark.parametrize(
    "entry",
    [
        'mail_server = "without-port"', 'fax = "1"',
        'mail_server = "m.example:25"\nmail_security = "none"\nmail_from = "a@b"',
        'mail_server = "m.example:25"\nmail_from = "a@b"\nmail_user = "u"', 'mail_server = "m.example:25"',
        'mail_server = "m.example:25"\nmail_from = "a@b"\nmail_security = "ssl"',
    ],
)  # fmt: skip
def test_settings_that_are_wrong_are_named(tmp_path, entry):
    with pytest.raises(SettingsUnreadable):
        _settings(tmp_path, [entry])
