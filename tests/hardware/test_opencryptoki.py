"""The whole life of a PIN on openCryptoki's soft token: low, last, locked, unblocked."""

from __future__ import annotations

import pytest

from hardware import care
from hardware.driver import list_tokens, open_token
from hardware.errors import KeyNotFound, PinFinalTry, PinIncorrect, PinLocked
from hardware.ports import Mechanism, PinState
from hardware.signing_plans import verifies

FACTORY_SO_PIN, SO_PIN, USER_PIN = "87654321", "76543210", "246810"


@pytest.fixture(scope="module")
def token(ock, tmp_path_factory):
    """A token fresh from `keys init`: factory SO PIN changed, user PIN set by the officer and changed by the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        (blank,) = list_tokens(ock)
        assert not blank.initialised
        info = care.initialise(
            ock, label="示例OCK", serial=blank.serial, so_pin=FACTORY_SO_PIN, new_so_pin=SO_PIN, user_pin="111111"
        )
        care.change_pin(ock, serial=info.serial, old="111111", new=USER_PIN)
    return info


def state(module: str) -> PinState:
    (info,) = list_tokens(module)
    return info.user_pin


def test_from_low_to_locked_to_unblocked(ock, token):
    def wrong(pin: str, **consent):
        open_token(ock, serial=token.serial, pin=pin, **consent)

    assert state(ock) is PinState.NORMAL
    with pytest.raises(PinIncorrect):
        wrong("000001")
    assert state(ock) is PinState.LOW
    with pytest.raises(PinIncorrect):
        wrong("000002")
    assert state(ock) is PinState.LAST
    with pytest.raises(PinFinalTry):
        wrong("000003")
    assert state(ock) is PinState.LAST
    with pytest.raises((PinIncorrect, PinLocked)):
        wrong("000003", final_try=True)
    assert state(ock) is PinState.LOCKED
    with pytest.raises(PinLocked):
        wrong(USER_PIN, final_try=True)
    care.unblock(ock, serial=token.serial, so_pin=SO_PIN, new_pin="135790")
    assert state(ock) is PinState.NORMAL
    open_token(ock, serial=token.serial, pin="135790").close()
    care.change_pin(ock, serial=token.serial, old="135790", new=USER_PIN)


def test_generate_sign_delete(ock, token):
    with open_token(ock, serial=token.serial, pin=USER_PIN, write=True) as opened:
        key = opened.generate("rsa2048", label="k", id=b"\x01")
        for mechanism in (Mechanism.RSA_PKCS1_SHA256, Mechanism.RSA_PSS_SHA256):
            assert verifies(mechanism, key.public_key, key.sign(b"data", mechanism), b"data")
        assert opened.delete(id=b"\x01") == 2
        with pytest.raises(KeyNotFound):
            opened.key(id=b"\x01")
