import importlib.util
import json
import sys
from pathlib import Path

import pytest

from cli.init import SQLITE_URL, STEPS, make_home
from cli.main import app
from cli.opened_home import open_home
from cli.progress import Progress


def _module(name, file):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_holders = _module("seal_holders", "holders.py")
_world = _module("seal_world", "seal_world.py")


@pytest.fixture(scope="session")
def holders():
    """The module of holders with software keys."""
    return _holders


@pytest.fixture
def world(database, holders):
    """A register on SQLite and on PostgreSQL, and seals to put into it."""
    return _world.World(database, holders)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """One home for the tests of the commands."""
    return make_home(tmp_path_factory.mktemp("seals") / "zhengyin-home", SQLITE_URL, Progress(STEPS, "en")).home


@pytest.fixture
def zhengyin(home, capsys, tmp_path, monkeypatch):
    """Runs `zhengyin seals …` on the home; what stdout says, as JSON unless `plain`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    open_home(home)

    def run(*arguments, plain=False):
        capsys.readouterr()
        app(["--home", str(home), "seals", *map(str, arguments), *([] if plain else ["--json"])], standalone_mode=False)
        output = capsys.readouterr().out
        return output if plain else json.loads(output)

    return run
