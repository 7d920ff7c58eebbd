"""The whole life of a PIN on openCryptoki's soft token: low, last, locked, unblocked.

openCryptoki is one instance a machine: its configuration and token data are put aside for the test and put back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hardware import care
from hardware.driver import list_tokens, open_token, process_driver
from hardware.errors import KeyNotFound, PinFinalTry, PinIncorrect, PinLocked
from hardware.module_paths import find_module
from hardware.ports import Mechanism, PinState
from hardware.signing_plans import verifies

CONFIGURATION = Path("/etc/opencryptoki/opencryptoki.conf")
DATA = Path("/var/lib/opencryptoki/swtok")
LOCKS = Path("/run/lock/opencryptoki/swtok")
SOCKET = Path("/run/pkcsslotd.socket")
FACTORY_SO_PIN, SO_PIN, USER_PIN = "87654321", "76543210", "246810"
SW_ONLY = "version opencryptoki-3.1\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n"


@pytest.fixture(scope="module")
def ock(tmp_path_factory):
    module = find_module("libopencryptoki.so")
    if module is None or os.geteuid() != 0 or shutil.which("pkcsslotd") is None:
        pytest.skip("needs openCryptoki (apt-get install opencryptoki) and root")
    if subprocess.run(["pgrep", "-x", "pkcsslotd"], capture_output=True, check=False).returncode == 0:
        pytest.skip("an openCryptoki daemon of this machine is in use")
    aside = tmp_path_factory.mktemp("aside")
    shutil.copy2(CONFIGURATION, aside / "conf")
    DATA.rename(aside / "swtok")
    CONFIGURATION.write_text(SW_ONLY)
    for folder in (DATA / "TOK_OBJ", LOCKS):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (DATA, DATA / "TOK_OBJ", LOCKS.parent, LOCKS):
        shutil.chown(folder, group="pkcs11")
        folder.chmod(0o770)
    SOCKET.unlink(missing_ok=True)
    daemon = subprocess.Popen(["pkcsslotd", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_socket(daemon)
    yield module
    process_driver().modules.port(module).close()
    daemon.kill()  # asked politely, it waits for every process that was ever its client
    daemon.wait(10)
    shutil.rmtree(DATA)
    shutil.move(aside / "swtok", DATA)
    shutil.copy2(aside / "conf", CONFIGURATION)


def wait_for_socket(daemon) -> None:
    """Only looks: the daemon does not take a client that connects and says nothing."""
    deadline = time.monotonic() + 20
    while not SOCKET.exists():
        assert time.monotonic() < deadline
        assert daemon.poll() is None
        time.sleep(0.05)


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
