"""Changing the PIN of a service token: on the token and in custody's owner-only file, with no moment in between.

The new PIN is written beside the file first (`.next`), so that a crash loses neither. The file is replaced while
nobody else can log in: another process finds the old PIN before, the new one after.
"""

from __future__ import annotations

import os
from pathlib import Path

from hardware.care import change_pin
from hardware.driver import open_token
from hardware.errors import PinFinalTry, PinIncorrect, PinLocked, PinRefusedBefore
from hardware.pin_source import read_pin_file, write_pin_file
from signing_service.custody.errors import TokenNotInCustody
from signing_service.custody.policy import CustodyPolicy, TokenPlace


def place_of(policy: CustodyPolicy, name: str) -> TokenPlace:
    """The token by its name in the policy. Raises TokenNotInCustody."""
    if name not in policy.tokens:
        raise TokenNotInCustody(name, sorted(policy.tokens))
    return policy.tokens[name]


def change_service_pin(folder: Path, place: TokenPlace, new: str) -> None:
    """`folder` is custody's. Takes up a change that was cut off before. Raises TokenError, PinFileMissing."""
    path = folder / place.pin_file
    following = path.with_name(path.name + ".next")
    if following.exists():
        _settle(place, path, following)
    write_pin_file(following, new)
    try:
        change_pin(
            place.module, serial=place.serial, old=read_pin_file(path), new=new,
            changed=lambda: _replace(following, path),
        )  # fmt: skip
    except (PinIncorrect, PinLocked, PinRefusedBefore, PinFinalTry):
        following.unlink()
        raise


def _settle(place: TokenPlace, path: Path, following: Path) -> None:
    """After a crash either PIN may be the token's: the new one is tried once, under the guard like any other."""
    try:
        with open_token(place.module, serial=place.serial, pin=read_pin_file(following)):
            _replace(following, path)
    except PinIncorrect:
        following.unlink()


def _replace(following: Path, path: Path) -> None:
    os.replace(following, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
