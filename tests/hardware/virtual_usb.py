"""A USB bus made by umockdev with whole smart-card keys on it: `umockdev-wrapper python virtual_usb.py`.

Whoever inherits this process's environment meets the bus with unmodified libusb, pyusb, libudev, pcscd and libccid:
sysfs entries, device nodes, udev events, and the ioctls of usbfs (Linux: include/uapi/linux/usbdevice_fs.h), by which
real CCID messages reach the card. Commands come as JSON lines on stdin: {"plug": NAME, "usb_id": …, …}, {"pull": NAME}.
Each is answered by a line on stdout; the first line is the environment that a process needs to be on this bus.

What this is not: a kernel's USB stack. No electrical plug, no enumeration, no driver binding, no other device classes.
"""

from __future__ import annotations

import datetime
import errno
import gzip
import json
import os
import struct
import sys
import threading
import time
from collections import deque

import ccid_key
import piv_card
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

# GObject introspection is a Debian package for Debian's Python and of no use in a virtual environment's own folder.
sys.path.append("/usr/lib/python3/dist-packages")
import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

SUBMIT, DISCARD, REAP, REAP_NOW = 0x8038550A, 0x550B, 0x4008550C, 0x4008550D
CAPABILITIES, SPEED_AND_NUMBER, DRIVER, PASS_ON = 0x8004551A, 0x40085511, 0x41045508, 0xC0105512
CLAIM, RELEASE, CONFIGURE, CLEAR_HALT = 0x8004550F, 0x80045510, 0x80045505, 0x80045515
RESET, INTERFACE, DETACH_AND_CLAIM = 0x5514, 0x80085504, 0x8108551B
GRANTED = {CLAIM, RELEASE, CONFIGURE, CLEAR_HALT, RESET, INTERFACE, DETACH_AND_CLAIM}
URB_SIZE, BUFFER_AT, STATUS_AT, LENGTH_AT, ACTUAL_AT = 56, 16, 4, 24, 28
CONTROL, GET_DESCRIPTOR, STRING = 2, (0x80, 6), 3
# An empty queue is asked again at once: without this pause the asker keeps a processor busy.
IDLE_SECONDS = 0.0005


class Urb:
    """One USB request block in the memory of the process that submitted it."""

    def __init__(self, data) -> None:
        self.data = data
        raw = bytes(data.retrieve())
        self.kind, self.endpoint = raw[0], raw[1]
        (self.length,) = struct.unpack_from("<i", raw, LENGTH_AT)
        self._buffer = data.resolve(BUFFER_AT, self.length) if self.length else None

    def sent(self) -> bytes:
        return bytes(self._buffer.retrieve()) if self._buffer else b""

    def complete(self, status: int, content: bytes | None = None, *, at: int = 0) -> Urb:
        """`status` as the kernel gives it; `content` is put into the buffer, None: all of it was taken."""
        if content:
            self._buffer.update(at, content)
        self.data.update(STATUS_AT, struct.pack("<i", status))
        self.data.update(ACTUAL_AT, struct.pack("<i", self.length if content is None else len(content)))
        return self


class Handle:
    """What one open file of the device node has done and not yet reaped."""

    def __init__(self) -> None:
        self.done: deque[Urb] = deque()
        self.waiting: list[Urb] = []

    def end_waiting(self, status: int) -> None:
        self.done.extend(urb.complete(-status, b"") for urb in self.waiting)
        self.waiting.clear()


