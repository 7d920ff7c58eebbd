"""Every error of the room says what happened in both languages, under a code of its own."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import signing_service.pki
from signing_service.errors import Text
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


MADE_OF = {
    "str": "x",
    "Text": Text("原因", "cause"),
    "int": 7,
    "bytes": b"x",
    "datetime": datetime(2026, 11, 25, tzinfo=UTC),
}


def made(kind: type[PkiError]) -> PkiError:
    """One of this kind: strings, numbers and instants as its constructor asks for."""
    asked = [
        parameter
        for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]
        if parameter.default is inspect.Parameter.empty
    ]
    return kind(*(MADE_OF.get(parameter.annotation, []) for parameter in asked))


def test_each_says_what_happened_and_what_to_do_next_in_both_languages() -> None:
    for kind in kinds(PkiError):
        if kind is PkiError or kind.__subclasses__():
            continue
        error = made(kind)
        assert error.advice is not None, kind.__name__
        for text in (error.what, error.advice):
            assert text.zh, kind.__name__
            assert re.search(r"[\u4e00-\u9fff]", text.zh), kind.__name__
            assert not re.search(r"[\u4e00-\u9fff]", text.en), kind.__name__
