"""A PIV card in software (NIST SP 800-73-4, with the YubiKey's extensions), for real readers and real modules.

It answers APDUs; `VirtualReader` carries them over vsmartcard's vpcd, so that pcscd, OpenSC and ykcs11 see a card.
Kept honest: PIN and PUK counters, PIN per signature for slot 9C, management key for writing, reset when both locked.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, modes

AID = bytes.fromhex("a000000308")
OTP_AID = bytes.fromhex("a000000527200101")
ATR = bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940")
MANAGEMENT_KEY = bytes.fromhex("010203040506070801020304050607080102030405060708")
CHUID = bytes.fromhex("3019d4e739da739ced39ce739d836858210842108421c84210c3eb3410")
RSA2048, P256, P384 = 0x07, 0x11, 0x14
PIN_REFERENCE, PUK_REFERENCE, MANAGEMENT, SIGNATURE_SLOT, CARD_SLOT = 0x80, 0x81, 0x9B, 0x9C, 0x9E
OK, MORE, WRONG, BLOCKED = 0x9000, 0x6100, 0x63C0, 0x6983
NOT_ALLOWED, BAD_DATA, NOT_FOUND, NO_REFERENCE, UNKNOWN = 0x6982, 0x6A80, 0x6A82, 0x6A88, 0x6D00
TRIES = 3


def tlv(tag: str | int, value: bytes) -> bytes:
    name = bytes.fromhex(tag) if isinstance(tag, str) else bytes([tag])
    size = len(value)
    if size < 128:
        return name + bytes([size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return name + bytes([0x80 | len(length)]) + length + value


def parse(data: bytes) -> dict[str, bytes]:
    """One level of BER-TLV: tag in hexadecimal to value."""
    found, at = {}, 0
    while at < len(data):
        start, at = at, at + 1
        if data[start] & 0x1F == 0x1F:
            while data[at] & 0x80:
                at += 1
            at += 1
        tag, size, at = data[start:at].hex(), data[at], at + 1
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        found[tag], at = data[at : at + size], at + size
    return found


class PivCard:
    """The card's applet and its state. `card(apdu)` is the response with its status word.

    `version` is that of a YubiKey; None makes a plain PIV card, without any of Yubico's commands.
    """

    def __init__(self, *, serial: int = 0x00ABCDEF, version: tuple[int, int, int] | None = (5, 4, 3)) -> None:
        self.serial, self.version = serial, version
        self._wipe()
        self.objects["5fc102"] = CHUID + os.urandom(16) + tlv(0x35, b"20501231") + b"\x3e\x00\xfe\x00"
        self.power_up()
        self._commands: dict[int, Callable[[int, int, bytes], bytes]] = {
            0xA4: self._select,
            0x20: self._verify,
            0x24: lambda p1, p2, data: self._change(p2, p2, data),
            0x2C: lambda p1, p2, data: self._change(PUK_REFERENCE, p2, data),
            0xCB: self._get_data,
            0xDB: self._put_data,
            0x47: self._generate,
            0x87: self._authenticate,
        }
        if version is not None:
            self._commands |= {
                0xFD: lambda *_: self._out(bytes(version)),
                0xF8: lambda *_: self._out(self.serial.to_bytes(4, "big")),
                0xF7: self._metadata,
                0xFB: self._reset,
                0xFF: self._set_management_key,
            }
        if version is not None and version >= (5, 7, 0):
            self._commands[0xF6] = self._move_key

    def _wipe(self) -> None:
        self.secrets = {PIN_REFERENCE: b"123456", PUK_REFERENCE: b"12345678"}
        self.left = {PIN_REFERENCE: TRIES, PUK_REFERENCE: TRIES}
        self.keys: dict[int, tuple[int, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {}
        self.objects: dict[str, bytes] = {}
        self.management_key = MANAGEMENT_KEY

    def power_up(self) -> None:
        self.verified = self.manager = False
        self._chain = self._queue = b""
        self._challenge: bytes | None = None

    def __call__(self, apdu: bytes) -> bytes:
        instruction, p1, p2 = apdu[1:4]
        data = self._body(apdu[4:])
        if instruction == 0xC0:
            queued, self._queue = self._queue, b""
            return self._out(queued, (apdu[4] if len(apdu) > 4 else 0) or 256)
        if apdu[0] & 0x10:
            self._chain += data
            return self._status(OK)
        data, self._chain = self._chain + data, b""
        command = self._commands.get(instruction)
        return command(p1, p2, data) if command else self._status(UNKNOWN)

    @staticmethod
    def _body(rest: bytes) -> bytes:
        if len(rest) <= 1:
            return b""
        if rest[0] == 0 and len(rest) > 2:
            return rest[3 : 3 + int.from_bytes(rest[1:3], "big")] if len(rest) > 3 else b""
        return rest[1 : 1 + rest[0]]

    @staticmethod
    def _status(word: int) -> bytes:
        return word.to_bytes(2, "big")

    def _out(self, data: bytes, most: int = 256) -> bytes:
        """Long answers are fetched in parts by GET RESPONSE, each no longer than its Le (`most`)."""
        part, self._queue = data[:most], data[most:]
        return part + self._status(MORE | min(255, len(self._queue)) if self._queue else OK)

    def _select(self, p1: int, p2: int, data: bytes) -> bytes:
        if data and (data.startswith(AID) or AID.startswith(data)):
            self.verified = self.manager = False
            version = tlv(0x4F, bytes.fromhex("000010000100"))
            return self._out(tlv(0x61, version + tlv(0x79, tlv(0x4F, AID))))
        return self._out(b"\x05\x04\x03\x01\x05\x00") if data == OTP_AID else self._status(NOT_FOUND)

    # --- PIN and PUK ---------------------------------------------------------------------------------------

    def _check(self, reference: int, secret: bytes) -> int:
        """The status word; a wrong secret costs a try."""
        if not self.left[reference]:
            return BLOCKED
        if secret.rstrip(b"\xff") == self.secrets[reference]:
            self.left[reference] = TRIES
            return OK
        self.left[reference] -= 1
        return WRONG | self.left[reference] if self.left[reference] else BLOCKED

    def _verify(self, p1: int, p2: int, data: bytes) -> bytes:
        if p2 != PIN_REFERENCE:
            return self._status(NO_REFERENCE)
        if p1 == 0xFF:
            self.verified = False
            return self._status(OK)
        if not data:
            left = self.left[PIN_REFERENCE]
            return self._status(OK if self.verified else WRONG | left if left else BLOCKED)
        word = self._check(PIN_REFERENCE, data)
        self.verified = word == OK
        return self._status(word)

    def _change(self, by: int, reference: int, data: bytes) -> bytes:
        """CHANGE REFERENCE DATA, or RESET RETRY COUNTER where the PUK (`by`) sets the PIN (`reference`)."""
        word = self._check(by, data[:8])
        if word == OK:
            self.secrets[reference], self.left[reference] = data[8:16].rstrip(b"\xff"), TRIES
        return self._status(word)

    def _reset(self, p1: int, p2: int, data: bytes) -> bytes:
        if any(self.left.values()):
            return self._status(0x6985)
        self._wipe()
        return self._status(OK)

    def _set_management_key(self, p1: int, p2: int, data: bytes) -> bytes:
        if not self.manager:
            return self._status(NOT_ALLOWED)
        if data[:3] != bytes([0x03, MANAGEMENT, 24]) or len(data) != 27:
            return self._status(BAD_DATA)
        self.management_key = data[3:]
        return self._status(OK)

    def _move_key(self, p1: int, p2: int, data: bytes) -> bytes:
        """MOVE KEY to FF deletes."""
        if not self.manager:
            return self._status(NOT_ALLOWED)
        return self._status(OK if p1 == 0xFF and self.keys.pop(p2, None) else NO_REFERENCE)

    # --- objects and keys ----------------------------------------------------------------------------------

    def _get_data(self, p1: int, p2: int, data: bytes) -> bytes:
        tag = parse(data).get("5c", b"").hex()
        if tag == "7e":
            return self._out(tlv(0x7E, tlv(0x4F, AID + bytes.fromhex("000010000100")) + tlv("5f2f", b"\x40\x00")))
        return self._out(tlv(0x53, self.objects[tag])) if tag in self.objects else self._status(NOT_FOUND)

    def _put_data(self, p1: int, p2: int, data: bytes) -> bytes:
        if not self.manager:
            return self._status(NOT_ALLOWED)
        parts = parse(data)
        if value := parts.get("53", b""):
            self.objects[parts["5c"].hex()] = value
        else:
            self.objects.pop(parts["5c"].hex(), None)
        return self._status(OK)

    def _generate(self, p1: int, p2: int, data: bytes) -> bytes:
        if not self.manager:
            return self._status(NOT_ALLOWED)
        algorithm = parse(parse(data)["ac"])["80"][0]
        if algorithm not in (RSA2048, P256, P384):
            return self._status(BAD_DATA)
        curve = ec.SECP256R1() if algorithm == P256 else ec.SECP384R1()
        key = rsa.generate_private_key(65537, 2048) if algorithm == RSA2048 else ec.generate_private_key(curve)
        self.keys[p2] = (algorithm, key)
        return self._out(tlv("7f49", self._public(key)))

    @staticmethod
    def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
        public = key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            return tlv(0x81, public.public_numbers().n.to_bytes(256, "big")) + tlv(0x82, b"\x01\x00\x01")
        point = serialization.PublicFormat.UncompressedPoint
        return tlv(0x86, public.public_bytes(serialization.Encoding.X962, point))

    def _metadata(self, p1: int, p2: int, data: bytes) -> bytes:
        if p2 in self.left:
            tries = tlv(0x06, bytes([TRIES, self.left[p2]]))
            return self._out(tlv(0x01, b"\xff") + tlv(0x05, b"\x00") + tries)
        if p2 == MANAGEMENT:
            return self._out(tlv(0x01, b"\x03") + tlv(0x02, b"\x00\x01") + tlv(0x05, b"\x01"))
        if p2 not in self.keys:
            return self._status(NO_REFERENCE)
        algorithm, key = self.keys[p2]
        policy = b"\x03\x01" if p2 == SIGNATURE_SLOT else b"\x02\x01"
        head = tlv(0x01, bytes([algorithm])) + tlv(0x02, policy) + tlv(0x03, b"\x01")
        return self._out(head + tlv(0x04, self._public(key)))

    def _authenticate(self, p1: int, p2: int, data: bytes) -> bytes:
        parts = parse(parse(data)["7c"])
        if p2 == MANAGEMENT:
            return self._prove_manager(parts)
        if p2 not in self.keys:
            return self._status(BAD_DATA)
        if p2 != CARD_SLOT and not self.verified:
            return self._status(NOT_ALLOWED)
        signature = self._sign(self.keys[p2][1], parts["81"])
        if p2 == SIGNATURE_SLOT:
            self.verified = False
        return self._out(tlv(0x7C, tlv(0x82, signature)))

    @staticmethod
    def _sign(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, block: bytes) -> bytes:
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")
        algorithm = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}[len(block)]
        return key.sign(block, ec.ECDSA(Prehashed(algorithm)))

    def _prove_manager(self, parts: dict[str, bytes]) -> bytes:
        """Management key: single or mutual authentication by challenge."""
        cipher = Cipher(TripleDES(self.management_key), modes.ECB())
        if parts.get("80") == b"":
            self._challenge = os.urandom(8)
            return self._out(tlv(0x7C, tlv(0x80, cipher.encryptor().update(self._challenge))))
        if "80" in parts and "81" in parts:
            self.manager = parts["80"] == self._challenge
            answer = tlv(0x7C, tlv(0x82, cipher.encryptor().update(parts["81"])))
            return self._out(answer) if self.manager else self._status(NOT_ALLOWED)
        if parts.get("81") == b"":
            self._challenge = os.urandom(8)
            return self._out(tlv(0x7C, tlv(0x81, self._challenge)))
        self.manager = parts.get("82") == cipher.encryptor().update(self._challenge or bytes(8))
        return self._status(OK if self.manager else NOT_ALLOWED)


class VirtualReader:
    """vpcd's other end: `insert` puts the card into the reader, `pull` takes it out. State stays with the card."""

    def __init__(self, card: PivCard, port: int) -> None:
        self.card, self._port = card, port
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def insert(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), daemon=True)
        self._thread.start()

    def pull(self) -> None:
        assert self._socket is not None
        assert self._thread is not None
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _serve(self, connection: socket.socket) -> None:
        while (head := self._read(connection, 2)) is not None:
            message = self._read(connection, struct.unpack("!H", head)[0])
            if message is None:
                return
            if len(message) > 1:
                self._write(connection, self.card(message))
            elif message[0] == 4:
                self._write(connection, ATR)
            else:
                self.card.power_up()

    @staticmethod
    def _read(connection: socket.socket, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            # vpcd writes length and body separately: without this each costs a delayed ACK of 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            try:
                part = connection.recv(size - len(data))
            except OSError:
                return None
            if not part:
                return None
            data += part
        return data

    @staticmethod
    def _write(connection: socket.socket, message: bytes) -> None:
        connection.sendall(struct.pack("!H", len(message)) + message)
