"""The table of what is plugged in, from sysfs trees and scans as they come.

Field report B13: without libusb, or with a serial that cannot be read, nothing is listed at all.
"""

from __future__ import annotations

import queue
import threading

import pytest

from hardware.discovery.changes import Changes
from hardware.discovery.event_sources import SlotEvents
from hardware.discovery.key_table import key_table
from hardware.discovery.known_keys import known_keys, recognise
from hardware.discovery.readers import Reader
from hardware.discovery.slots import ModuleScan, scan_module
from hardware.discovery.survey import survey
from hardware.discovery.usb_devices import UsbDevice, scan_usb
from hardware.errors import KnownKeysUnreadable, ModuleTimeout
from hardware.ports import PinState, TokenInfo
from hardware.records import SlotReport

YUBIKEY = UsbDevice("1050:0407", 1, 2, "Yubico", "YubiKey OTP+FIDO+CCID", "0011259375", ("0b",))
READER = Reader("Yubico YubiKey OTP+FIDO+CCID (0011259375) 00 00", True)


def scan(module: str, slot: str, serial: str = "abc") -> ModuleScan:
    token = TokenInfo(serial, "示例", "m", "v", module, user_pin=PinState.LOW)
    return ModuleScan(module, (SlotReport(0, slot, serial, "示例", True),), (token,))


def states(rows):
    return [(row.name, row.state) for row in rows]


# --- the data ---------------------------------------------------------------------------------------------------


def test_every_known_key_is_well_formed():
    keys = known_keys()
    assert len(keys) == 38
    for key in keys:
        assert key.usb_ids
        assert all(len(usb_id) == 9 and usb_id[4] == ":" and int(usb_id.replace(":", ""), 16) for usb_id in key.usb_ids)
        assert set(key.speaks) <= {"pkcs11", "skf", "vendor"}
        assert key.has_pkcs11 or not key.modules


def test_a_key_is_recognised_by_id_and_interface():
    keys = known_keys()
    assert recognise(keys, "096e:0807", ["0b"]).name == "Feitian ePass2003"
    assert recognise(keys, "055c:e618", ["08"]) is None  # the id with another interface class
    assert recognise(keys, "04b4:1234", []) is None  # an id that others use too
    assert recognise(keys, "ffff:ffff", ["0b"]) is None


def test_the_operators_own_file_comes_first(tmp_path):
    own = tmp_path / "keys.csv"
    own.write_text("usb_ids,name,interface,speaks,linux\n096e:0807,本市的密钥,0b,pkcs11,libours.so\n", encoding="utf-8")
    found = recognise(known_keys(own), "096e:0807", ["0b"])
    assert (found.name, found.modules) == ("本市的密钥", ("libours.so",))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"name,linux\n\xd6\xd0,libours.so\n",
        b"usb_ids,linux\n096e:0807,libours.so\n",
        "usb_ids,name\n096e,示例密钥\n".encode(),
        "usb_ids,name\n096e:0807,示例密钥\n,另一种\n".encode(),
    ],
)
def test_an_operator_s_file_that_is_no_such_table_is_named(tmp_path, content):
    own = tmp_path / "keys.csv"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(KnownKeysUnreadable, match=r"keys\.csv"):
        known_keys(own)


def test_an_operator_s_file_saved_by_a_spreadsheet_is_read(tmp_path):
    own = tmp_path / "keys.csv"
    own.write_text("usb_ids,name,linux\n1234:5678,示例密钥,libours.so\n", encoding="utf-8-sig")
    assert known_keys(own)[0].name == "示例密钥"


# --- USB --------------------------------------------------------------------------------------------------------


