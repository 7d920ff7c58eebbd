import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("seal_holders", Path(__file__).with_name("holders.py"))
_holders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_holders)


@pytest.fixture(scope="session")
def holders():
    """The module of holders with software keys."""
    return _holders
