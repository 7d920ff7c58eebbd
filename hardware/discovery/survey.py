"""The three scans at once, and the table made of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import ModuleMissing
from hardware.module_paths import find_module

from .key_table import KeyRow, key_table
from .known_keys import known_keys
from .readers import ReaderScan, scan_readers
from .slots import ModuleScan, installed_modules, scan_module
from .usb_devices import UsbScan, scan_usb


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that was seen; `rows` is the table."""

    usb: UsbScan
    readers: ReaderScan
    modules: tuple[ModuleScan, ...]
    rows: tuple[KeyRow, ...]


def survey(*, modules: Sequence[str] | None = None, known: Path | None = None) -> Survey:
    """What is plugged in now. `modules` limits the modules asked; `known` is the operator's own file of keys."""
    paths = surveyed_modules(modules=modules, known=known)
    usb, readers = scan_usb(), scan_readers()
    with ThreadPoolExecutor(4) as pool:
        scans = tuple(pool.map(scan_module, paths))
    return Survey(usb, readers, scans, tuple(key_table(usb.devices, readers.readers, scans, known_keys(known))))


def surveyed_modules(*, modules: Sequence[str] | None = None, known: Path | None = None) -> list[str]:
    """Paths of the modules that a survey asks. ModuleMissing for a named one that is not there."""
    return installed_modules(known_keys(known)) if modules is None else [_present(module) for module in modules]


def _present(module: str) -> str:
    found = find_module(module)
    if found is None:
        raise ModuleMissing(module=module)
    return found
