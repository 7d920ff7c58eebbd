"""Finding the officer's USB key and using it for one purpose, with the PIN asked through the surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hardware.driver import list_tokens, open_token
from hardware.errors import TokenNotFound
from hardware.ports import Token, TokenInfo
from signing_service.agent.errors import SeveralTokens
from signing_service.agent.surface import Surface
from signing_service.errors import SigningServiceError, Text

Result = TypeVar("Result")


class PinCancelled(SigningServiceError):
    code = "pin_cancelled"

    def __init__(self) -> None:
        super().__init__(Text("已取消,没有签名。", "Cancelled; nothing was signed."))


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """`modules` are the drivers to look in; `serial` chooses where several keys are plugged in."""

    modules: tuple[str, ...]
    serial: str | None = None

    def find(self) -> TokenInfo:
        """Exactly one. Raises TokenNotFound, SeveralTokens."""
        found = [info for module in self.modules for info in list_tokens(module) if info.initialised]
        if self.serial is not None:
            found = [info for info in found if info.serial == self.serial]
        if not found:
            raise TokenNotFound(token=self.serial or "USB Key")
        if len(found) > 1:
            names = "、".join(f"{info.label} {info.serial}" for info in found)
            raise SeveralTokens(f"有:{names}。", f"There are: {names}.")
        return found[0]

    def use(self, surface: Surface, work: Callable[[Token], Result]) -> Result:
        """Open it with the officer's PIN; no reference to the PIN stays after the log-in.

        It is asked once; again only for a key that wants it with each signature, or after the USB key was pulled.
        """
        info = self.find()

        def give() -> str:
            pin = surface.ask_pin(info)
            if pin is None:
                raise PinCancelled
            return pin

        with open_token(info.module, serial=info.serial, pin=give) as token:
            return work(token)
