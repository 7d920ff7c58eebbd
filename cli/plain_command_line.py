"""Reading `zhengyin [--home HOME] sign IN.pdf -o OUT.pdf …` where it is plainly written; anything else is for Typer.

Help, mistakes, abbreviations and joined short options are left to Typer: what is read here, Typer reads the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cli.invocation import DEFAULT_HOME, HOME_VARIABLE

_OPTIONS = {"--seal", "--key", "--level", "--place", "--reason", "--output"}


def read_sign(words: list[str]) -> dict[str, Any] | None:
    """The arguments of `make_signature`; None where Typer has to read the words."""
    home = os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
    if words[:1] == ["--home"] and len(words) > 1:
        home, words = words[1], words[2:]
    if words[:1] != ["sign"] or home.startswith("-"):
        return None
    files: list[str] = []
    options: dict[str, str] = {}
    remaining = iter(words[1:])
    for word in remaining:
        name = "--output" if word == "-o" else word
        if name in _OPTIONS and name not in options:
            options[name] = next(remaining, "-")
        elif word.startswith("-") or files:
            return None
        else:
            files.append(word)
    if len(files) != 1 or "--output" not in options or any(value.startswith("-") for value in options.values()):
        return None
    output = options.pop("--output")
    given = {name.removeprefix("--"): value for name, value in options.items()}
    return {"home": Path(home).resolve(), "source": Path(files[0]), "output": Path(output), **given}
