"""One finding, by its own code, for each fault that the doctor is shown."""

from __future__ import annotations

import datetime
import struct
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware.discovery.key_table import KeyRow
from hardware.doctor.examination import examine, module_bits, softhsm_folder
from hardware.doctor.findings import TokenFacts, bits_finding, pcsc_finding, row_findings, token_findings
from hardware.driver import open_token, process_driver
from hardware.errors import PinIncorrect
from hardware.ports import PinState

USER_PIN, SO_PIN = "246810", "13579135"
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def certificate(public_key, *, starts=NOW - 100 * DAY, ends=NOW + 100 * DAY, signing=True):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市测试")])
    usage = x509.KeyUsage(signing, False, not signing, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(7)
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(usage, critical=True)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def codes(findings):
    return {finding.code for finding in findings}


@pytest.fixture
def opened(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        yield opened


@pytest.fixture
def healthy(store, token, opened):
    """Examines the token as it stands, at NOW."""
    key = opened.generate("p256", label="签名", id=b"\x01")

    def findings(**made):
        opened.store_certificate(certificate(key.public_key, **made), label="签名", id=b"\x01")
        return examine(modules=[store.module], now=NOW)

    return findings


def test_a_healthy_token_has_no_errors_and_its_mechanisms_were_tried(healthy):
    findings = healthy()
    assert [finding.code for finding in findings if finding.level in ("error", "warning")] == []
    (worked,) = [finding for finding in findings if finding.code == "mechanisms_work"]
    for name in ("sha256-rsa-pkcs", "sha256-rsa-pkcs-pss", "ecdsa-sha256", "ecdsa-sha384", "eddsa"):
        assert name in worked.what.en


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"ends": NOW - DAY}, "certificate_expired"),
        ({"ends": NOW + DAY}, "certificate_expires_soon"),
        ({"starts": NOW + DAY}, "clock_behind"),
        ({"signing": False}, "no_signing_pair"),
    ],
)
def test_what_a_certificate_can_be_wrong_about(healthy, made, code):
    assert code in codes(healthy(**made))


def test_pairs_that_do_not_match(opened, store):
    opened.generate("p256", label="k", id=b"\x01")
    foreign = certificate(ec.generate_private_key(ec.SECP256R1()).public_key())
    opened.store_certificate(foreign, label="f", id=b"\x01")
    found = codes(examine(modules=[store.module], now=NOW))
    assert {"key_without_certificate", "certificate_without_key"} <= found


def test_a_dual_certificate_key_names_its_signing_pair(opened, store):
    for number, signing in ((1, False), (2, True)):
        key = opened.generate("p256", label=f"k{number}", id=bytes([number]))
        opened.store_certificate(certificate(key.public_key, signing=signing), label=f"c{number}", id=bytes([number]))
    (chosen,) = [each for each in examine(modules=[store.module], now=NOW) if each.code == "signing_pair_chosen"]
    assert "c2" in chosen.what.zh


@pytest.mark.parametrize(
    ("faults", "code"),
    [({"pin_tries": 3}, "pin_low"), ({"pin_tries": 2}, "pin_last_try"), ({"pin_tries": 1}, "pin_locked")],
)
def test_pin_states(faulty, token, faults, code):
    faulty.faults(**faults)
    with pytest.raises(PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000", final_try=True)
    assert code in codes(examine(modules=[faulty.module]))


def test_a_token_without_user_pin(store):
    process_driver().modules.port(store.module).init_token(None, SO_PIN, "示例")
    assert "pin_not_set" in codes(examine(modules=[store.module]))


def test_a_claimed_mechanism_that_does_not_work(faulty, token):
    faulty.faults(no_mechanism=0x1041)
    assert "mechanism_claimed_broken" in codes(examine(modules=[faulty.module]))


def test_modules_that_are_missing_or_are_none(tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_text("not a library")
    assert codes(examine(modules=["no-such.so"])) >= {"module_missing"}
    assert codes(examine(modules=[str(broken)])) >= {"module_unusable"}


def test_a_module_that_crashes_under_examination(faulty, token):
    faulty.faults(crash_at=1)
    assert "module_crashed" in codes(examine(modules=[faulty.module]))


def test_word_size_is_read_from_the_file(tmp_path, store):
    assert module_bits(__import__("pathlib").Path(store.module)) == 64
    for name, content, bits in (
        ("elf32", b"\x7fELF\x01" + bytes(60), 32),
        ("pe64", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0\x64\x86", 64),
        ("text", b"hello", 0),
    ):
        (tmp_path / name).write_bytes(content)
        assert module_bits(tmp_path / name) == bits
    assert codes(bits_finding("m", 32, 64)) == {"module_wrong_bits"}
    assert bits_finding("m", 0, 64) == bits_finding("m", 64, 64) == []


def test_rows_and_services():
    rows = [KeyRow("a", "driver_missing"), KeyRow("b", "not_supported"), KeyRow("c", "ready")]
    assert codes(row_findings(rows)) == {"driver_missing", "key_speaks_only_skf"}
    assert pcsc_finding("no", needed=True).level == "error"
    assert pcsc_finding("no", needed=False).level == "note"


def test_sm2_keys_are_named_not_yet_supported(faulty, token):
    with open_token(faulty.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        opened.generate("p256", label="sm2", id=b"\x01")
        faulty.faults(sm2_keys=1)
        assert "sm2_key" in codes(examine(modules=[faulty.module]))


def test_the_softhsm_folder_is_found_in_its_configuration(store):
    assert softhsm_folder(str(store.configuration)) == store.folder / "tokens"
    assert softhsm_folder(None) is None


def test_untried_mechanisms_are_said_to_be_untried(token):
    facts = TokenFacts(replace(token, user_pin=PinState.NORMAL), True, [], [], None)
    assert codes(token_findings(facts, NOW)) == {"mechanisms_untried"}
