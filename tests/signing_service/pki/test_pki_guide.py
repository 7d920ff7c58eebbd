"""docs/guide/pki.md: every command and option that it names is there, its picture shows the rules' states and moves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.commands import app
from signing_service.pki.rules import MOVES, State

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "guide" / "pki.md").read_text(encoding="utf-8")
GROUPS = ("pki", "seals", "keys", "doctor")


def named() -> list[list[str]]:
    """The words of every command in the text: `pki revoke 编号 --as …`; a program's name in front does not count."""
    spans = [re.sub(r"^zhengyin ", "", span) for span in re.findall(r"`([^`\n]+)`", GUIDE)]
    return [span.split() for span in spans if span.split()[0] in GROUPS]


def options_of(command: Any) -> set[str]:
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("words", named(), ids=" ".join)
def test_a_command_of_the_guide_is_there(words: list[str]) -> None:
    rest: list[str] = list(words)
    command: Any = typer.main.get_command(app)
    while rest and hasattr(command, "get_command"):
        command = command.get_command(typer.Context(command), rest.pop(0))
        assert command is not None, words
    for word in rest:
        if word.startswith("-") and word != "--":
            assert word in options_of(command), (words, sorted(options_of(command)))


def test_the_guide_names_what_an_operator_does() -> None:
    assert len(named()) >= 25
    told = {tuple(words[:2]) for words in named()}
    for wanted in ("request", "approve", "refuse", "issue", "activate", "suspend", "release", "revoke", "change-pin",
                   "unblock", "ending", "crl", "csr", "trust", "import", "take", "outside", "ceremony",
                   "impact"):  # fmt: skip
        assert ("pki", wanted) in told, wanted


def test_the_picture_shows_every_state_and_move() -> None:
    source = (DOCS / "pictures" / "certificate-states.typ").read_text(encoding="utf-8")
    assert set(re.findall(r'#state\([^"]*"([a-z]+)"', source)) == set(State)
    assert set(re.findall(r'#move\([^"]*"([a-z]+)"', source)) == set(MOVES)
    assert (DOCS / "pictures" / "certificate-states.png").stat().st_size > 10_000
    assert "certificate-states.png" in GUIDE
