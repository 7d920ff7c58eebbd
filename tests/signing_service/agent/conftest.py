import importlib.util
from pathlib import Path

import pytest

from hardware.softhsm import SoftHsmStore

_spec = importlib.util.spec_from_file_location("usb_keys", Path(__file__).with_name("usb_keys.py"))
_usb_keys = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_usb_keys)


@pytest.fixture(scope="session")
def usb_keys():
    """The module that makes USB keys."""
    return _usb_keys


@pytest.fixture(scope="session")
def key_ring(tmp_path_factory, usb_keys):
    """A store with the keys of two officers, the CA that certified them, made once."""
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    authority = usb_keys.Authority()
    made = {
        "li": usb_keys.make_usb_key(store, authority, "审批员甲"),
        "wang": usb_keys.make_usb_key(store, authority, "审批员乙", "rsa2048"),
    }
    return store, authority, made


@pytest.fixture
def ring(key_ring, tmp_path, monkeypatch):
    """The officers' USB keys by name, plugged in."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    store, _, made = key_ring
    store.activate()
    return made


@pytest.fixture
def authority(key_ring):
    return key_ring[1]
