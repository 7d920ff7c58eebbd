"""Signing and unwrapping with one token's keys: which way works is found once per key and remembered."""

from __future__ import annotations

import threading

from .cryptoki.binding import Cryptoki, CryptokiError, RawMechanism
from .cryptoki.codes import Ckm, Rv
from .error_map import MECHANISM_REFUSED, VAGUE
from .errors import GarbledAnswer, KeyNotAllowed, MechanismUnsupported, PinRequired
from .oaep import decode
from .ports import Mechanism, VendorMechanism
from .public_keys import load_public_key
from .records import KeyRecord
from .signing_plans import Attempt, attempts, finished, fits, oaep, verifies


class KeyUse:
    """What is known of one token's keys. The lock guards `_known`; the token is called outside it."""

    def __init__(self, cryptoki: Cryptoki, module: str, serial: str) -> None:
        self._cryptoki, self._module, self._serial = cryptoki, module, serial
        self._lock = threading.Lock()
        self._known: dict[tuple[KeyRecord, Mechanism], Attempt] = {}

    def sign(
        self,
        session: int,
        handle: int,
        key: KeyRecord,
        mechanism: Mechanism | VendorMechanism,
        data: bytes,
        pin: str | None,
    ) -> bytes:
        """CryptokiError from the token, MechanismUnsupported or GarbledAnswer of our own."""
        if key.pin_per_signature and pin is None:
            raise PinRequired(token=self._serial)
        if isinstance(mechanism, VendorMechanism):
            return self._ask(session, handle, attempts(mechanism)[0], data, pin if key.pin_per_signature else None)
        known = self._known.get((key, mechanism))
        if known is not None:
            answer = self._ask(session, handle, known, data, pin if key.pin_per_signature else None)
            return self._finish(mechanism, key, answer)
        if not key.may_sign:
            raise KeyNotAllowed(key=key.label or key.id.hex())
        if key.public and not fits(mechanism, load_public_key(key.public)):
            raise MechanismUnsupported(token=self._serial, mechanism=mechanism)
        return self._find_way(session, handle, key, mechanism, data, pin if key.pin_per_signature else None)

    def _find_way(
        self, session: int, handle: int, key: KeyRecord, mechanism: Mechanism, data: bytes, pin: str | None
    ) -> bytes:
        """The first attempt that the token takes and whose signature verifies is kept."""
        refused: CryptokiError | None = None
        for attempt in attempts(mechanism):
            try:
                answer = self._ask(session, handle, attempt, data, pin)
            except CryptokiError as error:
                if error.rv not in MECHANISM_REFUSED | VAGUE:
                    raise
                refused = refused or error
                continue
            signature = self._finish(mechanism, key, answer)
            if not verifies(mechanism, load_public_key(key.public), signature, data):
                raise GarbledAnswer(module=self._module, detail="the signature does not verify")
            with self._lock:
                self._known[key, mechanism] = attempt
            return signature
        if refused is None:
            raise MechanismUnsupported(token=self._serial, mechanism=mechanism)
        raise refused

    def _ask(self, session: int, handle: int, attempt: Attempt, data: bytes, pin: str | None) -> bytes:
        return self._cryptoki.sign(session, attempt.mechanism, handle, attempt.prepare(data), authenticate=pin)

    def _finish(self, mechanism: Mechanism, key: KeyRecord, answer: bytes) -> bytes:
        try:
            return finished(mechanism, load_public_key(key.public), answer)
        except ValueError as error:
            raise GarbledAnswer(module=self._module, detail=str(error)) from error

    def unwrap(self, session: int, handle: int, wrapped: bytes, pin: str | None) -> bytes:
        """OAEP on the token where it can, else raw RSA there and decoding here."""
        try:
            return self._cryptoki.decrypt(session, oaep(), handle, wrapped, authenticate=pin)
        except CryptokiError as error:
            if error.rv not in MECHANISM_REFUSED | VAGUE | {Rv.ENCRYPTED_DATA_INVALID}:
                raise
        block = self._cryptoki.decrypt(session, RawMechanism(Ckm.RSA_X_509), handle, wrapped, authenticate=pin)
        try:
            return decode(block.rjust(len(wrapped), b"\x00"))
        except ValueError as error:
            raise GarbledAnswer(module=self._module, detail=str(error)) from error
