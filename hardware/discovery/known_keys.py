"""The USB keys that we know by their USB ids, from data; an operator's own file comes first.

Columns of the CSV: `usb_ids` (vid:pid, several by space), `name`, `interface` (USB class, hexadecimal), `speaks`
(pkcs11, skf, vendor), `linux` `windows` `macos` (module file names by |), `package` (Debian package of the driver),
`id_is_enough` (no: the id is used by others too), `source`.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hardware.errors import KnownKeysUnreadable
from hardware.module_paths import find_module

_USB_ID = re.compile("[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One kind of USB key. `modules` are those for this system, in order of preference."""

    usb_ids: tuple[str, ...]
    name: str
    interfaces: tuple[str, ...]
    speaks: tuple[str, ...]
    modules: tuple[str, ...]
    package: str
    id_is_enough: bool

    @property
    def has_pkcs11(self) -> bool:
        return "pkcs11" in self.speaks

    def fits(self, usb_id: str, interfaces: Iterable[str]) -> bool:
        """By id and, where it is known, by interface class: vendors reuse product numbers."""
        seen = set(interfaces)
        if usb_id not in self.usb_ids:
            return False
        if not self.interfaces or not seen:
            return self.id_is_enough
        return bool(seen & set(self.interfaces))

    def installed_module(self) -> str | None:
        """The first of its modules that is on this machine."""
        return next((path for name in self.modules if (path := find_module(name))), None)


def known_keys(override: Path | None = None) -> list[KnownKey]:
    """The keys that ship with us, after those of the operator's file, which are matched first. KnownKeysUnreadable."""
    ours = _read((files(__package__) / "usb_keys.csv").read_text("utf-8").splitlines())
    if override is None:
        return ours
    try:
        return _read(override.read_text("utf-8-sig").splitlines()) + ours
    except (OSError, ValueError, csv.Error) as error:
        raise KnownKeysUnreadable(path=str(override), detail=str(error)) from error


def _read(lines: list[str]) -> list[KnownKey]:
    """ValueError with the line where a row is not one."""
    rows = csv.DictReader(lines)
    found = []
    for row in rows:
        ids = (row.get("usb_ids") or "").split()
        if not row.get("name") or not ids or not all(map(_USB_ID.fullmatch, ids)):
            raise ValueError(f"line {rows.line_num}")
        found.append(_known(row))
    return found


def _known(row: Mapping[str, str]) -> KnownKey:
    column = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return KnownKey(
        usb_ids=tuple(row["usb_ids"].lower().split()),
        name=row["name"],
        interfaces=tuple((row.get("interface") or "").lower().split()),
        speaks=tuple((row.get("speaks") or "pkcs11").split()),
        modules=tuple(filter(None, (row.get(column) or "").split("|"))),
        package=row.get("package") or "",
        id_is_enough=(row.get("id_is_enough") or "yes") == "yes",
    )


def recognise(keys: Iterable[KnownKey], usb_id: str, interfaces: Iterable[str]) -> KnownKey | None:
    """The first kind that fits."""
    seen = tuple(interfaces)
    return next((key for key in keys if key.fits(usb_id, seen)), None)
