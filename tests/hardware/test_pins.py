"""PINs: where they come from, and where they are never seen.

Field report B55: PINs in logs, an empty PIN sent to the token, a PIN file's line end taken for part of the PIN.
"""

from __future__ import annotations

import ctypes
import logging
import os
import traceback
from pathlib import Path

import pytest

from hardware.driver import open_token
from hardware.errors import PinFileMissing, PinFileUnsafe, PinIncorrect, PinInvalid
from hardware.pin_guard import PinGuard
from hardware.pin_source import clean_pin, read_pin_descriptor, read_pin_file, write_pin_file

USER_PIN = "246810"
WRONG = "739164"


def test_a_pin_file_is_written_owner_only_and_read_without_its_line_end(tmp_path):
    path = tmp_path / "pin"
    write_pin_file(path, USER_PIN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"{USER_PIN}\n"
    assert read_pin_file(path) == USER_PIN
    with pytest.raises(FileExistsError):
        write_pin_file(path, "1")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_pin_file_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "pin"
    path.write_text(USER_PIN)
    path.chmod(mode)
    with pytest.raises(PinFileUnsafe, match=f"{mode:04o}"):
        read_pin_file(path)


def test_a_link_in_place_of_a_pin_file_is_refused(tmp_path):
    write_pin_file(tmp_path / "pin", USER_PIN)
    (tmp_path / "link").symlink_to(tmp_path / "pin")
    with pytest.raises(PinFileMissing):
        read_pin_file(tmp_path / "link")
    with pytest.raises(PinFileMissing):
        read_pin_file(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "\n", "12\n34", "1" * 300, "12\x0034"])
def test_what_cannot_be_a_pin_is_refused_before_it_is_sent(text):
    with pytest.raises(PinInvalid):
        clean_pin(text)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_pin_by_descriptor(end):
    reading, writing = os.pipe()
    os.write(writing, (USER_PIN + end).encode())
    os.close(writing)
    assert read_pin_descriptor(reading) == USER_PIN
    os.close(reading)


def test_an_empty_pin_is_never_sent(store, token):
    with pytest.raises(PinInvalid):
        open_token(store.module, serial=token.serial, pin="")
    assert open_token(store.module, serial=token.serial).info.user_pin.value == "normal"


def test_a_refused_pin_is_in_no_log_traceback_or_marker(store, token, caplog, state_folder):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PinIncorrect) as caught:
        open_token(store.module, serial=token.serial, pin=WRONG)
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.explain("zh") + caplog.text
    assert WRONG not in shown
    files = [path for path in state_folder.rglob("*") if path.is_file()]
    assert len(files) == 2  # the key and the marker
    for path in files:
        assert WRONG.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_no_reference_to_a_pin_is_kept_after_use(store, token):
    import gc

    pin = "".join(["24", "6810"])
    with open_token(store.module, serial=token.serial, pin=pin, write=True) as opened:
        opened.generate("p256", label="k", id=b"\x01")
        holders = [each for each in gc.get_referrers(pin) if not hasattr(each, "f_code")]
        assert all(each is globals() for each in holders)


def core_is_off(process: int) -> bool:
    """By what the kernel says: no size allowed, and the process's own files closed to its account."""
    limits = Path(f"/proc/{process}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    return line.split()[4:6] == ["0", "0"]


def test_core_dumps_are_off_once_a_pin_was_used(store, token):
    open_token(store.module, serial=token.serial, pin=USER_PIN).close()
    assert core_is_off(os.getpid())
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE: also where a program takes the dumps


def test_a_module_host_has_no_pin_in_its_arguments_or_environment_and_dumps_no_core(faulty, token, hosts_of):
    """Field report B55 (PINs in logs and arguments): the process is looked into that really holds the PIN."""
    with open_token(faulty.module, serial=token.serial, pin=USER_PIN, keep_pin=True) as opened:
        assert opened.keys() == []
        (host,) = hosts_of(faulty.module)
        assert core_is_off(host)
        for process in (host, os.getpid()):
            for what in ("cmdline", "environ"):
                assert USER_PIN.encode() not in Path(f"/proc/{process}/{what}").read_bytes()


def test_markers_of_one_token_do_not_concern_another(tmp_path):
    guard = PinGuard(tmp_path)
    assert guard.folder == tmp_path
    with guard.turn("a") as turn:
        turn.refused(WRONG)
    assert guard.mark_of("a", WRONG) != guard.mark_of("b", WRONG) != guard.mark_of("b", USER_PIN)
    guard.forget("a")
    assert not [path for path in tmp_path.glob("*.lock") if path.read_bytes()]