@pytest.fixture
def sysfs(tmp_path):
    def plug(name: str, **attributes: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        for attribute, value in attributes.items():
            (folder / attribute).write_text(f"{value}\n")

    plug("1-1", idVendor="096e", idProduct="0807", busnum="1", devnum="2", product="ePass2003", serial="SN0001")
    plug("1-1:1.0", bInterfaceClass="0b")
    plug("1-2", idVendor="055c", idProduct="e618", busnum="1", devnum="3", product="mToken")
    plug("usb1", idVendor="1d6b", idProduct="0002", bDeviceClass="09", busnum="1", devnum="1")
    return tmp_path


def test_sysfs_gives_devices_with_serials_and_without_hubs(sysfs):
    seen = {device.usb_id: device for device in scan_usb(sysfs).devices}
    assert seen["096e:0807"].serial == "SN0001"
    assert seen["096e:0807"].interfaces == ("0b",)
    assert seen["055c:e618"].serial == ""  # unreadable or absent: listed all the same
    assert "1d6b:0002" not in seen


def test_without_libusb_and_sysfs_the_scan_says_so_and_tokens_are_listed(store, token, tmp_path, monkeypatch):
    import usb.core

    def no_backend(**_: object) -> None:
        raise usb.core.NoBackendError("No backend available")

    monkeypatch.setattr(usb.core, "find", no_backend)
    scanned = scan_usb(tmp_path / "absent")
    assert not scanned.available
    assert "No backend" in scanned.reason
    assert [row.serial for row in survey(modules=[store.module]).rows] == [token.serial]


def test_without_libusb_sysfs_is_enough(sysfs, monkeypatch):
    import usb.core

    def no_backend(**_: object) -> None:
        raise usb.core.NoBackendError("No backend available")

    monkeypatch.setattr(usb.core, "find", no_backend)
    scanned = scan_usb(sysfs)
    assert scanned.available
    assert len(scanned.devices) == 2


# --- the join ---------------------------------------------------------------------------------------------------


def test_device_reader_and_slot_are_one_row():
    rows = key_table([YUBIKEY], [READER], [scan("/lib/libykcs11.so", READER.name)], known_keys())
    assert states(rows) == [("YubiKey 4/5 with CCID", "ready")]
    assert (rows[0].serial, rows[0].usb_serial, rows[0].reader, rows[0].pin) == (
        "abc",
        "0011259375",
        READER.name,
        PinState.LOW,
    )


def test_two_modules_for_one_key_are_two_rows_of_that_key():
    scans = [scan("/lib/libykcs11.so", READER.name), scan("/lib/opensc-pkcs11.so", READER.name, "xyz")]
    rows = key_table([YUBIKEY], [READER], scans, known_keys())
    assert [row.serial for row in rows] == ["abc", "xyz"]
    assert {row.usb_id for row in rows} == {"1050:0407"}


def test_a_missing_driver_is_named():
    device = UsbDevice("0529:0602", 1, 2, product="eToken", interfaces=("0b",))
    (row,) = key_table([device], [], [], known_keys())
    assert row.state == "driver_missing"
    assert "libeToken.so" in row.advice.zh


def test_a_key_that_speaks_only_skf_is_named_not_yet_supported():
    (row,) = key_table([UsbDevice("5448:0001", 1, 2)], [], [], known_keys())
    assert (row.name, row.state) == ("HaiTai (海泰) HTKey", "not_supported")
    assert "SKF/SM2" in row.advice.en


def test_a_module_that_failed_makes_its_key_faulty(tmp_path):
    own = tmp_path / "keys.csv"
    module = tmp_path / "libours.so"
    module.write_bytes(b"")
    own.write_text(
        f"usb_ids,name,linux,windows,macos\n1234:0001,示例密钥,{module},{module},{module}\n", encoding="utf-8"
    )
    failed = ModuleScan(str(module), problem=ModuleTimeout(module=str(module)))
    (row,) = key_table([UsbDevice("1234:0001", 1, 2)], [], [failed], known_keys(own))
    assert row.state == "faulty"


def test_readers_and_tokens_without_usb_have_rows_of_their_own():
    rows = key_table([], [Reader("Virtual PCD 00 00", False), Reader("Other 00 00", True)], [scan("/a.so", "")], [])
    assert states(rows) == [("Virtual PCD 00 00", "empty"), ("Other 00 00", "unknown"), ("a.so", "ready")]


def test_a_module_that_hangs_or_crashes_costs_its_own_line_only(faulty, token):
    faulty.faults(cant_lock=0)
    assert [info.serial for info in scan_module(faulty.module).tokens] == [token.serial]
    broken = scan_module(__file__)
    assert broken.problem.code == "module_unusable"


# --- changes ----------------------------------------------------------------------------------------------------


def test_slots_tell_through_a_host_and_the_wait_can_be_ended(faulty):
    faulty.faults(slot_events=2)  # two events, then silence
    source, told = SlotEvents(faulty.module), queue.SimpleQueue()
    watcher = threading.Thread(target=source.watch, args=(lambda: told.put("slot"),))
    watcher.start()
    assert [told.get(timeout=30), told.get(timeout=30)] == ["slot", "slot"]
    source.stop()
    watcher.join(30)
    assert not watcher.is_alive()
    assert told.empty()


def test_a_module_without_slot_events_is_asked_once(faulty):
    told = []
    SlotEvents(faulty.module).watch(lambda: told.append("slot"))  # SoftHSM does not have them: it returns
    assert told == []
    assert faulty.seen("waits") == 1


def test_what_was_told_meanwhile_is_one_look():
    changes = Changes(poll_seconds=3600)
    for kind in ("usb", "reader", "usb", "slot"):
        changes._events.put(kind)
    assert next(iter(changes)) >= {"usb", "reader", "slot"}
    changes.stop()


def test_without_any_event_the_watch_polls_slowly_and_stops_at_once():
    changes = Changes(poll_seconds=0.01)
    assert next(iter(changes)) == {"poll"}
    changes.stop()
    assert list(changes) == []