class UsbFs(UMockdev.IoctlBase):
    """usbfs of one key. Once it is `gone`, pending requests end with ESHUTDOWN and new ones with ENODEV."""

    __gtype_name__ = "ZhengyinVirtualUsbKey"

    def configure(self, key: ccid_key.CcidKey, strings: dict[int, bytes]) -> UsbFs:
        self._key, self._strings = key, strings
        self._answers: deque[bytes] = deque()
        self._handles: dict[int, Handle] = {}
        self.gone = False
        return self

    def do_handle_ioctl(self, client) -> bool:
        request, argument = client.get_property("request") & 0xFFFFFFFF, client.get_property("arg")
        handle = self._handles.setdefault(hash(client), Handle())
        if self.gone:
            handle.end_waiting(errno.ESHUTDOWN)
        result = -self._do(request, argument, handle)
        client.complete(-1 if result else 0, -result)
        return True

    def _do(self, request: int, argument, handle: Handle) -> int:
        """0 or an errno."""
        if request in (REAP, REAP_NOW):
            return self._reap(argument, handle)
        if self.gone:
            return errno.EINVAL if request == DISCARD else errno.ENODEV
        if request == SUBMIT:
            self._submit(Urb(argument.resolve(0, URB_SIZE)), handle)
        elif request == DISCARD:
            handle.end_waiting(errno.ENOENT)
        elif request == CAPABILITIES:
            argument.resolve(0, 4).update(0, struct.pack("<I", 1))
        elif request == SPEED_AND_NUMBER:
            argument.resolve(0, 8).update(0, struct.pack("<IB3x", 2, 0))
        elif request in (DRIVER, PASS_ON):
            return errno.ENODATA
        elif request not in GRANTED:
            return errno.ENOTTY
        return 0

    def _reap(self, argument, handle: Handle) -> int:
        if handle.done:
            argument.resolve(0, 8).set_ptr(0, handle.done.popleft().data)
            return 0
        if self.gone:
            return errno.ENODEV
        time.sleep(IDLE_SECONDS)
        return errno.EAGAIN

    def _submit(self, urb: Urb, handle: Handle) -> None:
        if urb.kind == CONTROL:
            handle.done.append(self._control(urb))
        elif urb.endpoint == ccid_key.BULK_OUT:
            self._answers.append(self._key(urb.sent()))
            handle.done.append(urb.complete(0))
            self._deliver(handle)
        else:
            handle.waiting.append(urb)
            self._deliver(handle)

    def _control(self, urb: Urb) -> Urb:
        kind, request, value, _, length = struct.unpack_from("<BBHHH", urb.sent())
        wanted = self._strings.get(value & 0xFF)
        if (kind, request) == GET_DESCRIPTOR and value >> 8 == STRING and wanted is not None:
            return urb.complete(0, wanted[:length], at=8)
        return urb.complete(-errno.EPIPE, b"")

    def _deliver(self, handle: Handle) -> None:
        for urb in [each for each in handle.waiting if each.endpoint == ccid_key.BULK_IN]:
            if self._answers:
                answer = self._answers.popleft()
                if len(answer) > urb.length:
                    self._answers.appendleft(answer[urb.length :])
                handle.waiting.remove(urb)
                handle.done.append(urb.complete(0, answer[: urb.length]))


def certified_card(name: str) -> piv_card.PivCard:
    """A card that its office has issued: an RSA key and its certificate in the slot for log-in (9A)."""
    card = piv_card.PivCard(serial=int.from_bytes(name.encode()[-3:], "big"))
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sample officer {name}")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + datetime.timedelta(days=99))
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    card.keys[0x9A] = (piv_card.RSA2048, key)
    parts = piv_card.tlv(0x70, gzip.compress(der)) + piv_card.tlv(0x71, b"\x01") + piv_card.tlv(0xFE, b"")
    card.objects["5fc105"] = parts
    return card


