"""One table of what is plugged in: which key, which module serves it, what is missing. Pure.

A CCID key shows up three times: as USB device, as PC/SC reader (whose name holds the product's), and as slot (whose
description holds the reader's name). A SoftHSM token shows up once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hardware.errors import Text, TokenError
from hardware.ports import PinState, TokenInfo

from .known_keys import KnownKey, recognise
from .readers import Reader, same_reader
from .slots import ModuleScan
from .usb_devices import UsbDevice

CCID = "0b"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key. `state`: ready, empty (no token in it), driver_missing, not_supported, unknown, faulty."""

    name: str
    state: str
    usb_id: str = ""
    usb_serial: str = ""
    reader: str = ""
    module: str = ""
    serial: str = ""
    label: str = ""
    pin: PinState | None = None
    advice: Text | None = None


_DRIVER = Text("缺少驱动，请安装 {what}。", "The driver is missing: install {what}.")
_SKF = Text(
    "此设备只支持 SKF/SM2 接口，暂不支持；请使用带 PKCS#11 驱动的设备。",
    "This key speaks only SKF/SM2, which is not supported yet; use one that has a PKCS#11 driver.",
)
_UNKNOWN = Text(
    "不认识的读卡器或密钥；如有厂商的 PKCS#11 驱动，请用 --module 指明。",
    "An unknown reader or key; if its vendor has a PKCS#11 module, name it with --module.",
)


def key_table(
    devices: Sequence[UsbDevice], readers: Sequence[Reader], scans: Sequence[ModuleScan], keys: Sequence[KnownKey]
) -> list[KeyRow]:
    """USB keys first, then other readers, then tokens without either."""
    rows: list[KeyRow] = []
    left_readers, left_tokens = list(readers), _served(scans)
    problems = {scan.module: scan.problem for scan in scans if scan.problem is not None}
    for device in devices:
        known = recognise(keys, device.usb_id, device.interfaces)
        if known is None and CCID not in device.interfaces:
            continue
        reader = _reader_of(device, left_readers, devices)
        if reader is not None:
            left_readers.remove(reader)
        rows += _device_rows(device, known, reader, left_tokens, problems)
    for reader in left_readers:
        rows += _reader_rows(reader, left_tokens)
    rows += [_with_token(KeyRow(Path(served.module).name, "ready"), served) for served in left_tokens]
    return rows


@dataclass(frozen=True, slots=True)
class _Served:
    module: str
    slot: str
    token: TokenInfo


def _served(scans: Iterable[ModuleScan]) -> list[_Served]:
    found = []
    for scan in scans:
        by_serial = {slot.serial: slot.description for slot in scan.slots}
        found += [_Served(scan.module, by_serial.get(token.serial, ""), token) for token in scan.tokens]
    return found


def _reader_of(device: UsbDevice, readers: Sequence[Reader], devices: Sequence[UsbDevice]) -> Reader | None:
    """libccid names a reader "MANUFACTURER PRODUCT [INTERFACE] (SERIAL) 00 00".

    The serial decides where it is in the name; else the product, in a name that bears no other device's serial.
    """
    mine = f"({device.serial})" if device.serial else None
    others = [f"({each.serial})" for each in devices if each.serial and each is not device]
    named = [each for each in readers if mine and mine in each.name]
    product = device.product.strip()
    alike = [each for each in readers if product and product in each.name]
    free = [each for each in alike if not any(serial in each.name for serial in others)]
    return next(iter([*named, *free]), None)


def _take(left: list[_Served], reader: Reader | None, modules: Sequence[str]) -> list[_Served]:
    """The tokens behind this reader; without a reader those of the key's own modules."""
    if reader is not None:
        mine = [each for each in left if same_reader(each.slot, reader.name)]
    else:
        mine = [each for each in left if Path(each.module).name in {Path(name).name for name in modules}]
    for each in mine:
        left.remove(each)
    return mine


def _device_rows(
    device: UsbDevice,
    known: KnownKey | None,
    reader: Reader | None,
    left: list[_Served],
    problems: Mapping[str, TokenError],
) -> list[KeyRow]:
    name = known.name if known else (device.product or device.usb_id)
    mine = _take(left, reader, known.modules if known else ())
    bare = KeyRow(name, "empty", device.usb_id, device.serial, reader.name if reader else "")
    if mine:
        return [_with_token(bare, each) for each in mine]
    module = (known.installed_module() or "") if known else ""
    state, advice = _why_not_served(known, problems.get(module))
    return [replace(bare, state=state, module=module, advice=advice)]


def _why_not_served(known: KnownKey | None, problem: TokenError | None) -> tuple[str, Text | None]:
    if known is None:
        return "unknown", _UNKNOWN
    if not known.has_pkcs11:
        return "not_supported", _SKF
    if known.installed_module() is None:
        what = " / ".join(filter(None, [known.package, *known.modules[:1]])) or known.name
        return "driver_missing", Text(_DRIVER.zh.format(what=what), _DRIVER.en.format(what=what))
    if problem is not None:
        return "faulty", problem.what
    return "empty", None


def _reader_rows(reader: Reader, left: list[_Served]) -> list[KeyRow]:
    mine = _take(left, reader, ())
    if mine:
        return [_with_token(KeyRow(reader.name, "ready", reader=reader.name), each) for each in mine]
    if not reader.card:
        return [KeyRow(reader.name, "empty", reader=reader.name)]
    return [KeyRow(reader.name, "unknown", reader=reader.name, advice=_UNKNOWN)]


def _with_token(row: KeyRow, served: _Served) -> KeyRow:
    token = served.token
    return replace(
        row,
        state="ready" if token.initialised else "empty",
        module=served.module,
        serial=token.serial,
        label=token.label,
        pin=token.user_pin,
    )
