"""Care of a token: initialise, set and change PINs, unblock, keys and certificates, erase. Under the PIN guard.

The way is chosen by what the token is: a PIV card is spoken to itself (`piv_care`), others through their module.
"""

from __future__ import annotations

from .care_port import Care, Changed, NewPins, unheard
from .discovery.readers import same_reader, scan_readers
from .driver import process_driver
from .errors import OperationUnsupported
from .module_paths import runs_in_process
from .pcsc import PcscCard
from .pin_guard import PinGuard, default_folder
from .pin_source import clean_pin
from .piv.applet import PivApplet
from .piv_care import PivCare
from .pkcs11_care import pkcs11_care, set_up
from .ports import TokenInfo


def care_of(module: str, *, serial: str, final_try: bool = False) -> Care:
    """The way to care for this token. `final_try` consents to using the last try of a PIN. TokenNotFound."""
    port = process_driver().modules.port(module)
    port.token(serial)
    reader = None if runs_in_process(port.path) else _reader_of(module, serial)
    if reader is not None and _is_piv(reader, serial):
        return PivCare(module, serial, reader, final_try=final_try)
    return pkcs11_care(module, serial, final_try=final_try)


def _reader_of(module: str, serial: str) -> str | None:
    """The PC/SC reader that the token's slot stands for; None where it stands for none."""
    slots = process_driver().modules.port(module).slots()
    description = next((slot.description for slot in slots if slot.serial == serial), "")
    readers = scan_readers().readers if description else ()
    return next((each.name for each in readers if each.card and same_reader(description, each.name)), None)


def _is_piv(reader: str, serial: str) -> bool:
    try:
        with PcscCard(reader, serial) as card:
            PivApplet(card, serial)
    except OperationUnsupported:
        return False
    return True


def initialise(
    module: str,
    *,
    label: str,
    so_pin: str,
    user_pin: str,
    serial: str | None = None,
    new_so_pin: str | None = None,
    management_key: bytes | None = None,
) -> TokenInfo:
    """Labels a token and sets both PINs. With `serial` that token is erased; without, the first empty one is taken.

    `so_pin` is what the token takes now: a factory SO PIN (openCryptoki, cards) is changed to `new_so_pin` at once.
    A PIV card needs no `so_pin` to be erased; `management_key` is its new one.
    """
    new = NewPins(clean_pin(user_pin), clean_pin(new_so_pin) if new_so_pin else None, management_key)
    if serial is not None:
        return care_of(module, serial=serial).erase(so_pin, label, new)
    so_pin = clean_pin(so_pin)
    info = process_driver().modules.port(module).init_token(None, so_pin, label)
    return set_up(module, info, so_pin, new)


def unblock(module: str, *, serial: str, so_pin: str, new_pin: str, final_try: bool = False) -> None:
    """Sets the user PIN with the officer's PIN (PUK), whether it was locked, forgotten or never set."""
    care_of(module, serial=serial, final_try=final_try).unblock(clean_pin(so_pin), clean_pin(new_pin))


def change_pin(
    module: str,
    *,
    serial: str,
    old: str,
    new: str,
    officer: bool = False,
    final_try: bool = False,
    changed: Changed = unheard,
) -> None:
    """Changes the user's PIN, or with `officer` the security officer's.

    `changed` is called while no other process can log in: it replaces the file from which services take the PIN.
    """
    way = care_of(module, serial=serial, final_try=final_try)
    way.change_pin(clean_pin(old), clean_pin(new), officer=officer, changed=changed)


def forget_refusals(serial: str) -> None:
    """Drops the markers of refused PINs: for a PIN that was changed with another tool."""
    PinGuard(default_folder()).forget(serial)
