"""Care of a token by PKCS#11's own calls, and where openCryptoki needs another way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

from .care_port import Changed, Deleted, NewPins, Secret, unheard
from .driver import open_token, process_driver
from .errors import CertificateNotOfKey, LabelIsFixed, PinIncorrect, PinLocked
from .module_port import ModulePort
from .object_reading import certificate_key
from .opened_token import OpenedToken
from .pin_guard import PinGuard, default_folder
from .ports import TokenInfo
from .records import KeyRecord


class Pkcs11Care:
    """A token that is its module's alone (`care_port.Care`): SoftHSM, TPMs, HSMs, USB keys with a full module."""

    writes_with = Secret.USER_PIN
    erasing_needs_so_pin = True

    def __init__(self, module: str, serial: str, *, final_try: bool = False) -> None:
        self._module, self._serial, self._final_try = module, serial, final_try
        self._guard = PinGuard(default_folder())

    @property
    def _port(self) -> ModulePort:
        return process_driver().modules.port(self._module)

    def change_pin(self, old: str, new: str, *, officer: bool, changed: Changed = unheard) -> None:
        info = self._port.token(self._serial)
        if officer:
            with self._guard.officer_turn(self._serial, old, state=info.so_pin, final_try=self._final_try):
                self._port.set_pin(self._serial, old, new, True)
                changed()
            return
        with self._guard.turn(self._serial) as turn:
            turn.check(info, old, final_try=self._final_try)
            try:
                self._port.set_pin(self._serial, old, new)
            except (PinIncorrect, PinLocked) as error:
                turn.refused(old, error)
                raise
            turn.clear()
            changed()

    def unblock(self, so_pin: str, new_pin: str) -> None:
        state = self._port.token(self._serial).so_pin
        with self._guard.officer_turn(self._serial, so_pin, state=state, final_try=self._final_try):
            self._port.init_pin(self._serial, so_pin, new_pin)
        self._guard.forget(self._serial)

    @contextmanager
    def _opened(self, pin: str) -> Iterator[OpenedToken]:
        consent = self._final_try
        with open_token(self._module, serial=self._serial, pin=pin, write=True, final_try=consent) as opened:
            yield opened

    def generate(self, secret: str, kind: str, *, label: str, id: bytes) -> KeyRecord:
        with self._opened(secret) as opened:
            return opened.generate(kind, label=label, id=id).record

    def import_certificate(self, secret: str, der: bytes, *, label: str, id: bytes) -> None:
        with self._opened(secret) as opened:
            records = map(attrgetter("record"), opened.keys())
            known = {record.public for record in records if record.id == id and record.public}
            if known and certificate_key(der) not in known:
                raise CertificateNotOfKey(token=self._serial, key=id.hex())
            opened.store_certificate(der, label=label, id=id)

    def delete(self, secret: str, id: bytes) -> Deleted:
        with self._opened(secret) as opened:
            return Deleted(opened.delete(id=id))

    def erase(self, so_pin: str, label: str, new: NewPins) -> TokenInfo:
        state = self._port.token(self._serial).so_pin
        with self._guard.officer_turn(self._serial, so_pin, state=state, final_try=self._final_try):
            info = self._port.init_token(self._serial, so_pin, label)
        return set_up(self._module, info, so_pin, new)

    def unseen_keys(self) -> list[KeyRecord]:
        return []


class OpenCryptokiCare(Pkcs11Care):
    """openCryptoki's soft token up to 3.8 locks its officer out for good when C_InitToken erases a token whose SO PIN
    was changed: the new master key is sealed with the factory's PIN. So its objects are destroyed one by one."""

    def erase(self, so_pin: str, label: str, new: NewPins) -> TokenInfo:
        info = self._port.token(self._serial)
        if not info.initialised:
            return super().erase(so_pin, label, new)
        if label != info.label:
            raise LabelIsFixed(token=self._serial)
        self.unblock(so_pin, new.user_pin)
        with self._opened(new.user_pin) as opened:
            opened.delete_all()
        if new.so_pin is not None:
            self.change_pin(so_pin, new.so_pin, officer=True)
        return self._port.token(self._serial)


def set_up(module: str, info: TokenInfo, so_pin: str, new: NewPins) -> TokenInfo:
    """PINs of a token that was just labelled; `so_pin` is what it takes now."""
    port = process_driver().modules.port(module)
    if not port.any_login():
        port.reinitialise()  # openCryptoki refuses the officer in the process that has just erased the token
    care = Pkcs11Care(module, info.serial)
    if new.so_pin is not None:
        care.change_pin(so_pin, new.so_pin, officer=True)
    care.unblock(new.so_pin or so_pin, new.user_pin)
    return port.token(info.serial)


def pkcs11_care(module: str, serial: str, *, final_try: bool = False) -> Pkcs11Care:
    """The care that this module's tokens want."""
    kind = OpenCryptokiCare if Path(module).name.startswith("libopencryptoki") else Pkcs11Care
    return kind(module, serial, final_try=final_try)
