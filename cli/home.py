"""A home folder: made as a whole or not at all, opened by reading its settings.

`init.unfinished` stands in a home while it is being made; a home that was left so is cleared and made anew (ADR 0003).
"""

from __future__ import annotations

import secrets
import shutil
import socket
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware.pin_source import write_pin_file
from hardware.ports import TokenInfo
from hardware.softhsm import SoftHsmStore
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.blobs import write_atomically
from signing_service.settings import FILE_NAME, Settings, load_settings

MARKER = "init.unfinished"
PIN_DIGITS = 8


class HomeOccupied(SigningServiceError):
    """The folder is not ours to fill."""

    code = "home_occupied"

    def __init__(self, home: Path, *, initialised: bool) -> None:
        why = (
            Text("它已经初始化过,不会被覆盖。", "It is initialised already and will not be overwritten.")
            if initialised
            else Text("里面有别的文件。", "It holds other files.")
        )
        super().__init__(
            Text(f"没有初始化 {home}。", f"{home} was not initialised."),
            why=why,
            advice=Text("请用 --home 换一个新文件夹。", "Name a new folder with --home."),
        )


class HomeNotWritable(SigningServiceError):
    code = "home_not_writable"

    def __init__(self, home: Path, why: str) -> None:
        super().__init__(
            Text(f"无法写入 {home}。", f"{home} cannot be written."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请检查磁盘空间和权限,或用 --home 换一个文件夹。",
                "Check disk space and rights, or name another with --home.",
            ),
        )


def is_initialised(home: Path) -> bool:
    return (home / FILE_NAME).exists() and not (home / MARKER).exists()


@contextmanager
def being_made(home: Path) -> Iterator[None]:
    """Claim the folder while it is filled. Raises HomeOccupied, HomeNotWritable."""
    if is_initialised(home):
        raise HomeOccupied(home, initialised=True)
    unfinished = (home / MARKER).exists()
    if home.exists() and any(home.iterdir()) and not unfinished:
        raise HomeOccupied(home, initialised=False)
    try:
        if unfinished:
            shutil.rmtree(home)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        (home / MARKER).touch()
        yield
        (home / MARKER).unlink()
    except OSError as failure:
        raise HomeNotWritable(home, str(failure)) from failure


def write_settings(home: Path, *, profile: str, token_module: str, city: str, database_url: str) -> Settings:
    """Write settings.toml with a free loopback port for the server, and read it back."""
    base_url = f"http://127.0.0.1:{free_port()}"
    lines = [
        "# 政印设置 / Zhengyin settings. No secret belongs here. {home} stands for this folder.",
        f'profile = "{profile}"',
        f'city = "{city}"',
        f'database_url = "{database_url}"',
        f'token_module = "{token_module}"',
        f'base_url = "{base_url}"',
        "# Hosts that may be called although they lie in a private network (host or host:port).",
        f'outbound_hosts = ["{base_url.removeprefix("http://")}"]',
    ]
    lines += [
        '# Timestamp authorities in the order in which they are asked; "own" is ours. See docs/guide/pki.md.',
        '# timestamp_urls = ["https://tsa.example.test/tsa", "own"]',
        "# When an outside CA cannot be asked about a certificate: refuse (default) or accept.",
        '# outside_status_unknown = "refuse"',
        "# Prometheus metrics, on an address that only the inside reaches.",
        '# metrics_listen = "127.0.0.1:9464"',
        "# Look-ups of one address on the public pages, a minute; more where a whole office shares one address.",
        "# public_look_ups_a_minute = 30",
    ]
    lines += [
        "",
        "# Where notices go (docs/guide/clerk.md). Left out: none of that kind. Paths lie in the home.",
        "[notices]",
        '# mail_server = "mail.example.test:465"',
        '# mail_security = "tls"  # tls, starttls, or none for a relay on the loopback address',
        '# mail_from = "notice@example.test"',
        '# mail_user = "notice"',
        '# mail_password_file = "pins/mail"',
        f'{"" if profile == "demo" else "# "}sms_folder = "notices/sms"',
        f'{"" if profile == "demo" else "# "}screen_file = "notices/hall.json"',
    ]
    write_atomically(home / FILE_NAME, ("\n".join(lines) + "\n").encode())
    return load_settings(home)


def make_tokens(settings: Settings, labels: tuple[str, ...]) -> dict[str, TokenInfo]:
    """One SoftHSM token for each label; PINs in owner-only files (see `pin_file`), SO PINs beside them."""
    store = SoftHsmStore(settings.tokens)
    settings.pins.mkdir(mode=0o700, exist_ok=True)
    made = {}
    for label in labels:
        user_pin, so_pin = new_pin(), new_pin()
        made[label] = store.create(label, user_pin=user_pin, so_pin=so_pin)
        write_pin_file(pin_file(settings, label), user_pin)
        write_pin_file(settings.pins / f"{label}.so-pin", so_pin)
    return made


def pin_file(settings: Settings, label: str) -> Path:
    """Where a demo home keeps the PIN of a token."""
    return settings.pins / f"{label}.pin"


def new_pin() -> str:
    return "".join(secrets.choice(string.digits) for _ in range(PIN_DIGITS))


def free_port() -> int:
    """A port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
