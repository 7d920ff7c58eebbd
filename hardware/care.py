"""Care of a token: initialise, set and change PINs, unblock, erase. Under the same PIN guard as a login."""

from __future__ import annotations

from .driver import process_driver
from .errors import PinIncorrect, PinLocked
from .module_port import ModulePort
from .pin_guard import PinGuard, default_folder
from .pin_source import clean_pin
from .ports import TokenInfo

_OFFICER = "/so"


def initialise(module: str, *, label: str, so_pin: str, user_pin: str, serial: str | None = None) -> TokenInfo:
    """Labels a token and sets both PINs. With `serial` that token is erased; without, the first empty one is taken.

    Some modules (openCryptoki) accept only their factory SO PIN here; change it with `change_pin` afterwards.
    """
    so_pin, user_pin = clean_pin(so_pin), clean_pin(user_pin)
    port = _port(module)
    info = port.init_token(serial, so_pin, label)
    unblock(module, serial=info.serial, so_pin=so_pin, new_pin=user_pin)
    return port.token(info.serial)


def unblock(module: str, *, serial: str, so_pin: str, new_pin: str) -> None:
    """Sets the user PIN with the officer's PIN, whether it was locked, forgotten or never set."""
    so_pin, new_pin = clean_pin(so_pin), clean_pin(new_pin)
    port, guard = _port(module), PinGuard(default_folder())
    with guard.turn(serial + _OFFICER) as turn:
        turn.check_mark(so_pin)
        try:
            port.init_pin(serial, so_pin, new_pin)
        except (PinIncorrect, PinLocked):
            turn.refused(so_pin)
            raise
        turn.clear()
    guard.forget(serial)


def change_pin(module: str, *, serial: str, old: str, new: str, officer: bool = False, final_try: bool = False) -> None:
    """Changes the user's PIN, or with `officer` the security officer's."""
    old, new = clean_pin(old), clean_pin(new)
    port, guard = _port(module), PinGuard(default_folder())
    with guard.turn(serial + _OFFICER if officer else serial) as turn:
        if officer:
            turn.check_mark(old)
        else:
            turn.check(port.token(serial), old, final_try=final_try)
        try:
            port.set_pin(serial, old, new, officer)
        except (PinIncorrect, PinLocked):
            turn.refused(old)
            raise
        turn.clear()


def forget_refusals(serial: str) -> None:
    """Drops the markers of refused PINs: for a PIN that was changed with another tool."""
    guard = PinGuard(default_folder())
    guard.forget(serial)
    guard.forget(serial + _OFFICER)


def _port(module: str) -> ModulePort:
    return process_driver().modules.port(module)
