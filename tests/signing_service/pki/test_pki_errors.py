"""Every error of the room says what happened in both languages, under a code of its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import signing_service.pki
from signing_service.pki.errors import PkiError


def kinds(root: type[PkiError]) -> Iterator[type[PkiError]]:
    yield root
    for child in root.__subclasses__():
        yield from kinds(child)


def test_codes_are_unique_and_no_class_borrows_its_parents() -> None:
    for module in pkgutil.iter_modules(signing_service.pki.__path__, "signing_service.pki."):
        importlib.import_module(module.name)
    found = list(kinds(PkiError))
    assert len(found) > 15
    assert len({kind.code for kind in found}) == len(found)
    assert all("code" in vars(kind) for kind in found)
