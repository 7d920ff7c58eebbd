"""Real libusb and pyusb on a USB bus that umockdev makes up: what discovery sees of keys that are plugged in."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys

import pytest

SCAN = """
import dataclasses, json
from hardware.discovery.known_keys import known_keys
from hardware.discovery.key_table import key_table
from hardware.discovery.usb_devices import scan_usb
scan = scan_usb()
rows = key_table(scan.devices, [], [], known_keys())
print(json.dumps({"reason": scan.reason, "devices": [dataclasses.asdict(each) for each in scan.devices],
                  "states": {row.name: row.state for row in rows}}))
"""


def descriptors(vendor: int, product: int, device_class: int, interface_class: int) -> str:
    """Device, configuration and one interface (USB 2.0, 9.6), in hexadecimal."""
    device = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, device_class, 0, 0, 64, vendor, product, 0x0100, 1, 2, 3, 1)
    body = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, interface_class, 0, 0, 0)
    body += struct.pack("<BBBBHB", 7, 5, 0x81, 3, 8, 255)
    return (device + struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 1, 1, 0, 0x80, 50) + body).hex().upper()


def device(name: str, number: int, usb_id: str, interface: int, *, device_class: int = 0, **attributes: str) -> str:
    """One device and its interface in umockdev's description language."""
    vendor, product = usb_id.split(":")
    raw = descriptors(int(vendor, 16), int(product, 16), device_class, interface)
    path = f"/devices/usb1/{name}" if name != "usb1" else "/devices/usb1"
    known = {
        "busnum": "1",
        "devnum": str(number),
        "idVendor": vendor,
        "idProduct": product,
        "bDeviceClass": f"{device_class:02x}",
        "bConfigurationValue": "1",
        "speed": "12",
        **attributes,
    }
    lines = [f"P: {path}", f"N: bus/usb/001/{number:03d}={raw}", "E: DEVTYPE=usb_device", "E: SUBSYSTEM=usb"]
    lines += [f"E: DEVNAME=/dev/bus/usb/001/{number:03d}", "E: BUSNUM=001", f"E: DEVNUM={number:03d}", "E: MAJOR=189"]
    lines += [
        f"E: MINOR={number - 1}",
        *(f"A: {key}={value}\\n" for key, value in known.items()),
        f"H: descriptors={raw}",
    ]
    side = [
        f"P: {path}/{name}:1.0",
        "E: DEVTYPE=usb_interface",
        "E: SUBSYSTEM=usb",
        f"A: bInterfaceClass={interface:02x}\\n",
    ]
    return "\n".join([*lines, "", *side, "", ""])


@pytest.fixture
def bus(tmp_path):
    if shutil.which("umockdev-run") is None:
        pytest.skip("needs umockdev-run (apt-get install umockdev)")

    def seen(*devices: str) -> dict:
        description = tmp_path / "bus.umockdev"
        description.write_text(device("usb1", 1, "1d6b:0002", 9, device_class=9) + "".join(devices))
        answer = subprocess.run(
            ["umockdev-run", "--device", description, "--", sys.executable, "-c", SCAN],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return seen


def test_keys_on_the_bus_are_listed_with_serial_and_class(bus):
    found = bus(
        device("1-1", 2, "096e:0807", 0x0B, manufacturer="FT", product="ePass2003", serial="SN0001"),
        device("1-2", 3, "5448:0001", 0x03, product="HTKey"),
    )
    assert found["reason"] == ""  # libusb answered too
    devices = {each["usb_id"]: each for each in found["devices"]}
    assert set(devices) == {"096e:0807", "5448:0001"}
    assert devices["096e:0807"]["serial"] == "SN0001"
    assert devices["096e:0807"]["interfaces"] == ["0b"]
    assert devices["5448:0001"]["serial"] == ""
    assert found["states"]["HaiTai (海泰) HTKey"] == "not_supported"
    assert "Feitian ePass2003" in found["states"]


def test_an_empty_bus_is_no_error(bus):
    assert bus()["devices"] == []
