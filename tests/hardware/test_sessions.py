"""Many threads, many opens, one login: the pool on real SoftHSM."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hardware.driver import list_tokens, open_token, open_uri, process_driver
from hardware.errors import (
    AmbiguousToken,
    ForkedProcess,
    PinIncorrect,
    PinRequired,
    TokenError,
    TokenNotFound,
)
from hardware.ports import Mechanism
from hardware.signing_plans import verifies
from hardware.uri import TokenUri

USER_PIN, SO_PIN = "246810", "13579135"


def test_four_threads_sign_without_an_error(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        key = opened.generate("p256", label="k", id=b"\x01")

        def work(number: int) -> int:
            right = 0
            for index in range(50):
                data = f"{number}/{index}".encode()
                right += verifies(Mechanism.ECDSA_SHA256, key.public_key, key.sign(data, Mechanism.ECDSA_SHA256), data)
            return right

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(4))) == [50] * 4
        assert opened.open_sessions <= 6


def test_two_at_once_share_the_login_and_one_may_leave(store, token):
    """Field report B10: two jobs log in at once; the second fails, or its end logs the first out."""
    both_in = threading.Barrier(2)

    def opens(_: int):
        both_in.wait()
        return open_token(store.module, serial=token.serial, pin=USER_PIN, write=True)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(opens, range(2))
    key = first.generate("p256", label="k", id=b"\x01")
    second.close()
    assert key.sign(b"still logged in", Mechanism.ECDSA_SHA256)
    first.close()
    with open_token(store.module, serial=token.serial) as later, pytest.raises(PinRequired):
        later.key(id=b"\x01")


def test_sessions_do_not_leak_when_half_of_the_calls_fail(store, token):
    """Field report B12: sessions leak until the token gives no more."""
    opened = open_token(store.module, serial=token.serial, pin=USER_PIN, write=True)
    key = opened.generate("p256", label="k", id=b"\x01")
    for index in range(100):
        if index % 2:
            key.sign(b"data", Mechanism.ECDSA_SHA256)
        else:
            with pytest.raises(TokenError):
                key.sign(b"data", Mechanism.RSA_PKCS1_SHA256)
    assert opened.open_sessions == 2  # the login holder and one idle session
    opened.close()
    port = process_driver().modules.port(store.module)
    assert port.open_sessions(token.serial) == 0


def test_a_wrong_pin_leaves_no_session_behind(store, token):
    with pytest.raises(PinIncorrect):
        open_token(store.module, serial=token.serial, pin="000000")
    # The officer's login fails while any read-only session is open: it works, so none is.
    process_driver().modules.port(store.module).init_pin(token.serial, SO_PIN, "112233")
    with open_token(store.module, serial=token.serial, pin="112233") as opened:
        assert opened.keys() == []


def test_another_pin_than_the_accepted_one_is_refused_without_a_try(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN) as first:
        with pytest.raises(PinIncorrect, match="differs from the PIN"):
            open_token(store.module, serial=token.serial, pin="000000")
        assert first.keys() == []
        assert first.info.user_pin.value == "normal"


def test_tokens_with_one_label_are_told_apart_by_serial(store):
    """Field report B03: two tokens share a label, and the first that is found is used."""
    tokens = [store.create("示例重名", user_pin=USER_PIN, so_pin=SO_PIN) for _ in range(2)]
    with pytest.raises(AmbiguousToken) as caught:
        open_uri("pkcs11:token=示例重名", module=store.module, pin=USER_PIN)
    assert all(info.serial in str(caught.value) for info in tokens)
    uri = TokenUri(serial=tokens[1].serial)
    with open_uri(str(uri), module=store.module, pin=USER_PIN) as opened:
        assert opened.info.serial == tokens[1].serial


def test_an_unknown_serial_is_named(store, token):
    with pytest.raises(TokenNotFound, match="deadbeef"):
        open_token(store.module, serial="deadbeef", pin=USER_PIN)


def test_a_token_made_by_another_process_is_seen_while_one_is_logged_in(store, token):
    """SoftHSM shows a token made elsewhere only after a new start; the login of the first must survive that."""
    from hardware.module_host import ModuleHost

    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as first:
        key = first.generate("p256", label="k", id=b"\x01")
        other = ModuleHost(store.module)
        made = other.init_token(None, SO_PIN, "示例另建")
        other.init_pin(made.serial, SO_PIN, USER_PIN)
        other.close()
        assert made.serial in {info.serial for info in list_tokens(store.module)}
        with open_token(store.module, serial=made.serial, pin=USER_PIN) as second:
            assert second.info.label == "示例另建"
        assert key.sign(b"data", Mechanism.ECDSA_SHA256)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_so(store, token):
    port = process_driver().modules.port(store.module)
    port.tokens()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            port.tokens()
        except ForkedProcess:
            os.write(writing, b"named")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 10) == b"named"
    os.close(reading)


def test_the_same_library_by_a_link_is_loaded_once(store, token, tmp_path):
    link = tmp_path / "renamed.so"
    link.symlink_to(store.module)
    assert process_driver().modules.port(str(link)) is process_driver().modules.port(store.module)


def test_opening_again_interns_nothing(store, token, monkeypatch):
    """A table of interned strings that is made anew, each time in another thread's memory, grew a service by megabytes
    a day."""
    interned = []
    with open_token(store.module, serial=token.serial, pin=USER_PIN) as opened:
        monkeypatch.setattr(sys, "intern", lambda text: interned.append(text) or text)
        for _ in range(3):
            with open_token(store.module, serial=token.serial, pin=USER_PIN) as again:
                again.keys()
                again.certificates()
        assert opened.info.serial == token.serial
    assert interned == []
