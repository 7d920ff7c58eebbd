"""`zhengyin keys doctor`: for each fault, made for real, one finding by its code and exit code 1.

Real tokens, real files with real faults, a USB bus made by umockdev, and the fault-injecting module; the clock is the
machine's own.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from cli.main import app
from hardware.driver import open_token, process_driver
from hardware.errors import PinError

USER_PIN, SO_PIN = "246810", "13579135"
DAY = datetime.timedelta(days=1)
FAULTS = {}


def fault(code: str, level: str = "error"):
    """Registers a function that makes the fault and gives the module to examine."""

    def keep(make):
        FAULTS[code] = (level, make)
        return make

    return keep


class Bench:
    """What faults are made with."""

    def __init__(self, store, token, faulty, folder: Path) -> None:
        self.store, self.token, self.faulty, self.folder = store, token, faulty, folder

    def with_certificate(self, *, label="签名", id=b"\x01", starts=-100, ends=100, signing=True, foreign=False) -> str:
        """A key and a certificate on the SoftHSM token; days from now. Its module."""
        now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市测试")])
        usage = x509.KeyUsage(signing, False, not signing, False, False, False, False, False, False)
        authority = ec.generate_private_key(ec.SECP256R1())
        with open_token(self.store.module, serial=self.token.serial, pin=USER_PIN, write=True) as opened:
            key = opened.generate("p256", label=label, id=id)
            certificate = (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(name)
                .public_key(authority.public_key() if foreign else key.public_key)
                .serial_number(7)
                .not_valid_before(now + starts * DAY)
                .not_valid_after(now + ends * DAY)
                .add_extension(usage, critical=True)
                .sign(authority, hashes.SHA256())
            )
            opened.store_certificate(certificate.public_bytes(Encoding.DER), label=label, id=id)
        return self.store.module

    def with_wrong_pin(self, tries: int) -> str:
        """A wrong PIN on a token that takes `tries`. Its module."""
        self.faulty.faults(pin_tries=tries)
        with pytest.raises(PinError):
            open_token(self.faulty.module, serial=self.token.serial, pin="000000", final_try=True)
        return self.faulty.module


@fault("module_missing")
def absent_file(bench: Bench) -> str:
    return "no-such-module.so"


@fault("module_unusable")
def no_library(bench: Bench) -> str:
    path = bench.folder / "broken.so"
    path.write_text("not a library")
    return str(path)


@fault("module_wrong_bits")
def for_32_bit(bench: Bench) -> str:
    """Assembled for the 32-bit architecture where the machine's tools can, else the head of such a file."""
    source, built = bench.folder / "m.s", bench.folder / "m32.so"
    source.write_text(".globl C_GetFunctionList\nC_GetFunctionList: ret\n")
    if platform.machine() == "x86_64" and shutil.which("as") and shutil.which("ld"):
        subprocess.run(["as", "--32", "-o", bench.folder / "m.o", source], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-shared", "-o", built, bench.folder / "m.o"], check=True)
    else:
        built.write_bytes(b"\x7fELF\x01\x01\x01" + bytes(57))
    return str(built)


@fault("module_crashed")
def crashes(bench: Bench) -> str:
    bench.faulty.faults(crash_at=1)
    return bench.faulty.module


@fault("no_mechanism_works")
def refuses_to_sign(bench: Bench) -> str:
    bench.faulty.faults(fail_sign=0x06)
    return bench.faulty.module


@fault("mechanism_claimed_broken", "warning")
def lacks_what_it_lists(bench: Bench) -> str:
    bench.faulty.faults(no_mechanism=0x1041)
    return bench.faulty.module


@fault("key_without_certificate", "warning")
def key_alone(bench: Bench) -> str:
    with open_token(bench.store.module, serial=bench.token.serial, pin=USER_PIN, write=True) as opened:
        opened.generate("p256", label="签名", id=b"\x01")
    return bench.store.module


@fault("certificate_without_key", "warning")
def foreign_certificate(bench: Bench) -> str:
    return bench.with_certificate(foreign=True)


@fault("certificate_expired")
def expired(bench: Bench) -> str:
    return bench.with_certificate(ends=-1)


@fault("certificate_expires_soon", "warning")
def expires_soon(bench: Bench) -> str:
    return bench.with_certificate(ends=5)


@fault("clock_behind")
def clock_before_the_authority_s(bench: Bench) -> str:
    """To the machine a certificate from an authority whose clock is right begins in the future."""
    return bench.with_certificate(starts=1)


@fault("no_signing_pair")
def encryption_pair_only(bench: Bench) -> str:
    return bench.with_certificate(signing=False)


@fault("pin_low", "warning")
def one_wrong_pin(bench: Bench) -> str:
    return bench.with_wrong_pin(3)


@fault("pin_last_try")
def one_try_left(bench: Bench) -> str:
    return bench.with_wrong_pin(2)


@fault("pin_locked")
def no_try_left(bench: Bench) -> str:
    return bench.with_wrong_pin(1)


@fault("pin_not_set")
def never_given_a_pin(bench: Bench) -> str:
    process_driver().modules.port(bench.store.module).init_token(None, SO_PIN, "示例")
    return bench.store.module


@fault("sm2_key", "warning")
def sm2_key(bench: Bench) -> str:
    with open_token(bench.faulty.module, serial=bench.token.serial, pin=USER_PIN, write=True) as opened:
        opened.generate("p256", label="sm2", id=b"\x01")
    bench.faulty.faults(sm2_keys=1)
    return bench.faulty.module


def one_finding(answer: str, code: str, level: str) -> dict:
    found = [each for each in json.loads(answer)["findings"] if each["code"] == code]
    assert len(found) == 1, answer
    assert found[0]["level"] == level
    for text in (found[0]["what"], found[0]["advice"]):
        assert text["zh"] != text["en"]
    return found[0]


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_has_its_finding_and_exit_code(store, token, faulty, tmp_path, code):
    level, make = FAULTS[code]
    module = make(Bench(store, token, faulty, tmp_path))
    result = CliRunner().invoke(app, ["keys", "doctor", "--module", module, "--json"])
    one_finding(result.stdout, code, level)
    assert result.exit_code == 1


def test_a_healthy_token_ends_with_0_and_its_mechanisms_were_tried(store, token, faulty, tmp_path):
    bench = Bench(store, token, faulty, tmp_path)
    module = bench.with_certificate()
    healthy = CliRunner().invoke(app, ["keys", "doctor", "--module", module, "--json"])
    assert healthy.exit_code == 0, healthy.stdout
    (worked,) = [each for each in json.loads(healthy.stdout)["findings"] if each["code"] == "mechanisms_work"]
    for name in ("sha256-rsa-pkcs", "sha256-rsa-pkcs-pss", "ecdsa-sha256", "ecdsa-sha384", "eddsa"):
        assert name in worked["what"]["en"]


def test_of_a_dual_certificate_key_the_signing_pair_is_named_by_key_usage(store, token, faulty, tmp_path):
    bench = Bench(store, token, faulty, tmp_path)
    bench.with_certificate(label="甲", id=b"\x01", signing=False)
    module = bench.with_certificate(label="乙", id=b"\x02")
    dual = CliRunner().invoke(app, ["keys", "doctor", "--module", module, "--json"])
    chosen = [each for each in json.loads(dual.stdout)["findings"] if each["code"] == "signing_pair_chosen"]
    assert ["乙" in each["what"]["zh"] for each in chosen] == [True]
    assert dual.exit_code == 0, dual.stdout


# --- what is not inside a module --------------------------------------------------------------------------------


def doctor(module: str, *before: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, started through the programs `before`."""
    command = [*before, sys.executable, "-m", "cli", "keys", "doctor", "--module", module, "--json"]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


# Root may use any file; without these two capabilities it is an account like others.
AS_AN_ACCOUNT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


def test_a_folder_of_tokens_that_the_account_may_not_use(store, token):
    folder = store.folder / "tokens"
    folder.chmod(0)
    try:
        answer = doctor(store.module, *AS_AN_ACCOUNT)
    finally:
        folder.chmod(0o700)
    assert str(folder) in one_finding(answer.stdout, "permission_denied", "error")["what"]["zh"]
    assert answer.returncode == 1


@pytest.fixture
def bus(store, token, tmp_path, sibling):
    """The doctor's answer with these devices on the bus; `node_mode` is that of the first one's device file."""
    if shutil.which("umockdev-run") is None:
        pytest.skip("needs umockdev-run (apt-get install umockdev)")
    describe = sibling("test_usb_bus").device

    def examined(usb_id: str, interface: int, *, node_mode: str = "666", **attributes: str):
        description = tmp_path / "bus.umockdev"
        hub = describe("usb1", 1, "1d6b:0002", 9, device_class=9)
        description.write_text(hub + describe("1-1", 2, usb_id, interface, **attributes))
        change = f'chmod {node_mode} "$UMOCKDEV_DIR/dev/bus/usb/001/002"; exec "$@"'
        before = ["umockdev-run", "--device", str(description), "--", *AS_AN_ACCOUNT, "sh", "-c", change, "sh"]
        return doctor(store.module, *before)

    return examined


def test_a_card_key_without_the_smart_card_service(bus):
    if Path("/run/pcscd/pcscd.comm").exists():
        pytest.skip("this machine's own PC/SC service runs")
    answer = bus("096e:0807", 0x0B, product="ePass2003")
    assert "pcscd" in one_finding(answer.stdout, "pcscd_missing", "error")["advice"]["en"]
    assert answer.returncode == 1


def test_a_key_whose_device_file_the_account_may_not_open(bus):
    answer = bus("055c:e618", 0x03, node_mode="000", product="mToken GM3000")
    advice = one_finding(answer.stdout, "usb_permission_denied", "error")["advice"]["zh"]
    assert 'ATTR{idVendor}=="055c", ATTR{idProduct}=="e618"' in advice
    assert answer.returncode == 1
    assert "usb_permission_denied" not in bus("055c:e618", 0x03, product="mToken GM3000").stdout


def test_a_key_without_its_driver(bus):
    answer = bus("0529:0602", 0x0B, product="eToken")
    assert "libeToken.so" in one_finding(answer.stdout, "driver_missing", "error")["advice"]["zh"]
    assert answer.returncode == 1


def test_a_key_that_speaks_only_skf_is_named_not_yet_supported(bus):
    answer = bus("5448:0001", 0x03, product="HTKey")
    finding = one_finding(answer.stdout, "key_speaks_only_skf", "error")
    assert "HaiTai" in finding["what"]["en"]
    assert "not supported yet" in finding["advice"]["en"]
    assert answer.returncode == 1
