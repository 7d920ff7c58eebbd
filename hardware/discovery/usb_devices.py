"""USB devices: enumerated by pyusb; on Linux sysfs fills in what would need write access to the device node.

Reading a serial number through libusb sends a control transfer, which needs permission and may disturb a key in use;
sysfs has it already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

SYSFS = Path("/sys/bus/usb/devices")


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """`usb_id` is vid:pid in lower case; `serial` is "" where it cannot be read; `interfaces` are class codes."""

    usb_id: str
    bus: int
    address: int
    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsbScan:
    """`available` is False where neither libusb nor sysfs could be asked; `reason` then says why."""

    devices: tuple[UsbDevice, ...]
    available: bool = True
    reason: str = ""


def scan_usb(sysfs: Path = SYSFS) -> UsbScan:
    """All USB devices that this account can see, hubs left out."""
    filled = {(each.bus, each.address): each for each in _from_sysfs(sysfs)}
    try:
        found = _from_libusb()
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        if filled or sysfs.is_dir():
            return UsbScan(tuple(filled.values()), reason=f"libusb: {error}")
        return UsbScan((), available=False, reason=str(error))
    joined = {(each.bus, each.address): _fill(each, filled.get((each.bus, each.address))) for each in found}
    return UsbScan(tuple({**filled, **joined}.values()))


def _fill(device: UsbDevice, more: UsbDevice | None) -> UsbDevice:
    if more is None:
        return device
    return replace(
        device,
        manufacturer=more.manufacturer,
        product=more.product,
        serial=more.serial,
        interfaces=more.interfaces or device.interfaces,
    )


def _from_libusb() -> list[UsbDevice]:
    """ValueError (usb.core.NoBackendError) where libusb is not installed."""
    import usb.core

    devices = []
    for device in usb.core.find(find_all=True):
        if device.bDeviceClass == 9:
            continue
        usb_id = f"{device.idVendor:04x}:{device.idProduct:04x}"
        devices.append(UsbDevice(usb_id, device.bus or 0, device.address or 0, interfaces=_interfaces(device)))
    return devices


def _interfaces(device: object) -> tuple[str, ...]:
    try:
        classes = {f"{interface.bInterfaceClass:02x}" for settings in device for interface in settings}  # type: ignore[attr-defined]
    except (OSError, ValueError, NotImplementedError):
        return ()
    return tuple(sorted(classes))


def _from_sysfs(sysfs: Path) -> Iterable[UsbDevice]:
    if not sysfs.is_dir():
        return
    for folder in sorted(sysfs.iterdir()):
        vendor, product = _text(folder / "idVendor"), _text(folder / "idProduct")
        if not vendor or not product or _text(folder / "bDeviceClass") == "09":
            continue
        classes = {_text(child / "bInterfaceClass") for child in sysfs.glob(f"{folder.name}:*")} - {""}
        yield UsbDevice(
            usb_id=f"{vendor}:{product}".lower(),
            bus=_number(folder / "busnum"),
            address=_number(folder / "devnum"),
            manufacturer=_text(folder / "manufacturer"),
            product=_text(folder / "product"),
            serial=_text(folder / "serial"),
            interfaces=tuple(sorted(classes)),
        )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0
