"""The readme tells the truth: its commands run, its help text is the program's, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands() -> list[str]:
    """All `zhengyin …` lines of both readmes, once each, in order."""
    lines = [
        line
        for name in READMES
        for block in blocks((PROJECT / name).read_text(), "console")
        for line in block.splitlines()
    ]
    return [line for line in dict.fromkeys(lines) if line.startswith("zhengyin")]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / ".venv" / "bin" / "zhengyin"), *arguments]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def after_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make demo`'s own command has been run."""
    folder = tmp_path_factory.mktemp("readme")
    recipe = subprocess.run(["make", "-n", "demo"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    line = next(line for line in recipe.splitlines() if "/zhengyin " in line)
    done = run(shlex.split(line)[1:], folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_two_commands_come_first() -> None:
    for name in READMES:
        assert blocks((PROJECT / name).read_text(), "console")[0].split() == ["make", "demo", "make", "test"]


@pytest.mark.parametrize("command", commands())
def test_every_command_runs(after_demo: Path, command: str) -> None:
    done = run(shlex.split(command)[1:], after_demo)
    assert done.returncode == 0, done.stderr


def test_the_help_text_is_the_programs() -> None:
    shown = blocks((PROJECT / "README.md").read_text(), "text")[0]
    assert shown == run(["--help"], PROJECT).stdout


@pytest.mark.parametrize("name", [*READMES, "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (PROJECT / name).read_text()):
        assert (PROJECT / target).exists(), target
