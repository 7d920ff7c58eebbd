"""Each way in which the main job can go wrong says what happened, why, and what to do; nothing is left half-made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from .conftest import Demo, zhengyin


def test_without_softhsm_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hardware import softhsm
    from hardware.softhsm import SoftHsmMissing, SoftHsmStore

    monkeypatch.setattr(softhsm, "find_module", lambda _name: None)
    with pytest.raises(SoftHsmMissing) as raised:
        _ = SoftHsmStore(tmp_path).module
    assert "softhsm2" in raised.value.explain("zh")


def test_a_wrong_pin_stops_the_step_and_is_never_tried_again(demo: Demo) -> None:
    pin = demo.home / "pins" / "reviewer-1.pin"
    right = pin.read_text()
    pin.write_text("00000000")
    try:
        first = zhengyin(demo.home, "demo")
        second = zhengyin(demo.home, "demo")
    finally:
        pin.write_text(right)
    assert first.returncode == second.returncode == 1
    assert "PIN" in first.stderr
    assert "PIN" in second.stderr
    assert "Traceback" not in first.stderr + second.stderr
    assert "00000000" not in first.stderr + second.stderr
    assert zhengyin(demo.home, "demo").returncode == 0


def test_a_taken_port_is_named_and_the_demo_takes_another(demo: Demo) -> None:
    address = next(line for line in (demo.home / "settings.toml").read_text().splitlines() if line.startswith("base"))
    port = int(address.rsplit(":", 1)[1].strip('"'))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        served = zhengyin(demo.home, "serve")
        assert served.returncode == 1
        assert f"127.0.0.1:{port} is taken" in served.stderr
        assert zhengyin(demo.home, "demo").returncode == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no pdf at all", "PDF"), (b"%PDF-1.7\n%%EOF\n", "PDF")],
)
def test_an_unreadable_file_is_refused_by_name(demo: Demo, tmp_path: Path, content: bytes, message: str) -> None:
    given = tmp_path / "bad.pdf"
    given.write_bytes(content)
    before = sorted((demo.home / "output").iterdir())
    done = zhengyin(demo.home, "demo", "--pdf", str(given))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((demo.home / "output").iterdir()) == before


def test_a_missing_file_is_named(demo: Demo, tmp_path: Path) -> None:
    done = zhengyin(demo.home, "demo", "--pdf", str(tmp_path / "nowhere.pdf"))
    assert done.returncode == 1
    assert "nowhere.pdf" in done.stderr


def test_an_encrypted_file_is_named(demo: Demo, tmp_path: Path) -> None:
    import pikepdf

    given = tmp_path / "locked.pdf"
    with pikepdf.open(demo.report["files"]["unsealed"]) as document:
        document.save(given, encryption=pikepdf.Encryption(user="secret", owner="owner"))
    done = zhengyin(demo.home, "demo", "--pdf", str(given))
    assert done.returncode == 1
    assert "password" in done.stderr


def test_an_unreachable_tsa_is_named_and_nothing_is_signed(demo: Demo) -> None:
    from cli.listening import listen
    from cli.opened_home import open_home
    from cli.stage import http_timestamper
    from signing_service.pki.tsp_client import TimestampUnreachable

    with listen("http://127.0.0.1", 0) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(TimestampUnreachable, match=url):
        http_timestamper(open_home(demo.home), url).timestamp(b"\0" * 32)
