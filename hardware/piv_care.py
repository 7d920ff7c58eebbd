"""Care of a PIV card, by commands to its applet: PKCS#11 modules for PIV write little, and OpenSC nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .care_port import Changed, Deleted, NewPins, Secret, unheard
from .discovery.readers import same_reader
from .driver import process_driver
from .errors import CertificateNotOfKey, KeyExists, ManagementKeyIncorrect, NoSuchPlace, PinIncorrect, PinLocked
from .module_port import ModulePort
from .object_reading import certificate_key
from .pcsc import PcscCard
from .pin_guard import PinGuard, default_folder
from .piv.applet import PivApplet, padded
from .piv.places import (
    CHUID,
    FACTORY_MANAGEMENT_KEY,
    FACTORY_PIN,
    FACTORY_PUK,
    PIN,
    PLACES,
    PUK,
    Place,
    certificate_object,
    new_chuid,
)
from .ports import PinState, TokenInfo
from .public_keys import key_type_of
from .records import KeyRecord

_PIN_ALWAYS = 3


class PivCare:
    """The PIV card in a reader (`care_port.Care`). Its SO PIN is the PUK; its management key lets one write.

    A card names its places by CKA_ID as OpenSC and ykcs11 do (`piv.places`) and keeps no labels.
    """

    writes_with = Secret.MANAGEMENT_KEY
    erasing_needs_so_pin = False

    def __init__(self, module: str, serial: str, reader: str, *, final_try: bool = False) -> None:
        self._module, self._serial, self._reader, self._final_try = module, serial, reader, final_try
        self._guard = PinGuard(default_folder())

    @property
    def _port(self) -> ModulePort:
        return process_driver().modules.port(self._module)

    @contextmanager
    def _applet(self) -> Iterator[PivApplet]:
        """The applet, alone; what the module knew of the card is forgotten afterwards."""
        try:
            with PcscCard(self._reader, self._serial) as card:
                yield PivApplet(card, self._serial)
        finally:
            self._port.reinitialise()

    # --- PIN and PUK -------------------------------------------------------------------------------------------

    def change_pin(self, old: str, new: str, *, officer: bool, changed: Changed = unheard) -> None:
        if officer:
            with self._as_officer(old) as applet:
                applet.change(PUK, old, new)
                changed()
            return
        padded(new)
        info = self._port.token(self._serial)
        with self._guard.turn(self._serial) as turn, self._applet() as applet:
            turn.check(replace(info, user_pin=_state(applet.tries_left(PIN))), old, final_try=self._final_try)
            try:
                applet.change(PIN, old, new)
            except (PinIncorrect, PinLocked) as error:
                turn.refused(old, error)
                raise
            turn.clear()
            changed()

    def unblock(self, so_pin: str, new_pin: str) -> None:
        padded(new_pin)
        with self._as_officer(so_pin) as applet:
            applet.unblock(so_pin, new_pin)
        self._guard.forget(self._serial)

    @contextmanager
    def _as_officer(self, puk: str) -> Iterator[PivApplet]:
        with self._applet() as applet:
            state = _state(applet.tries_left(PUK))
            with self._guard.officer_turn(self._serial, puk, state=state, final_try=self._final_try):
                yield applet

    # --- keys and certificates ---------------------------------------------------------------------------------

    @contextmanager
    def _writing(self, management_key: str) -> Iterator[PivApplet]:
        key = self._parsed(management_key)
        with self._applet() as applet:
            applet.authenticate(key)
            yield applet

    def _parsed(self, management_key: str) -> bytes:
        try:
            return bytes.fromhex(management_key)
        except ValueError as error:
            raise ManagementKeyIncorrect(token=self._serial, detail="not hexadecimal") from error

    def _place(self, id: bytes) -> Place:
        place = PLACES.get(id)
        if place is None:
            raise NoSuchPlace(token=self._serial, key=id.hex())
        return place

    def generate(self, secret: str, kind: str, *, label: str, id: bytes) -> KeyRecord:
        """A key counts as there where the card says so, and where its certificate lies, on cards that do not say."""
        place = self._place(id)
        with self._writing(secret) as applet:
            if applet.public_key(place) is not None or applet.object(place.certificate) is not None:
                raise KeyExists(token=self._serial, key=id.hex())
            public = applet.generate(place, kind)
        return KeyRecord(id=id, label="", key_type=key_type_of(public), public=public)

    def import_certificate(self, secret: str, der: bytes, *, label: str, id: bytes) -> None:
        place = self._place(id)
        with self._writing(secret) as applet:
            known = applet.public_key(place)
            if known is not None and certificate_key(der) != known[0]:
                raise CertificateNotOfKey(token=self._serial, key=id.hex())
            applet.write(place.certificate, certificate_object(der))

    def delete(self, secret: str, id: bytes) -> Deleted:
        place = self._place(id)
        with self._writing(secret) as applet:
            certificate = applet.object(place.certificate) is not None
            key = applet.public_key(place) is not None or (certificate and applet.version is None)
            emptied = applet.destroy_key(place) if key else True
            if certificate:
                applet.write(place.certificate, b"")
        return Deleted(int(certificate) + int(key), replaced=not emptied)

    def unseen_keys(self) -> list[KeyRecord]:
        found = []
        with self._applet() as applet:
            for place in PLACES.values():
                if (known := applet.public_key(place)) is not None:
                    public, policy = known
                    record = KeyRecord(id=place.id, label="", key_type=key_type_of(public), public=public)
                    found.append(replace(record, pin_per_signature=policy == _PIN_ALWAYS))
        return found

    # --- factory reset -----------------------------------------------------------------------------------------

    def erase(self, so_pin: str, label: str, new: NewPins) -> TokenInfo:
        """Whoever holds the card may do it: no secret is needed, and `so_pin` and `label` go unused."""
        for pin in filter(None, (new.user_pin, new.so_pin)):
            padded(pin)
        with self._applet() as applet:
            applet.reset()
            applet.authenticate(FACTORY_MANAGEMENT_KEY)
            applet.write(CHUID, new_chuid())
            applet.change(PIN, FACTORY_PIN, new.user_pin)
            if new.so_pin is not None:
                applet.change(PUK, FACTORY_PUK, new.so_pin)
            if new.management_key is not None:
                applet.set_management_key(new.management_key)
        self._guard.forget(self._serial)
        return self._now()

    def _now(self) -> TokenInfo:
        """The token in the reader as it is now: a module may take its serial from what was erased."""
        serials = {slot.serial for slot in self._port.slots() if same_reader(slot.description, self._reader)}
        return next(info for info in self._port.tokens() if info.serial in serials)


def _state(left: int | None) -> PinState:
    """From a count of tries; where the card gives none it is taken as normal."""
    return {0: PinState.LOCKED, 1: PinState.LAST}.get(3 if left is None else left, PinState.NORMAL)
