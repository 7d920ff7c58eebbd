"""Whole USB keys on a virtual bus: real libusb, udev, pcscd, libccid and OpenSC between the key and our program.

What a machine without USB cannot show stays untried here: the kernel's own enumeration, a key that is no CCID device.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from hardware.module_paths import find_module

HERE, PROJECT = Path(__file__).parent, Path(__file__).resolve().parents[2]
PIN = "123456"
EPASS = {"usb_id": "096e:0807", "manufacturer": "Feitian", "product": "ePass2003"}
YUBIKEY = {"usb_id": "1050:0407", "manufacturer": "Yubico", "product": "YubiKey OTP+FIDO+CCID"}


class Talk:
    """A process that answers each JSON line with one."""

    def __init__(self, *command: object, **more: object) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
        )

    def hear(self) -> dict:
        line = self._process.stdout.readline()
        assert line, f"ended with {self._process.wait(10)}"
        return json.loads(line)

    def say(self, message: object) -> dict:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return self.hear()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Bus:
    """The virtual bus, and the environment of whatever is to meet it."""

    def __init__(self) -> None:
        self._talk = Talk("umockdev-wrapper", sys.executable, HERE / "virtual_usb.py", stderr=subprocess.DEVNULL)
        self.environment = {**os.environ, **self._talk.hear(), "PYTHONPATH": str(PROJECT)}
        self._plugged: set[str] = set()

    def plug(self, name: str, **kind: str) -> None:
        self._talk.say({"plug": name, **kind})
        self._plugged.add(name)

    def pull(self, name: str) -> None:
        self._talk.say({"pull": name})
        self._plugged.discard(name)

    def clear(self) -> None:
        for name in sorted(self._plugged):
            self.pull(name)

    def end(self) -> None:
        self._talk.end()


@pytest.fixture(scope="module")
def opensc():
    found = find_module("opensc-pkcs11.so")
    if found is None:
        pytest.skip("needs OpenSC (apt-get install opensc)")
    return found


@pytest.fixture(scope="module")
def powered_bus(tmp_path_factory):
    """The bus and a PC/SC service on it; keys are plugged while both run."""
    if shutil.which("umockdev-wrapper") is None or not Path("/usr/lib/python3/dist-packages/gi").exists():
        pytest.skip("needs umockdev, gir1.2-umockdev-1.0 and python3-gi")
    if os.geteuid() != 0 or shutil.which("pcscd") is None:
        pytest.skip("needs root and pcscd")
    service = Path("/run/pcscd/pcscd.comm")
    if service.exists():
        pytest.skip("this machine's own PC/SC service is in use")
    service.parent.mkdir(exist_ok=True)
    bus = Bus()
    configuration = tmp_path_factory.mktemp("pcscd")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    daemon = subprocess.Popen(["pcscd", "-f", "-i", "-c", configuration], env=bus.environment, **quiet)
    deadline = time.monotonic() + 20
    while not service.exists():
        assert time.monotonic() < deadline
        assert daemon.poll() is None
        time.sleep(0.05)
    yield bus
    daemon.kill()
    daemon.wait(10)
    bus.end()
    for name in ("pcscd.comm", "pcscd.pid"):
        service.with_name(name).unlink(missing_ok=True)


@pytest.fixture
def bus(powered_bus, state_folder, monkeypatch):
    monkeypatch.setitem(powered_bus.environment, "XDG_STATE_HOME", str(state_folder))
    yield powered_bus
    powered_bus.clear()


class Desk:
    """Our program at the desk, see `desk_program`."""

    def __init__(self, bus: Bus, module: str) -> None:
        self._talk = Talk(sys.executable, HERE / "desk_program.py", module, env=bus.environment)

    def __call__(self, name: str, *arguments: object) -> object:
        answer = self._talk.say([name, arguments])
        return answer.get("value", answer)

    def rows_once(self, ready) -> list[dict]:
        """The table, as soon as `ready` says yes of it; looked at again after each event."""
        deadline = time.monotonic() + 30
        while not ready(rows := self("rows")):
            assert time.monotonic() < deadline, rows
            self("next_event", "reader")
        return rows

    def end(self) -> None:
        self._talk.end()


@pytest.fixture
def desk(bus, opensc):
    program = Desk(bus, opensc)
    program("watch", False)
    yield program
    program.end()


def ready(count: int):
    return lambda rows: sum(row["state"] == "ready" for row in rows) == count and len(rows) == count


# --- seeing -----------------------------------------------------------------------------------------------------


def test_device_reader_and_slot_are_one_row_and_two_keys_of_a_kind_are_told_apart(bus, desk):
    bus.plug("SN-A", **EPASS)
    bus.plug("SN-B", **EPASS)
    rows = desk.rows_once(ready(2))
    assert sorted(row["usb_serial"] for row in rows) == ["SN-A", "SN-B"]
    for row in rows:
        assert (row["name"], row["usb_id"]) == ("Feitian ePass2003", "096e:0807")
        assert f"({row['usb_serial']})" in row["reader"]
        assert row["label"] == f"sample officer {row['usb_serial']}"
        assert row["module"].endswith("opensc-pkcs11.so")
    assert len({row["serial"] for row in rows}) == 2


def test_the_command_lists_it_without_being_told_any_module(bus, desk):
    bus.plug("SN-A", **EPASS)
    desk.rows_once(ready(1))
    listed = subprocess.run(
        [sys.executable, "-m", "cli", "keys", "list", "--json"], env=bus.environment, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    (row,) = [row for row in json.loads(listed.stdout)["keys"] if row["usb_id"] or row["reader"]]
    assert (row["state"], row["usb_id"], row["usb_serial"]) == ("ready", "096e:0807", "SN-A")
    assert row["reader"].startswith("Feitian ePass2003")


# --- signing, pulling, plugging again -----------------------------------------------------------------------------


def test_signs_is_pulled_is_plugged_again_and_signs(bus, desk):
    bus.plug("SN-C", **YUBIKEY)
    (row,) = desk.rows_once(ready(1))
    assert desk("open", row["serial"], PIN) == 1
    assert desk("sign", "before") is True
    bus.pull("SN-C")
    refused = desk("sign", "while out")
    assert "TokenGone" in refused["kinds"], refused["error"]
    assert desk.rows_once(lambda rows: rows == []) == []
    bus.plug("SN-C", **YUBIKEY)
    desk.rows_once(ready(1))
    assert desk("sign", "after") is True


# --- events -------------------------------------------------------------------------------------------------------


def test_plugging_and_pulling_are_events_of_the_usb_bus_the_reader_and_the_slot(bus, opensc):
    program = Desk(bus, opensc)
    program("watch", True)
    try:
        for act in (lambda: bus.plug("SN-A", **EPASS), lambda: bus.pull("SN-A")):
            act()
            for kind in ("usb", "reader"):
                assert program("next_event", kind) == kind
        bus.plug("SN-A", **EPASS)
        assert program("next_event", "slot") == "slot"
    finally:
        program.end()


def _interruptible() -> None:
    """As in a terminal, also when the tests run in a shell's background, which has its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_watch_in_a_real_terminal_shows_plug_pull_and_plug(bus, opensc):
    terminal = pexpect.spawn(
        sys.executable, ["-m", "cli", "keys", "list", "--watch", "--module", opensc],
        env={**bus.environment, "LC_ALL": "zh_CN.UTF-8"}, encoding="utf-8", timeout=60, dimensions=(40, 200),
        preexec_fn=_interruptible,
    )  # fmt: skip
    try:
        terminal.expect("没有发现")
        for pulled_after in (True, False):
            bus.plug("SN-A", **EPASS)
            terminal.expect(r"已插入：Feitian ePass2003 \(SN-A\)")
            terminal.expect("ready\t.*sample officer SN-A")
            if pulled_after:
                bus.pull("SN-A")
                terminal.expect(r"已拔出：Feitian ePass2003 \(SN-A\)")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 130
