"""Real SoftHSM tokens, one store per test; PIN markers in the test's own folder."""

from __future__ import annotations

import pytest

from hardware.softhsm import SoftHsmStore

USER_PIN, SO_PIN = "246810", "13579135"


@pytest.fixture(autouse=True)
def guard_folder(tmp_path, monkeypatch):
    """No test leaves a PIN marker in the account's own folder."""
    folder = tmp_path / "pin-guard"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def store(tmp_path):
    store = SoftHsmStore(tmp_path / "softhsm")
    store.activate()
    return store


@pytest.fixture
def token(store):
    """TokenInfo of a fresh SoftHSM token 示例市."""
    return store.create("示例市测试", user_pin=USER_PIN, so_pin=SO_PIN)
