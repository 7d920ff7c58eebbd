"""A token pulled in the middle of the day, and back: SoftHSM with its token folder moved away.

Field report B02: the key is pulled in the middle of a job or plugged in late, and the service is dead until it is
started anew.
"""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from hardware.driver import list_tokens, open_token, process_driver
from hardware.errors import ModuleCrashed, PinRequired, TokenGone, TokenRemoved
from hardware.module_host import ModuleHost
from hardware.ports import Mechanism
from hardware.signing_plans import verifies

USER_PIN, SO_PIN = "246810", "13579135"
ECDSA = Mechanism.ECDSA_SHA256


@pytest.fixture
def slot(store, token):
    """Pull and replug, by moving the folder of the token."""
    (folder,) = (store.folder / "tokens").iterdir()
    hidden = store.folder / "pulled"

    class Slot:
        def pull(self) -> None:
            folder.rename(hidden)

        def replug(self) -> None:
            hidden.rename(folder)

    return Slot()


def test_pulled_is_named_and_after_replug_it_signs_again(store, token, slot):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True, keep_pin=True) as opened:
        key = opened.generate("rsa2048", label="k", id=b"\x01")
        assert key.sign(b"before", Mechanism.RSA_PKCS1_SHA256)
        slot.pull()
        with pytest.raises(TokenRemoved):
            key.sign(b"while out", Mechanism.RSA_PKCS1_SHA256)
        slot.replug()
        signature = key.sign(b"after", Mechanism.RSA_PKCS1_SHA256)
        assert verifies(Mechanism.RSA_PKCS1_SHA256, key.public_key, signature, b"after")


def test_a_new_token_is_listed_after_a_removal(store, token, slot):
    with open_token(store.module, serial=token.serial, pin=USER_PIN) as opened:
        slot.pull()
        with pytest.raises(TokenGone):
            opened.certificates()
    fresh = store.create("示例新建", user_pin=USER_PIN, so_pin=SO_PIN)
    assert [info.serial for info in list_tokens(store.module)] == [fresh.serial]


def test_without_a_kept_pin_the_caller_is_asked_again(store, token, slot):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        key = opened.generate("p256", label="k", id=b"\x01")
        slot.pull()
        with pytest.raises(TokenGone):
            key.sign(b"data", Mechanism.ECDSA_SHA256)
        slot.replug()
        with pytest.raises(PinRequired):
            key.sign(b"data", Mechanism.ECDSA_SHA256)
        with open_token(store.module, serial=token.serial, pin=USER_PIN):
            assert key.sign(b"data", Mechanism.ECDSA_SHA256)


def test_two_hundred_pulls_give_no_wrong_result(store, token, slot):
    """And the first good signature costs at most three starts of the module."""
    port = process_driver().modules.port(store.module)
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True, keep_pin=True) as opened:
        key = opened.generate("p256", label="k", id=b"\x01")
        public = key.public_key
        for round_number in range(200):
            data = f"round {round_number}".encode()
            slot.pull()
            with pytest.raises(TokenRemoved):
                key.sign(data, Mechanism.ECDSA_SHA256)
            slot.replug()
            before = port.reinitialisations
            assert verifies(Mechanism.ECDSA_SHA256, public, key.sign(data, Mechanism.ECDSA_SHA256), data)
            assert port.reinitialisations - before <= 3
        assert opened.open_sessions <= 2


def test_one_token_pulled_does_not_log_another_out(store, token, slot):
    other = store.create("示例另一", user_pin=USER_PIN, so_pin=SO_PIN)
    with (
        open_token(store.module, serial=other.serial, pin=USER_PIN, write=True) as bystander,
        open_token(store.module, serial=token.serial, pin=USER_PIN, write=True, keep_pin=True) as pulled,
    ):
        safe = bystander.generate("p256", label="safe", id=b"\x01")
        key = pulled.generate("p256", label="k", id=b"\x01")
        slot.pull()
        with pytest.raises(TokenRemoved):
            key.sign(b"data", Mechanism.ECDSA_SHA256)
        assert safe.sign(b"data", Mechanism.ECDSA_SHA256)
        slot.replug()
        assert verifies(Mechanism.ECDSA_SHA256, key.public_key, key.sign(b"data", Mechanism.ECDSA_SHA256), b"data")
        assert safe.sign(b"data", Mechanism.ECDSA_SHA256)


def test_a_lost_login_never_shows_as_a_token_without_keys(store, token):
    """Keys are listed again after a new login, or the PIN is asked for; never an empty list that hides them."""
    kept = open_token(store.module, serial=token.serial, pin=lambda: USER_PIN, write=True)
    kept.generate("p256", label="signing", id=b"\x01")
    process_driver().modules.port(store.module).reinitialise()
    assert [key.label for key in kept.keys()] == ["signing"]  # noqa: SIM118  # a token is no mapping
    kept.close()
    asked = open_token(store.module, serial=token.serial, pin=USER_PIN)
    process_driver().modules.port(store.module).reinitialise()
    with pytest.raises(PinRequired):
        asked.keys()
    asked.close()


@pytest.fixture
def beside(store):
    """A token that is logged in without a kept PIN, so that its module may not be started anew under it."""
    info = store.create("示例在旁", user_pin=USER_PIN, so_pin=SO_PIN)
    with open_token(store.module, serial=info.serial, pin=USER_PIN, write=True) as opened:
        yield opened.generate("p256", label="beside", id=b"\x01")


@pytest.fixture
def hosted(store, beside):
    """(opened token, its key, its folder): made while `beside` is logged in, so a host process serves it."""
    known = set((store.folder / "tokens").iterdir())
    maker = ModuleHost(store.module)
    info = maker.init_token(None, SO_PIN, "示例另处")
    maker.init_pin(info.serial, SO_PIN, USER_PIN)
    maker.close()
    (folder,) = set((store.folder / "tokens").iterdir()) - known
    with open_token(store.module, serial=info.serial, pin=USER_PIN, write=True, keep_pin=True) as opened:
        yield opened, opened.generate("p256", label="k", id=b"\x01"), folder


def test_a_folder_deleted_under_a_hosted_token_is_a_removal_at_each_call(store, beside, hosted, hosts_of):
    """The token next to it goes on; the host neither dies nor is left behind in numbers."""
    opened, key, folder = hosted
    assert key.sign(b"data", Mechanism.ECDSA_SHA256)
    shutil.rmtree(folder)
    for call in (lambda: key.sign(b"data", Mechanism.ECDSA_SHA256), opened.certificates, lambda: list(opened.keys())):
        for _ in range(2):
            with pytest.raises(TokenGone):
                call()
        assert beside.sign(b"data", Mechanism.ECDSA_SHA256)
    assert len(hosts_of(store.module)) == 1


def test_a_host_that_aborts_costs_one_named_error_and_nobody_else(store, beside, hosted, hosts_of):
    """As SoftHSM does when its own bookkeeping breaks: SIGABRT in the process that serves the token."""
    _, key, _ = hosted
    assert key.sign(b"data", Mechanism.ECDSA_SHA256)
    (host,) = hosts_of(store.module)
    os.kill(host, signal.SIGABRT)
    outcomes = []
    for number in range(5):
        data = b"%d" % number
        try:
            outcomes.append(verifies(ECDSA, key.public_key, key.sign(data, ECDSA), data))
        except ModuleCrashed:
            outcomes.append("crashed")
        assert beside.sign(data, ECDSA)
    assert outcomes.count("crashed") <= 1
    assert outcomes[-4:] == [True] * 4
