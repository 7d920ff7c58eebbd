"""One demo home, made and run as `make demo` does it; the tests of this folder look at what came out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from cli.processes import running

from .browsing import chromium


def zhengyin(home: Path, *arguments: str, language: str = "en_US.UTF-8") -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    environment = {**os.environ, "LC_ALL": language}
    command = [sys.executable, "-m", "cli", "--home", str(home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=240)


@dataclass(frozen=True)
class Demo:
    """A finished run: its home, what it printed, and its JSON report."""

    home: Path
    report: dict[str, Any]
    progress: str

    def file(self, name: str) -> bytes:
        return Path(self.report["files"][name]).read_bytes()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("demo") / "zhengyin-home"
    done = zhengyin(home, "demo", "--json")
    assert done.returncode == 0, done.stderr
    shutil.copytree(home, _as_made(home), ignore=shutil.ignore_patterns("*.sock"))
    return Demo(home, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="session")
def untouched(demo: Demo) -> Demo:
    """The home as the one run left it, whatever other tests have done on it since."""
    return Demo(_as_made(demo.home), demo.report, demo.progress)


def _as_made(home: Path) -> Path:
    return home.with_name("as-made")


@pytest.fixture(scope="module")
def served(demo: Demo) -> Iterator[str]:
    """The address of a server on the demo's home. All tests are one address: it may ask more often than others."""
    settings = demo.home / "settings.toml"
    before = settings.read_text(encoding="utf-8")
    settings.write_text("public_look_ups_a_minute = 6000\n" + before, encoding="utf-8")
    with running(demo.home, "serve", "--port", "0", "--json", log=demo.home / "logs" / "serve-tests.log") as ready:
        yield str(ready["url"])
    settings.write_text(before, encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module's tests; each test has a profile of its own (`browsing.phone`)."""
    with chromium() as launched:
        yield launched
