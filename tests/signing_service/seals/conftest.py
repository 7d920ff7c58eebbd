import importlib.util
import sys
from pathlib import Path

import pytest


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
