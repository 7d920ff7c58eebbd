"""Backends that live in another process: p11-kit's server, and a software TPM that is slow and locks as a whole."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from hardware import care
from hardware.discovery.slots import scan_module
from hardware.driver import Driver
from hardware.errors import PinIncorrect, PinLocked, TpmLocked
from hardware.module_paths import find_module
from hardware.ports import Mechanism, PinState
from hardware.signing_plans import verifies

USER_PIN, SO_PIN = "246810", "13579135"
RSA = Mechanism.RSA_PKCS1_SHA256


def need(*programs: str, module: str) -> str:
    found = find_module(module)
    if found is None or not all(map(shutil.which, programs)):
        pytest.skip(f"needs {module} and {', '.join(programs)}")
    return found


# --- p11-kit: a backend that dies -------------------------------------------------------------------------------


@pytest.fixture
def p11kit(store, token, tmp_path, monkeypatch):
    module = need("p11-kit", module="p11-kit-client.so")
    path = Path("/tmp") / f"zhengyin-p11-{os.getpid()}.sock"
    server = subprocess.Popen(
        ["p11-kit", "server", "-f", "--provider", store.module, "--name", path, f"pkcs11:serial={token.serial}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(path.exists, server)
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", f"unix:path={path}")
    yield module
    server.terminate()
    server.wait(10)
    path.unlink(missing_ok=True)


def wait_for(ready, process) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError("the backend did not start")


def remote_children(serial: str) -> list[int]:
    """The p11-kit-remote processes that serve us: those whose command line names our token."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"p11-kit-remote" in command and serial.encode() in command:
            found.append(int(folder.name))
    return found


def test_a_backend_that_dies_is_a_removal_and_comes_back(p11kit, token):
    driver = Driver()
    with driver.open(p11kit, serial=token.serial, pin=USER_PIN, write=True, keep_pin=True) as opened:
        key = opened.generate("rsa2048", label="k", id=b"\x01")
        assert verifies(RSA, key.public_key, key.sign(b"data", RSA), b"data")
        children = remote_children(token.serial)
        assert children
        for process in children:
            os.kill(process, signal.SIGKILL)
        assert verifies(RSA, key.public_key, key.sign(b"again", RSA), b"again")


# --- swtpm: a slow token that locks as a whole -------------------------------------------------------------------


@pytest.fixture
def tpm(tmp_path, monkeypatch):
    module = need("swtpm", "tpm2_dictionarylockout", "tpm2_flushcontext", module="libtpm2_pkcs11.so")
    port = free_port_pair()
    state, tokens = tmp_path / "state", tmp_path / "tpm-store"
    state.mkdir()
    tokens.mkdir()
    address = "type=tcp,port={},bindaddr=127.0.0.1"
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--flags", "not-need-init,startup-clear"]
    command += ["--server", address.format(port), "--ctrl", address.format(port + 1)]
    swtpm = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: answers(port + 1), swtpm)
    tcti = f"swtpm:host=127.0.0.1,port={port}"
    for name, value in (
        ("TPM2_PKCS11_STORE", str(tokens)),
        ("TPM2_PKCS11_TCTI", tcti),
        ("TPM2TOOLS_TCTI", tcti),
        ("TSS2_LOG", "all+NONE"),
    ):
        monkeypatch.setenv(name, value)
    yield module
    swtpm.terminate()
    swtpm.wait(10)


def free_port_pair() -> int:
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            try:
                second.bind(("127.0.0.1", first.getsockname()[1] + 1))
            except OSError:
                continue
            return first.getsockname()[1]
    raise AssertionError("no two free ports")


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_tpm_signs_and_a_wrong_pin_costs_one_of_its_three_tries(tpm):
    driver = Driver()
    port = driver.modules.port(tpm)
    info = port.init_token(None, SO_PIN, "sample-tpm")
    port.init_pin(info.serial, SO_PIN, USER_PIN)
    with driver.open(tpm, serial=info.serial, pin=USER_PIN, write=True) as opened:
        # A TPM makes PKCS #1 v1.5 signatures by its decrypt command: the key must be allowed that too.
        key = opened.generate("rsa2048", label="k", id=b"\x01", decrypt=True)
        for mechanism in (RSA, Mechanism.RSA_PSS_SHA256):
            assert verifies(mechanism, key.public_key, key.sign(b"data", mechanism), b"data")
    for _ in range(5):
        with pytest.raises(PinIncorrect):
            driver.open(tpm, serial=info.serial, pin="000000")
    with driver.open(tpm, serial=info.serial, pin=USER_PIN) as opened:  # not locked: one try was used, not five
        assert opened.key(id=b"\x01").sign(b"data", RSA)


def test_a_locked_tpm_is_shown_as_locked_until_its_dictionary_lock_is_lifted(tpm):
    """Field report B01 (tried until it locks): no flag of a TPM says so, and more tries would only lengthen it. The
    guard remembers."""
    driver = Driver()
    port = driver.modules.port(tpm)
    info = port.init_token(None, SO_PIN, "sample-tpm")
    port.init_pin(info.serial, SO_PIN, USER_PIN)
    errors = []
    while not errors or errors[-1].code == "pin_incorrect":
        assert len(errors) < 10
        with pytest.raises((PinIncorrect, PinLocked)) as caught:
            driver.open(tpm, serial=info.serial, pin=f"{len(errors):06}")
        errors.append(caught.value)
    assert type(errors[-1]) is TpmLocked
    assert "tpm2_dictionarylockout" in errors[-1].explain("zh")
    assert {each.user_pin for each in driver.tokens(tpm)} == {PinState.LOCKED}  # all its tokens have one serial
    assert {each.user_pin for each in scan_module(tpm).tokens} == {PinState.LOCKED}
    with pytest.raises(TpmLocked):
        driver.open(tpm, serial=info.serial, pin=USER_PIN)
    port.close()  # the TPM takes one client's transient objects at a time
    subprocess.run(["tpm2_dictionarylockout", "--clear-lockout"], check=True, capture_output=True)
    with pytest.raises(TpmLocked):  # not sent: the TPM would take it now
        driver.open(tpm, serial=info.serial, pin=USER_PIN)
    care.forget_refusals(info.serial)
    assert {each.user_pin for each in driver.tokens(tpm)} == {PinState.NORMAL}
    with driver.open(tpm, serial=info.serial, pin=USER_PIN) as opened:
        assert opened.keys() == []
