"""Settings of one home folder: `HOME/settings.toml`, read once and handed down as a value.

Everything that a process needs to find its database, blobs, tokens and neighbours. PINs are never here: they lie in
owner-only files under `HOME/pins` (demo) or wherever the operator's `pin-source` points.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:  # its mail library is slow to load, and a cold `sign` reads settings too
    from signing_service.kernel.smtp import Security

FILE_NAME = "settings.toml"
Profile = Literal["demo", "production"]
UnknownStatus = Literal["refuse", "accept"]
OWN_TSA = "own"
"""Among `timestamp_urls`: our own timestamp authority."""
MOST_TSAS = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PUBLIC_LOOK_UPS_A_MINUTE, MOST_LOOK_UPS = 30, 6000
_NEEDED = {"profile", "database_url", "token_module", "city", "base_url", "outbound_hosts"}
_OPTIONAL = {
    "timestamp_urls",
    "outside_status_unknown",
    "notices",
    "metrics_listen",
    "public_look_ups_a_minute",
}
_NOTICES = {
    "mail_server", "mail_security", "mail_from", "mail_user", "mail_password_file", "mail_ca_file", "sms_folder",
    "screen_file",
}  # fmt: skip


class SettingsUnreadable(SigningServiceError):
    code = "settings_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"无法读取设置 {path}。", f"The settings {path} cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请先运行 zhengyin init,或用 --home 指明主目录。",
                "Run `zhengyin init` first, or name the home folder with --home.",
            ),
        )


@dataclass(frozen=True, slots=True)
class MailSettings:
    """An SMTP server. `password_file` is read at every log-in; `ca_file` empty: the system's roots."""

    host: str
    port: int
    security: Security
    sender: str
    user: str
    password_file: Path
    ca_file: str


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """Channels for notices; None where the home has none."""

    mail: MailSettings | None = None
    sms_folder: Path | None = None
    screen_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it has a value; paths are absolute. `timestamp_urls`: the timestamp authorities in the order in which they
    are asked. `outside_status_unknown`: what to do when an outside CA cannot be asked about a certificate.
    `metrics_listen`: HOST:PORT of the inside where metrics are served, empty: nowhere. `public_look_ups_a_minute`: of
    one address on the public pages; more where a whole office shares one address."""

    home: Path
    profile: Profile
    database_url: str
    token_module: str
    city: str
    base_url: str
    outbound_hosts: frozenset[str]
    timestamp_urls: tuple[str, ...] = (OWN_TSA,)
    outside_status_unknown: UnknownStatus = "refuse"
    notices: NoticeSettings = NoticeSettings()
    metrics_listen: str = ""
    public_look_ups_a_minute: int = PUBLIC_LOOK_UPS_A_MINUTE

    @property
    def is_demo(self) -> bool:
        return self.profile == "demo"

    @property
    def blobs(self) -> Path:
        return self.home / "blobs"

    @property
    def tokens(self) -> Path:
        return self.home / "tokens"

    @property
    def pins(self) -> Path:
        return self.home / "pins"

    @property
    def trust(self) -> Path:
        return self.home / "trust"

    @property
    def custody(self) -> Path:
        return self.home / "custody"

    @property
    def custody_socket(self) -> Path:
        return self.custody / "custody.sock"


def load_settings(home: Path) -> Settings:
    """Read HOME/settings.toml. Raises SettingsUnreadable, naming the entry that is wrong."""
    path = home.resolve() / FILE_NAME
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise SettingsUnreadable(path, str(failure)) from failure
    return _from_entries(home.resolve(), path, entries)


def _from_entries(home: Path, path: Path, entries: dict[str, object]) -> Settings:
    wrong = sorted((_NEEDED - entries.keys()) | (entries.keys() - _NEEDED - _OPTIONAL))
    if wrong:
        raise SettingsUnreadable(path, f"missing or unknown entries: {', '.join(wrong)}")
    profile, hosts = entries["profile"], entries["outbound_hosts"]
    if profile not in ("demo", "production"):
        raise SettingsUnreadable(path, "profile must be demo or production")
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise SettingsUnreadable(path, "outbound_hosts must be a list of host names")
    return Settings(
        home=home,
        profile="demo" if profile == "demo" else "production",
        database_url=str(entries["database_url"]).replace("{home}", str(home)),
        token_module=str(entries["token_module"]),
        city=str(entries["city"]),
        base_url=str(entries["base_url"]),
        outbound_hosts=frozenset(hosts),
        timestamp_urls=_timestamp_urls(path, entries.get("timestamp_urls", [OWN_TSA])),
        outside_status_unknown=_unknown_status(path, entries.get("outside_status_unknown", "refuse")),
        notices=_notices(home, path, entries.get("notices", {})),
        metrics_listen=_inside(path, str(entries.get("metrics_listen", ""))),
        public_look_ups_a_minute=_look_ups(path, entries.get("public_look_ups_a_minute", PUBLIC_LOOK_UPS_A_MINUTE)),
    )


def _notices(home: Path, path: Path, entries: object) -> NoticeSettings:
    """[notices]; paths are relative to the home."""
    if not isinstance(entries, dict) or not entries.keys() <= _NOTICES:
        raise SettingsUnreadable(path, f"[notices] knows {', '.join(sorted(_NOTICES))}")
    given = {name: str(value) for name, value in entries.items()}
    sms, screen = given.get("sms_folder"), given.get("screen_file")
    return NoticeSettings(
        _mail(home, path, given) if "mail_server" in given else None,
        home / sms if sms else None,
        home / screen if screen else None,
    )


def _mail(home: Path, path: Path, given: dict[str, str]) -> MailSettings:
    host, _, port = given["mail_server"].rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsUnreadable(path, "mail_server is written HOST:PORT")
    ways: dict[str, Security] = {"tls": "tls", "starttls": "starttls", "none": "none"}
    security = ways.get(given.get("mail_security", "tls"))
    if security is None:
        raise SettingsUnreadable(path, "mail_security must be tls, starttls or none")
    user, password = given.get("mail_user", ""), given.get("mail_password_file", "")
    if "@" not in given.get("mail_from", "") or bool(user) != bool(password):
        raise SettingsUnreadable(path, "mail_from is an address; mail_user and mail_password_file go together")
    if security == "none" and (user or host not in LOOPBACK):
        raise SettingsUnreadable(path, "mail_security none is for a relay on the loopback address, without a user")
    ca_file = given.get("mail_ca_file", "")
    return MailSettings(
        host, int(port), security, given["mail_from"], user, home / password, str(home / ca_file) if ca_file else ""
    )


def _timestamp_urls(path: Path, urls: object) -> tuple[str, ...]:
    if not isinstance(urls, list) or not 0 < len(urls) <= MOST_TSAS or len(set(map(str, urls))) != len(urls):
        raise SettingsUnreadable(path, f"timestamp_urls must list one to {MOST_TSAS} different addresses")
    if not all(url == OWN_TSA or str(url).startswith(("http://", "https://")) for url in urls):
        raise SettingsUnreadable(path, f'timestamp_urls: each is an http(s) address, or "{OWN_TSA}" for our own')
    return tuple(str(url) for url in urls)


def _inside(path: Path, listen: str) -> str:
    """An address that only the inside reaches: metrics are not for the public."""
    host, _, port = listen.rpartition(":")
    try:
        if not listen:
            return listen
        address = ip_address(host.strip("[]"))
        if address.is_private and not address.is_unspecified and 0 <= int(port) < 65536:
            return listen
    except ValueError:
        pass
    raise SettingsUnreadable(path, "metrics_listen must be an inside address, e.g. 127.0.0.1:9464")


def _look_ups(path: Path, number: object) -> int:
    if type(number) is not int or not 0 < number <= MOST_LOOK_UPS:
        raise SettingsUnreadable(path, f"public_look_ups_a_minute is a number from 1 to {MOST_LOOK_UPS}")
    return number


def _unknown_status(path: Path, word: object) -> UnknownStatus:
    if word == "refuse":
        return "refuse"
    if word == "accept":
        return "accept"
    raise SettingsUnreadable(path, "outside_status_unknown must be refuse or accept")