class Bus:
    """The bus and what is on it. A key that comes back gets a new device number, as the kernel gives it."""

    def __init__(self) -> None:
        self._testbed = UMockdev.Testbed.new()
        self._cards: dict[str, piv_card.PivCard] = {}
        self._plugged: dict[str, tuple[UsbFs, str, str]] = {}
        self._number = 1
        self._add("usb1", 1, hub_facts(), ccid_key.hub_descriptors(), DEVTYPE="usb_device")

    def environment(self) -> dict[str, str]:
        """What puts a process onto this bus."""
        return {"LD_PRELOAD": os.environ["LD_PRELOAD"], "UMOCKDEV_DIR": self._testbed.get_root_dir()}

    def plug(self, name: str, usb_id: str, manufacturer: str, product: str) -> None:
        self._number += 1
        number, device = self._number, f"usb1/1-{self._number}"
        raw = ccid_key.key_descriptors(usb_id)
        vendor, model = usb_id.split(":")
        facts = {
            "idVendor": vendor, "idProduct": model, "bcdDevice": "0543", "busnum": "1", "devnum": str(number),
            "devpath": str(number), "bDeviceClass": "00", "bConfigurationValue": "1", "bNumInterfaces": " 1",
            "speed": "12", "manufacturer": manufacturer, "product": product, "serial": name,
        }  # fmt: skip
        kind = {"PRODUCT": f"{int(vendor, 16):x}/{int(model, 16):x}/543", "TYPE": "0/0/0"}
        self._add(device, number, facts, raw, DEVTYPE="usb_device", **kind)
        strings = {1: manufacturer, 2: product, 3: name}
        descriptors = {0: b"\x04\x03\x09\x04", **{at: ccid_key.string_descriptor(text) for at, text in strings.items()}}
        card = self._cards.setdefault(name, certified_card(name))
        usbfs = UsbFs().configure(ccid_key.CcidKey(card), descriptors)
        self._testbed.attach_ioctl(node(number), usbfs)
        interface = f"{device}/1-{number}:1.0"
        self._add(interface, 0, interface_facts(), b"", DEVTYPE="usb_interface", INTERFACE="11/0/0", **kind)
        self._plugged[name] = usbfs, f"/sys/devices/{device}", f"/sys/devices/{interface}"
        for path in self._plugged[name][1:]:
            self._testbed.uevent(path, "add")

    def pull(self, name: str) -> None:
        """The node keeps answering those who have it open: that it is gone."""
        usbfs, device, interface = self._plugged.pop(name)
        usbfs.gone = True
        for path in (interface, device):
            self._testbed.uevent(path, "remove")
            self._testbed.remove_device(path)

    def _add(self, path: str, number: int, facts: dict[str, str], raw: bytes, **properties: str) -> None:
        """In umockdev's description language: P path, N node, E property, A attribute, H attribute in hexadecimal."""
        lines = [f"P: /devices/{path}"]
        if number:
            lines.append(f"N: {node(number)[5:]}={raw.hex().upper()}")
            properties |= {"DEVNAME": node(number), "BUSNUM": "001", "DEVNUM": f"{number:03d}"}
            properties |= {"MAJOR": "189", "MINOR": str(number - 1)}
        lines += [f"E: {name}={value}" for name, value in {"SUBSYSTEM": "usb", **properties}.items()]
        lines += [f"A: {name}={value}\\n" for name, value in facts.items()]
        if raw:
            lines.append(f"H: descriptors={raw.hex().upper()}")
        self._testbed.add_from_string("\n".join([*lines, ""]))


def node(number: int) -> str:
    return f"/dev/bus/usb/001/{number:03d}"


def hub_facts() -> dict[str, str]:
    return {
        "busnum": "1", "devnum": "1", "idVendor": "1d6b", "idProduct": "0002", "bcdDevice": "0603", "speed": "480",
        "bDeviceClass": "09", "bConfigurationValue": "1",
    }  # fmt: skip


def interface_facts() -> dict[str, str]:
    return {
        "bInterfaceNumber": "00", "bInterfaceClass": "0b", "bInterfaceSubClass": "00", "bInterfaceProtocol": "00",
        "bAlternateSetting": " 0", "bNumEndpoints": "03",
    }  # fmt: skip


def main() -> None:
    bus = Bus()
    threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
    print(json.dumps(bus.environment()), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "plug" in command:
            bus.plug(command.pop("plug"), **command)
        else:
            bus.pull(command["pull"])
        print(json.dumps({"done": True}), flush=True)


if __name__ == "__main__":
    main()
