"""SoftHSM 2: tokens in a folder, for the demo, small towns and tests."""

from __future__ import annotations

import os
from pathlib import Path

from .driver import list_tokens, process_driver
from .errors import SoftHsmMissing
from .module_paths import find_module
from .pin_source import clean_pin
from .ports import TokenInfo

_CONFIGURATION = """\
directories.tokendir = {tokens}
objectstore.backend = file
log.level = ERROR
slots.removable = false
"""
_VARIABLE = "SOFTHSM2_CONF"


class SoftHsmStore:
    """The SoftHSM tokens kept under one folder (owner-only).

    SoftHSM reads SOFTHSM2_CONF when it is initialised: one process works with one store at a time, the one that
    was activated last; activating another closes the tokens of the former.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.configuration = self.folder / "softhsm2.conf"

    @property
    def module(self) -> str:
        """Path of libsofthsm2.so; SoftHsmMissing names the package where it is not installed."""
        found = find_module("libsofthsm2.so") or find_module("libsofthsm2.dylib") or find_module("softhsm2-x64.dll")
        if found is None:
            raise SoftHsmMissing
        return found

    def activate(self) -> None:
        """Points SoftHSM in this process (and its children) to this store; writes the configuration if new."""
        self._write_configuration()
        if os.environ.get(_VARIABLE) != str(self.configuration):
            os.environ[_VARIABLE] = str(self.configuration)
            process_driver().forget(self.module)

    def _write_configuration(self) -> None:
        tokens = self.folder / "tokens"
        tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = _CONFIGURATION.format(tokens=tokens)
        if not self.configuration.exists() or self.configuration.read_text() != wanted:
            self.configuration.write_text(wanted)
            self.configuration.chmod(0o600)

    def create(self, label: str, *, user_pin: str, so_pin: str) -> TokenInfo:
        """A new token with both PINs set. Labels may repeat; the serial in the answer names it."""
        user_pin, so_pin = clean_pin(user_pin), clean_pin(so_pin)
        self.activate()
        port = process_driver().modules.port(self.module)
        info = port.init_token(None, so_pin, label)
        port.init_pin(info.serial, so_pin, user_pin)
        return port.token(info.serial)

    def list(self) -> list[TokenInfo]:
        """The initialised tokens of this store."""
        self.activate()
        return [info for info in list_tokens(self.module) if info.initialised]
