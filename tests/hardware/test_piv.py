"""A PIV card over real pcscd: real OpenSC and ykcs11 modules, one virtual card that keeps its counters."""

from __future__ import annotations

import datetime
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware import care
from hardware.discovery.changes import Changes
from hardware.discovery.readers import scan_readers
from hardware.discovery.survey import survey
from hardware.driver import list_tokens, open_token, process_driver
from hardware.errors import PinFinalTry, PinIncorrect, PinLocked, TokenGone
from hardware.module_paths import find_module
from hardware.ports import Mechanism, PinState
from hardware.private_keys import as_private_key
from hardware.signing_plans import verifies

MANAGEMENT_KEY = "010203040506070801020304050607080102030405060708"
USER_PIN = "123456"
RSA, ECDSA = Mechanism.RSA_PKCS1_SHA256, Mechanism.ECDSA_SHA256
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")


def piv_card():
    spec = importlib.util.spec_from_file_location("piv_card", Path(__file__).with_name("piv_card.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pcscd(tmp_path):
    """A PC/SC service of our own with one virtual reader; its port. Fresh for each test: a pull confuses vpcd."""
    if os.geteuid() != 0 or shutil.which("pcscd") is None or not DRIVER.exists():
        pytest.skip("needs root, pcscd and vsmartcard-vpcd")
    if Path("/run/pcscd/pcscd.comm").exists():
        pytest.skip("this machine's own PC/SC service is in use")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "pcscd"
    folder.mkdir()
    # ykcs11 looks only at readers whose name starts so.
    (folder / "vpcd").write_text(
        f'FRIENDLYNAME "Yubico Virtual"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n'
    )
    Path("/run/pcscd").mkdir(exist_ok=True)
    daemon = subprocess.Popen(["pcscd", "-f", "-i", "-c", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: Path("/run/pcscd/pcscd.comm").exists() and listens(port))
    yield port
    daemon.kill()
    daemon.wait(10)
    for left in ("pcscd.comm", "pcscd.pid"):
        (Path("/run/pcscd") / left).unlink(missing_ok=True)


def wait_until(ready, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "did not come in time"
        time.sleep(0.05)


def listens(port: int) -> bool:
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in path.read_text() for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists())


@pytest.fixture
def reader(pcscd):
    kinds = piv_card()
    reader = kinds.VirtualReader(kinds.PivCard(), pcscd)
    reader.insert()
    wait_until(lambda: any(each.card for each in scan_readers().readers))
    yield reader
    if reader._thread.is_alive():
        reader.pull()
    for name in ("libykcs11.so", "opensc-pkcs11.so"):
        if (module := find_module(name)) and (port := process_driver().modules.loaded(module)):
            port.close()


@pytest.fixture
def yubico(reader):
    module = find_module("libykcs11.so")
    if module is None:
        pytest.skip("needs ykcs11")
    wait_until(lambda: list_tokens(module))
    (info,) = list_tokens(module)
    return module, info.serial


def make_key(yubico, kind="rsa2048", id=b"\x01"):
    module, serial = yubico
    with open_token(module, serial=serial, write=True) as opened:
        opened.generate(kind, label="", id=id, so_pin=MANAGEMENT_KEY)


def store_certificate(yubico, id=b"\x01"):
    """OpenSC shows a PIV key only beside its certificate."""
    module, serial = yubico
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sample officer")])
    start = datetime.datetime.now(datetime.UTC)
    with open_token(module, serial=serial, pin=USER_PIN, write=True) as opened:
        key = as_private_key(opened.key(id=id))
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=365))
            .sign(key, hashes.SHA256())
        )
        opened.store_certificate(made.public_bytes(Encoding.DER), label="", id=id, so_pin=MANAGEMENT_KEY)
        assert opened.certificates()


def test_a_key_made_through_one_module_signs_through_it(yubico):
    module, serial = yubico
    make_key(yubico)
    make_key(yubico, "p256", b"\x03")
    with open_token(module, serial=serial, pin=USER_PIN) as opened:
        for id, mechanisms in ((b"\x01", (RSA, Mechanism.RSA_PSS_SHA256)), (b"\x03", (ECDSA,))):
            key = opened.key(id=id)
            for mechanism in mechanisms:
                assert verifies(mechanism, key.public_key, key.sign(b"data", mechanism), b"data")


def test_pin_states_through_both_modules_and_unblocking(yubico, reader):
    module, serial = yubico

    def attempt(pin: str, **consent) -> None:
        open_token(module, serial=serial, pin=pin, **consent).close()

    with pytest.raises(PinIncorrect):
        attempt("000001")
    with pytest.raises(PinIncorrect):
        attempt("000001")
    assert reader.card.left[0x80] == 2
    with pytest.raises(PinIncorrect):
        attempt("000002")
    assert list_tokens(module)[0].user_pin is PinState.LAST
    with pytest.raises(PinFinalTry):
        attempt(USER_PIN)
    with pytest.raises((PinIncorrect, PinLocked)):
        attempt("000003", final_try=True)
    assert list_tokens(module)[0].user_pin is PinState.LOCKED
    with pytest.raises(PinLocked):
        attempt(USER_PIN)
    assert reader.card.left[0x80] == 0


def test_changing_the_pin(yubico, reader):
    module, serial = yubico
    care.change_pin(module, serial=serial, old=USER_PIN, new="654321")
    assert reader.card.secrets[0x80] == b"654321"
    open_token(module, serial=serial, pin="654321").close()


def test_a_pulled_card_is_named_and_nothing_is_output(yubico, reader):
    module, serial = yubico
    make_key(yubico)
    with open_token(module, serial=serial, pin=USER_PIN, keep_pin=True) as opened:
        key = opened.key(id=b"\x01")
        assert key.sign(b"data", RSA)
        reader.pull()
        with pytest.raises(TokenGone):
            key.sign(b"data", RSA)


def test_opensc_sees_the_same_card(yubico):
    module = find_module("opensc-pkcs11.so")
    if module is None:
        pytest.skip("needs OpenSC")
    make_key(yubico)
    store_certificate(yubico)
    tokens = list_tokens(module)
    with open_token(module, serial=tokens[0].serial, pin=USER_PIN) as opened:
        key = opened.keys()[0]
        assert verifies(RSA, key.public_key, key.sign(b"data", RSA), b"data")


def test_the_table_joins_reader_and_slot(yubico):
    module, serial = yubico
    (row,) = [each for each in survey(modules=[module]).rows if each.serial]
    assert (row.serial, row.state) == (serial, "ready")
    assert row.reader.startswith("Yubico Virtual")


def test_a_card_that_comes_is_an_event(pcscd):
    kinds = piv_card()
    reader = kinds.VirtualReader(kinds.PivCard(), pcscd)
    changes = Changes(poll_seconds=15)
    events = iter(changes)
    reader.insert()
    assert next(events) == "reader"
    changes.stop()
    reader.pull()
