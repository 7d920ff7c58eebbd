"""A PIV card over real pcscd: real OpenSC and ykcs11 modules, one virtual card that keeps its counters."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware import care
from hardware.discovery.changes import Changes
from hardware.discovery.survey import survey
from hardware.driver import list_tokens, open_token
from hardware.errors import PinFinalTry, PinIncorrect, PinLocked, TokenGone
from hardware.module_paths import find_module
from hardware.ports import Mechanism, PinState
from hardware.private_keys import as_private_key
from hardware.signing_plans import verifies

MANAGEMENT_KEY = "010203040506070801020304050607080102030405060708"
USER_PIN = "123456"
RSA, ECDSA = Mechanism.RSA_PKCS1_SHA256, Mechanism.ECDSA_SHA256


@pytest.fixture
def reader(pcscd, piv_card, pcsc):
    with pcsc.inserted(piv_card.VirtualReader(piv_card.PivCard(), pcscd)) as reader:
        yield reader


@pytest.fixture
def yubico(reader, pcsc):
    module = find_module("libykcs11.so")
    if module is None:
        pytest.skip("needs ykcs11")
    pcsc.wait_until(lambda: list_tokens(module))
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


def test_the_puk_and_a_factory_reset_work_beside_the_other_module_as_well(yubico, reader):
    """Care speaks to the card, so it is the same whichever module shows it; here the serial is the device's own."""
    module, serial = yubico
    make_key(yubico)
    reader.card.left[0x80] = 0
    care.unblock(module, serial=serial, so_pin="12345678", new_pin="654321")
    open_token(module, serial=serial, pin="654321").close()
    info = care.initialise(module, serial=serial, label="", so_pin="", user_pin="135790", new_so_pin="24681024")
    assert (info.serial, reader.card.keys) == (serial, {})
    assert reader.card.secrets == {0x80: b"135790", 0x81: b"24681024"}
    open_token(module, serial=serial, pin="135790").close()


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


def test_a_card_that_comes_is_an_event(pcscd, piv_card):
    reader = piv_card.VirtualReader(piv_card.PivCard(), pcscd)
    changes = Changes(poll_seconds=15)
    events = iter(changes)
    reader.insert()
    assert "reader" in next(events)
    changes.stop()
    reader.pull()
