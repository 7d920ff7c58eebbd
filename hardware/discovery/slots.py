"""Token slots of every module on this machine, each asked in a host process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hardware.errors import TokenError
from hardware.module_host import host
from hardware.module_paths import find_module
from hardware.modules import canonical
from hardware.pin_guard import PinGuard, default_folder
from hardware.ports import TokenInfo
from hardware.records import SlotReport

from .known_keys import KnownKey

GENERAL_MODULES = ("libsofthsm2.so", "libopencryptoki.so", "opensc-pkcs11.so", "libykcs11.so", "libtpm2_pkcs11.so")
LISTING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ModuleScan:
    """What one module answered; `problem` is the error that it ended with, None where it answered."""

    module: str
    slots: tuple[SlotReport, ...] = ()
    tokens: tuple[TokenInfo, ...] = ()
    description: str = ""
    problem: TokenError | None = None


def installed_modules(keys: Iterable[KnownKey], extra: Iterable[str] = ()) -> list[str]:
    """Paths, each library once: those named by the caller, the general ones, those of known keys."""
    names = [*extra, *GENERAL_MODULES, *(name for key in keys for name in key.modules)]
    found: dict[str, str] = {}
    for path in filter(None, map(find_module, names)):
        found.setdefault(canonical(path), path)
    return list(found.values())


def scan_module(path: str, *, seconds: float = LISTING_SECONDS) -> ModuleScan:
    """Slots and tokens of one module. A crash, hang or refusal is reported, never raised."""
    port = host(path, seconds=seconds)
    try:
        slots = tuple(port.slots())
        guard = PinGuard(default_folder())
        tokens = tuple(guard.shown(info) for info in port.tokens() if info.serial or info.initialised)
        return ModuleScan(path, slots, tokens, port.description())
    except TokenError as error:
        return ModuleScan(path, problem=error)
    finally:
        port.close()
