"""The operations of a PIV applet. Every error that leaves here is a named one.

Yubico's extensions (version, metadata, reset, move, management key) are used where the card has them, and never
supposed: `version` is None on a card that has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from hardware.errors import (
    CardCannotReset,
    KeyTypeUnsupported,
    ManagementKeyIncorrect,
    MechanismUnsupported,
    NamedTokenError,
    OperationUnsupported,
    PinIncorrect,
    PinInvalid,
    PinLocked,
    TokenFault,
    TokenFull,
)

from .apdu import (
    BAD_DATA,
    NO_REFERENCE,
    NO_ROOM,
    NOT_ALLOWED,
    NOT_FOUND,
    NOT_SATISFIED,
    UNKNOWN_COMMAND,
    WRONG_P1P2,
    Card,
    StatusError,
    parse,
    send,
    tlv,
)
from .places import ALGORITHMS, MANAGEMENT, PIN, Place, public_key_info

AID = bytes.fromhex("a000000308")
MOST_TRIES = 255
TRIPLE_DES = 0x03
MOVES_KEYS = (5, 7, 0)
_CANNOT = frozenset({UNKNOWN_COMMAND, WRONG_P1P2, BAD_DATA, NO_REFERENCE})
_NO_PIN = b"\xff" * 8  # a PIN is padded with these: none consists of them


class PivApplet:
    """The applet of one card that has been selected. `token` names it in errors."""

    def __init__(self, card: Card, token: str) -> None:
        self._card, self._token = card, token
        try:
            send(card, "SELECT", 0xA4, 4, 0, AID)
        except StatusError as error:
            raise OperationUnsupported(detail=f"no PIV applet: {error}") from error
        self.version = self._version()

    def _version(self) -> tuple[int, ...] | None:
        """GET VERSION, a YubiKey's own; None on other cards."""
        try:
            answer = send(self._card, "GET VERSION", 0xFD)
        except StatusError:
            return None
        return tuple(answer[:3]) if len(answer) >= 3 else None

    # --- PIN and PUK -------------------------------------------------------------------------------------------

    def tries_left(self, reference: int) -> int | None:
        """Tries of the PIN or PUK that are left, asked without using one; None where the card does not tell."""
        try:
            return parse(send(self._card, "GET METADATA", 0xF7, 0, reference))[0x06][1]
        except (StatusError, ValueError, KeyError, IndexError):
            pass
        try:
            send(self._card, "VERIFY", 0x20, 0, PIN)
        except StatusError as error:
            return error.tries_left if reference == PIN else None
        return None

    def change(self, reference: int, old: str, new: str) -> None:
        """CHANGE REFERENCE DATA: the PIN or the PUK. PinIncorrect with the tries left, PinLocked, PinInvalid."""
        with self._naming():
            send(self._card, "CHANGE REFERENCE DATA", 0x24, 0, reference, padded(old) + padded(new))

    def unblock(self, puk: str, new_pin: str) -> None:
        """RESET RETRY COUNTER: the PUK sets a new PIN, whatever became of the old one."""
        with self._naming():
            send(self._card, "RESET RETRY COUNTER", 0x2C, 0, PIN, padded(puk) + padded(new_pin))

    # --- the management key ------------------------------------------------------------------------------------

    def authenticate(self, key: bytes) -> None:
        """Proves to hold the management key by answering a challenge (SP 800-73-4 part 2, A.1). It has no counter."""
        algorithm = self._management_algorithm()
        cipher = _cipher(algorithm, key)
        if cipher is None:
            raise ManagementKeyIncorrect(token=self._token, detail=f"{len(key)} bytes")
        with self._naming():
            answer = send(self._card, "GENERAL AUTHENTICATE", 0x87, algorithm, MANAGEMENT, tlv(0x7C, tlv(0x81, b"")))
            challenge = _inner(answer, 0x81)
        encryptor = Cipher(cipher, modes.ECB()).encryptor()  # noqa: S305  # one random block, as the standard has it
        proof = tlv(0x7C, tlv(0x82, encryptor.update(challenge)))
        try:
            send(self._card, "GENERAL AUTHENTICATE", 0x87, algorithm, MANAGEMENT, proof)
        except StatusError as error:
            raise ManagementKeyIncorrect(token=self._token, detail=str(error)) from error

    def _management_algorithm(self) -> int:
        try:
            return parse(send(self._card, "GET METADATA", 0xF7, 0, MANAGEMENT))[0x01][0]
        except (StatusError, ValueError, KeyError, IndexError):
            return TRIPLE_DES

    def set_management_key(self, key: bytes) -> None:
        """Replaces it (Yubico's command), in the algorithm that it has; after `authenticate`."""
        algorithm = self._management_algorithm()
        if _cipher(algorithm, key) is None:
            raise PinInvalid(detail=f"a management key of {len(key)} bytes")
        with self._naming():
            send(self._card, "SET MANAGEMENT KEY", 0xFF, 0xFF, 0xFF, bytes([algorithm]) + tlv(MANAGEMENT, key))

    # --- keys and objects --------------------------------------------------------------------------------------

    def generate(self, place: Place, kind: str) -> bytes:
        """A new key pair, over whatever key is there; DER SubjectPublicKeyInfo. After `authenticate`."""
        algorithm = ALGORITHMS.get(kind)
        if algorithm is None:
            raise KeyTypeUnsupported(kind=kind)
        wanted = tlv(0xAC, tlv(0x80, bytes([algorithm])))
        try:
            with self._naming():
                answer = send(self._card, "GENERATE ASYMMETRIC KEY PAIR", 0x47, 0, place.key, wanted)
        except OperationUnsupported as error:
            raise MechanismUnsupported(token=self._token, mechanism=kind) from error
        return self._public(algorithm, parse(answer).get(0x7F49, b""))

    def public_key(self, place: Place) -> tuple[bytes, int] | None:
        """(SubjectPublicKeyInfo, PIN policy) of the key in a place; None where the place is empty or not told."""
        try:
            parts = parse(send(self._card, "GET METADATA", 0xF7, 0, place.key))
            return self._public(parts[0x01][0], parts[0x04]), parts[0x02][0]
        except (StatusError, ValueError, KeyError, IndexError, TokenFault):
            return None

    def _public(self, algorithm: int, content: bytes) -> bytes:
        try:
            return public_key_info(algorithm, content)
        except (ValueError, KeyError) as error:
            raise TokenFault(token=self._token, detail=f"public key: {error}") from error

    def destroy_key(self, place: Place) -> bool:
        """Ends the private key for good. True if the place is empty now, False if a key that nobody uses replaced it.

        Cards before YubiKey 5.7 have no command to delete a key: a fresh one in its place destroys it as well.
        """
        if self.version is not None and self.version >= MOVES_KEYS:
            with self._naming():
                send(self._card, "MOVE KEY", 0xF6, 0xFF, place.key)
            return True
        self.generate(place, "p256")
        return False

    def object(self, tag: int) -> bytes | None:
        """The content of a data object; None where there is none."""
        try:
            answer = send(self._card, "GET DATA", 0xCB, 0x3F, 0xFF, tlv(0x5C, tag.to_bytes(3, "big")))
        except StatusError as error:
            if error.word == NOT_FOUND:
                return None
            raise self._named(error) from error
        return parse(answer).get(0x53) or None

    def write(self, tag: int, content: bytes) -> None:
        """Replaces a data object; empty content deletes it. After `authenticate`."""
        with self._naming():
            wanted = tlv(0x5C, tag.to_bytes(3, "big")) + tlv(0x53, content)
            send(self._card, "PUT DATA", 0xDB, 0x3F, 0xFF, wanted)

    # --- factory reset -----------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Back to the factory: all keys, certificates and PINs. The card does it only once PIN and PUK are blocked.

        CardCannotReset, before anything is blocked, for cards without that command (Yubico's).
        """
        if self.version is None:
            raise CardCannotReset(token=self._token)
        self._block("VERIFY", 0x20, PIN, _NO_PIN)
        self._block("RESET RETRY COUNTER", 0x2C, PIN, _NO_PIN + _NO_PIN)
        with self._naming():
            send(self._card, "RESET", 0xFB)

    def _block(self, call: str, ins: int, reference: int, data: bytes) -> None:
        """Uses up the tries of a secret on purpose."""
        for _ in range(MOST_TRIES):
            try:
                send(self._card, call, ins, 0, reference, data)
            except StatusError as error:
                if error.tries_left == 0:
                    return
                if error.tries_left is None:
                    raise self._named(error) from error

    # --- errors ------------------------------------------------------------------------------------------------

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except StatusError as error:
            raise self._named(error) from error

    def _named(self, error: StatusError) -> NamedTokenError:
        left, detail = error.tries_left, str(error)
        if left == 0:
            return PinLocked(token=self._token, detail=detail)
        if left is not None:
            return PinIncorrect(token=self._token, detail=f"{detail}, {left} left")
        if error.word == NO_ROOM:
            return TokenFull(token=self._token, detail=detail)
        if error.call in ("CHANGE REFERENCE DATA", "RESET RETRY COUNTER") and error.word in (BAD_DATA, NOT_SATISFIED):
            return PinInvalid(detail=detail)
        if error.word == NOT_ALLOWED:
            return ManagementKeyIncorrect(token=self._token, detail=detail)
        if error.word in _CANNOT:
            return OperationUnsupported(detail=detail)
        return TokenFault(token=self._token, detail=detail)


def padded(pin: str) -> bytes:
    """A PIN or PUK as the card wants it: 6 to 8 bytes, filled up with FF. PinInvalid for others, before anything."""
    content = pin.encode()
    if not 6 <= len(content) <= 8:
        raise PinInvalid(detail="PIV: 6 to 8 characters")
    return content.ljust(8, b"\xff")


def _cipher(algorithm: int, key: bytes) -> BlockCipherAlgorithm | None:
    """None where the key has not the length of the algorithm (SP 800-78-4, table 6-2)."""
    size, kind = {TRIPLE_DES: (24, TripleDES), 0x08: (16, AES), 0x0A: (24, AES), 0x0C: (32, AES)}.get(
        algorithm, (0, AES)
    )
    return kind(key) if size and len(key) == size else None


def _inner(answer: bytes, tag: int) -> bytes:
    try:
        return parse(parse(answer)[0x7C])[tag]
    except (ValueError, KeyError) as error:
        raise StatusError(0, "GENERAL AUTHENTICATE") from error
