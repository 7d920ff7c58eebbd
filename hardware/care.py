"""Care of a token: initialise, set and change PINs, unblock, erase. Under the same PIN guard as a login."""

from __future__ import annotations

from collections.abc import Callable

from .driver import process_driver
from .errors import PinIncorrect, PinLocked
from .module_port import ModulePort
from .pin_guard import PinGuard, default_folder
from .pin_source import clean_pin
from .ports import TokenInfo


def initialise(
    module: str,
    *,
    label: str,
    so_pin: str,
    user_pin: str,
    serial: str | None = None,
    new_so_pin: str | None = None,
) -> TokenInfo:
    """Labels a token and sets both PINs. With `serial` that token is erased; without, the first empty one is taken.

    `so_pin` is what the token takes now: a factory SO PIN (openCryptoki, cards) is changed to `new_so_pin` at once.
    """
    so_pin, user_pin = clean_pin(so_pin), clean_pin(user_pin)
    port = _port(module)
    info = port.init_token(serial, so_pin, label)
    if not port.any_login():
        port.reinitialise()  # openCryptoki refuses the officer in the process that has just erased the token
    if new_so_pin is not None:
        change_pin(module, serial=info.serial, old=so_pin, new=new_so_pin, officer=True)
    unblock(module, serial=info.serial, so_pin=new_so_pin or so_pin, new_pin=user_pin)
    return port.token(info.serial)


def unblock(module: str, *, serial: str, so_pin: str, new_pin: str) -> None:
    """Sets the user PIN with the officer's PIN, whether it was locked, forgotten or never set."""
    so_pin, new_pin = clean_pin(so_pin), clean_pin(new_pin)
    port, guard = _port(module), PinGuard(default_folder())
    with guard.officer_turn(serial, so_pin):
        port.init_pin(serial, so_pin, new_pin)
    guard.forget(serial)


def change_pin(
    module: str,
    *,
    serial: str,
    old: str,
    new: str,
    officer: bool = False,
    final_try: bool = False,
    changed: Callable[[], None] = lambda: None,
) -> None:
    """Changes the user's PIN, or with `officer` the security officer's.

    `changed` is called while no other process can log in: it replaces the file from which services take the PIN.
    """
    old, new = clean_pin(old), clean_pin(new)
    port, guard = _port(module), PinGuard(default_folder())
    if officer:
        with guard.officer_turn(serial, old):
            port.set_pin(serial, old, new, True)
            changed()
        return
    with guard.turn(serial) as turn:
        turn.check(port.token(serial), old, final_try=final_try)
        try:
            port.set_pin(serial, old, new)
        except (PinIncorrect, PinLocked):
            turn.refused(old)
            raise
        turn.clear()
        changed()


def forget_refusals(serial: str) -> None:
    """Drops the markers of refused PINs: for a PIN that was changed with another tool."""
    PinGuard(default_folder()).forget(serial)


def _port(module: str) -> ModulePort:
    return process_driver().modules.port(module)
