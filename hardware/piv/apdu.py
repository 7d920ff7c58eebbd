"""Commands to a card and what its status words mean (ISO 7816-4, NIST SP 800-73-4 part 2). Pure but for `send`."""

from __future__ import annotations

from typing import Protocol

LONGEST = 255
CHAINED = 0x10
OK, MORE, BLOCKED = 0x9000, 0x61, 0x6983
WRONG, WRONG_MASK = 0x63C0, 0xFFF0
NOT_ALLOWED, NOT_SATISFIED, BAD_DATA, NOT_FOUND, NO_ROOM = 0x6982, 0x6985, 0x6A80, 0x6A82, 0x6A84
WRONG_P1P2, NO_REFERENCE, UNKNOWN_COMMAND = 0x6A86, 0x6A88, 0x6D00


class Card(Protocol):
    """A card that commands can be sent to; the port that `hardware.pcsc` fills."""

    def transmit(self, apdu: bytes) -> bytes:
        """The answer with its status word. TokenRemoved if the card went away."""
        ...


class StatusError(Exception):
    """A command came back with something else than 9000. `word` is the status word, `call` the command's name."""

    def __init__(self, word: int, call: str) -> None:
        super().__init__(f"{call}: {word:04X}")
        self.word, self.call = word, call

    @property
    def tries_left(self) -> int | None:
        """How many tries of a secret are left, where the word says so."""
        if self.word == BLOCKED:
            return 0
        return self.word & 0xF if self.word & WRONG_MASK == WRONG else None


def send(card: Card, call: str, ins: int, p1: int = 0, p2: int = 0, data: bytes = b"") -> bytes:
    """The answer's data. Long data goes in chained commands, a long answer comes by GET RESPONSE. StatusError."""
    parts = [data[start : start + LONGEST] for start in range(0, len(data), LONGEST)] or [b""]
    for part in parts[:-1]:
        _checked(card.transmit(_command(CHAINED, ins, p1, p2, part)), call)
    answer = _checked(card.transmit(_command(0, ins, p1, p2, parts[-1])), call)
    collected = answer[:-2]
    while answer[-2] == MORE:
        answer = _checked(card.transmit(bytes([0, 0xC0, 0, 0, answer[-1]])), call)
        collected += answer[:-2]
    return collected


def _command(cla: int, ins: int, p1: int, p2: int, data: bytes) -> bytes:
    head = bytes([cla, ins, p1, p2])
    return head + bytes([len(data)]) + data if data else head + b"\x00"


def _checked(answer: bytes, call: str) -> bytes:
    word = int.from_bytes(answer[-2:], "big") if len(answer) >= 2 else 0
    if word != OK and word >> 8 != MORE:
        raise StatusError(word, call)
    return answer


def tlv(tag: int, value: bytes) -> bytes:
    """One BER-TLV element; `tag` may have two or three bytes."""
    name = tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    size = len(value)
    if size < 0x80:
        return name + bytes([size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return name + bytes([0x80 | len(length)]) + length + value


def parse(data: bytes) -> dict[int, bytes]:
    """One level of BER-TLV, tag to value. ValueError where it is not that."""
    found: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(data):
            start, at = at, at + 1
            if data[start] & 0x1F == 0x1F:
                while data[at] & 0x80:
                    at += 1
                at += 1
            tag, size, at = int.from_bytes(data[start:at], "big"), data[at], at + 1
            if size & 0x80:
                count = size & 0x7F
                size, at = int.from_bytes(data[at : at + count], "big"), at + count
            if at + size > len(data):
                raise ValueError("an element ends behind its data")
            found[tag], at = data[at : at + size], at + size
    except IndexError as error:
        raise ValueError("cut short") from error
    return found
