"""A smart-card USB key in software, as the bus sees it: descriptors (USB 2.0, 9.6) and CCID messages (CCID 1.1).

`CcidKey` answers one bulk-out message with one bulk-in message; the card behind it is a function from APDU to response.
"""

from __future__ import annotations

import struct

ATR = bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940")
BULK_OUT, BULK_IN, INTERRUPT_IN = 0x02, 0x82, 0x83
# Short and extended APDUs, everything else done by the reader (CCID 5.1, dwFeatures).
FEATURES, LONGEST_MESSAGE = 0x000400FE, 3072
POWER_ON, POWER_OFF, STATUS, TRANSFER, PARAMETERS = 0x62, 0x63, 0x65, 0x6F, (0x61, 0x6C, 0x6D)
DATA_BLOCK, SLOT_STATUS, PARAMETER_BLOCK = 0x80, 0x81, 0x82
ACTIVE, INACTIVE, FAILED = 0, 1, 0x40
T1_PARAMETERS = bytes.fromhex("1110001500fe00")


def device_descriptor(usb_id: str, device_class: int = 0) -> bytes:
    """With strings 1 (manufacturer), 2 (product), 3 (serial)."""
    vendor, product = (int(part, 16) for part in usb_id.split(":"))
    numbers = (18, 1, 0x0200, device_class, 0, 0, 64, vendor, product, 0x0543, 1, 2, 3, 1)
    return struct.pack("<BBHBBBBHHHBBBB", *numbers)


def configuration(interface_class: int, extra: bytes, *endpoints: tuple[int, int, int]) -> bytes:
    """One configuration with one interface; an endpoint is (address, type, bytes a packet)."""
    body = struct.pack("<9B", 9, 4, 0, 0, len(endpoints), interface_class, 0, 0, 0) + extra
    body += b"".join(struct.pack("<BBBBHB", 7, 5, address, kind, size, 32) for address, kind, size in endpoints)
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 1, 1, 0, 0x80, 15) + body


def key_descriptors(usb_id: str) -> bytes:
    """Device, configuration, interface of class 0b with the CCID descriptor (CCID 5.1) and three endpoints."""
    reader = struct.pack("<BBHBBIIIBII", 54, 0x21, 0x0110, 0, 7, 2, 4000, 4000, 0, 307200, 307200)
    reader += struct.pack("<BIIIIIBBHBB", 0, 3062, 0, 0, FEATURES, LONGEST_MESSAGE, 0xFF, 0xFF, 0, 0, 1)
    return device_descriptor(usb_id) + configuration(
        0x0B, reader, (BULK_OUT, 2, 64), (BULK_IN, 2, 64), (INTERRUPT_IN, 3, 8)
    )


def hub_descriptors() -> bytes:
    """The root hub."""
    return device_descriptor("1d6b:0002", 9) + configuration(9, b"", (0x81, 3, 4))


def string_descriptor(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return bytes([2 + len(encoded), 3]) + encoded


class CcidKey:
    """The reader half of the key: powers the card and carries APDUs to it (CCID 6)."""

    def __init__(self, card) -> None:
        self.card, self._powered = card, False

    def __call__(self, message: bytes) -> bytes:
        kind, length, slot, sequence = struct.unpack_from("<BIBB", message)
        reply, status, body, parameter = self._answer(kind, message[10 : 10 + length])
        return struct.pack("<BIBBBBB", reply, len(body), slot, sequence, status, 0, parameter) + body

    def _answer(self, kind: int, body: bytes) -> tuple[int, int, bytes, int]:
        if kind in (POWER_ON, POWER_OFF):
            self._powered = kind == POWER_ON
            self.card.power_up()
            return (DATA_BLOCK, ACTIVE, ATR, 0) if self._powered else (SLOT_STATUS, INACTIVE, b"", 0)
        state = ACTIVE if self._powered else INACTIVE
        if kind == TRANSFER:
            return DATA_BLOCK, state, self.card(body), 0
        if kind in PARAMETERS:
            return PARAMETER_BLOCK, state, T1_PARAMETERS, 1
        return SLOT_STATUS, state if kind == STATUS else FAILED | state, b"", 0
