"""Each fault of a vendor's module, made by our fault-injecting module in front of SoftHSM, and what comes of it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hardware.driver import Driver, list_tokens, open_token
from hardware.errors import (
    Busy,
    GarbledAnswer,
    MechanismUnsupported,
    ModuleCrashed,
    ModuleTimeout,
    PinFinalTry,
    PinIncorrect,
    PinLocked,
    PinRefusedBefore,
    PinRequired,
    TokenFault,
    TokenRemoved,
)
from hardware.module import LoadedModule
from hardware.module_host import ModuleHost
from hardware.ports import Mechanism, PinState, VendorMechanism
from hardware.signing_plans import verifies

USER_PIN = "246810"
RSA, ECDSA = Mechanism.RSA_PKCS1_SHA256, Mechanism.ECDSA_SHA256


@pytest.fixture
def driver():
    return Driver(call_seconds=1.0)


@pytest.fixture
def opened(faulty, token, driver):
    with driver.open(faulty.module, serial=token.serial, pin=USER_PIN, write=True, keep_pin=True) as opened:
        yield opened


# --- PINs (field report B01: a service keeps trying a bad PIN and locks the key) --------------------------------


def test_one_wrong_pin_ends_the_batch(faulty, token):
    """Field report B01: a service keeps trying a bad PIN and locks the key."""
    faulty.faults(pin_tries=3)
    with pytest.raises(PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000")
    for _ in range(4):
        with pytest.raises(PinRefusedBefore):
            open_token(faulty.module, serial=token.serial, pin="000000")
    assert faulty.seen("logins") == 1
    assert list_tokens(faulty.module)[0].user_pin is PinState.LOW


TRY_WRONG_PIN = """
import sys
from hardware.driver import open_token
from hardware.errors import PinIncorrect
try:
    open_token(sys.argv[1], serial=sys.argv[2], pin="000000")
except PinIncorrect as error:
    print(error.code)
"""


def test_a_batch_spread_over_processes_costs_one_try(faulty, token):
    faulty.faults(pin_tries=3)
    command = [sys.executable, "-c", TRY_WRONG_PIN, faulty.module, token.serial]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outcomes = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(outcomes) == ["pin_incorrect", "pin_refused_before", "pin_refused_before", "pin_refused_before"]
    assert faulty.seen("logins") == 1


def test_the_final_try_needs_consent(faulty, token):
    faulty.faults(pin_tries=2)
    with pytest.raises(PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000")
    assert list_tokens(faulty.module)[0].user_pin is PinState.LAST
    with pytest.raises(PinFinalTry):
        open_token(faulty.module, serial=token.serial, pin=USER_PIN)
    assert faulty.seen("logins") == 1
    with open_token(faulty.module, serial=token.serial, pin=USER_PIN, final_try=True) as opened:
        assert opened.info.user_pin is PinState.NORMAL


@pytest.mark.parametrize("at_once", [0, 1])
def test_a_locked_pin_is_never_tried(faulty, token, at_once):
    faulty.faults(pin_tries=1, locks_at_once=at_once)
    with pytest.raises(PinLocked if at_once else PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000", final_try=True)
    with pytest.raises(PinLocked):
        open_token(faulty.module, serial=token.serial, pin=USER_PIN, final_try=True)
    assert faulty.seen("logins") == 1
    assert list_tokens(faulty.module)[0].user_pin is PinState.LOCKED


def test_a_card_that_answers_not_logged_in_means_a_wrong_pin(faulty, token):
    faulty.faults(wrong_pin_rv=0x101)
    with pytest.raises(PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000")


def test_the_right_pin_clears_the_marker(faulty, token):
    with pytest.raises(PinIncorrect):
        open_token(faulty.module, serial=token.serial, pin="000000")
    open_token(faulty.module, serial=token.serial, pin=USER_PIN).close()
    with pytest.raises(PinIncorrect) as caught:
        open_token(faulty.module, serial=token.serial, pin="000000")
    assert caught.value.code == "pin_incorrect"


def test_a_kept_pin_is_dropped_at_the_first_refusal(faulty, token, opened):
    """The PIN is changed elsewhere and the module restarts: the old PIN is tried once, then never again."""
    key = opened.generate("p256", label="k", id=b"\x01")
    other = ModuleHost(faulty.module)
    other.set_pin(token.serial, USER_PIN, "112233")
    other.close()
    faulty.faults(crash_at=faulty.seen("signs") + 1)
    with pytest.raises(ModuleCrashed):
        key.sign(b"data", ECDSA)
    faulty.faults(pin_tries=3)
    with pytest.raises(PinIncorrect):
        key.sign(b"data", ECDSA)
    for _ in range(3):
        with pytest.raises(PinRequired):
            key.sign(b"data", ECDSA)
    assert faulty.seen("logins") == 2


# --- tokens that go away ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rv", [0x32, 0x30, 0xE0, 0xB3, 0x05])
def test_removed_mid_sign_by_any_code_is_one_error_and_heals(faulty, token, opened, rv):
    key = opened.generate("p256", label="k", id=b"\x01")
    key.sign(b"data", ECDSA)
    faulty.faults(removed=rv)
    with pytest.raises(TokenRemoved):
        key.sign(b"data", ECDSA)
    faulty.faults()
    before = faulty.seen("logins")
    assert verifies(ECDSA, key.public_key, key.sign(b"data", ECDSA), b"data")
    assert faulty.seen("logins") - before <= 1


def test_a_fault_on_a_token_that_is_there_is_not_a_removal(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(fail_sign=0x05)
    with pytest.raises(TokenFault) as caught:
        key.sign(b"data", ECDSA)
    assert "CKR_GENERAL_ERROR" in str(caught.value)


# --- modules that misbehave ------------------------------------------------------------------------------------


def test_a_crash_costs_one_call(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(crash_at=faulty.seen("signs") + 3)
    outcomes = []
    for index in range(10):
        try:
            outcomes.append(verifies(ECDSA, key.public_key, key.sign(b"%d" % index, ECDSA), b"%d" % index))
        except ModuleCrashed:
            outcomes.append("crashed")
    assert outcomes == [True, True, "crashed", *[True] * 7]


def test_a_hang_ends_in_bounded_time_with_a_named_error(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(hang=1)
    with pytest.raises(ModuleTimeout):
        key.sign(b"data", ECDSA)
    faulty.faults()
    assert verifies(ECDSA, key.public_key, key.sign(b"data", ECDSA), b"data")


def test_a_hang_at_login_does_not_block_the_next(faulty, token, driver):
    faulty.faults(hang_login=1)
    with pytest.raises(ModuleTimeout):
        driver.open(faulty.module, serial=token.serial, pin=USER_PIN)
    faulty.faults()
    with driver.open(faulty.module, serial=token.serial, pin=USER_PIN) as opened:
        assert opened.keys() == []


def test_a_slow_token_is_waited_for(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(slow_ms=200)
    assert key.sign(b"data", ECDSA)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 1 << 20])
def test_garbage_lengths_never_become_a_signature(faulty, opened, length):
    keys = [
        (opened.generate("p256", label="e", id=b"\x01"), ECDSA),
        (opened.generate("rsa2048", label="r", id=b"\x02"), RSA),
    ]
    for key, mechanism in keys:
        key.sign(b"a good one first", mechanism)
    faulty.faults(garbage_length=length)
    for key, mechanism in keys:
        with pytest.raises((GarbledAnswer, TokenFault)):
            key.sign(b"data", mechanism)


def test_a_wrong_first_signature_is_discarded(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(wrong_signature=1)
    with pytest.raises(GarbledAnswer):
        key.sign(b"data", ECDSA)


def test_a_refused_raw_mechanism_falls_back_to_the_combined_one(faulty, opened):
    key = opened.generate("rsa2048", label="k", id=b"\x01")
    faulty.faults(no_mechanism=0x01)
    assert verifies(RSA, key.public_key, key.sign(b"data", RSA), b"data")


def test_no_way_to_sign_is_named(faulty, opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(no_mechanism=0x1041)  # SoftHSM has no CKM_ECDSA_SHA256 to fall back to
    with pytest.raises(MechanismUnsupported):
        key.sign(b"data", ECDSA)


@pytest.mark.parametrize("raw", [0, 1])
def test_raw_and_wrapped_ec_points_are_read_alike(faulty, opened, raw):
    faulty.faults(raw_point=raw)
    for kind, mechanism in (("p256", ECDSA), ("p384", Mechanism.ECDSA_SHA384), ("ed25519", Mechanism.ED25519)):
        key = opened.generate(kind, label=kind, id=kind.encode())
        assert verifies(mechanism, key.public_key, key.sign(b"data", mechanism), b"data")


def test_a_pin_for_each_signature_comes_from_the_kept_source(faulty, token, driver, opened):
    opened.generate("p256", label="k", id=b"\x01")
    faulty.faults(always_authenticate=1)
    key = opened.keys()[0]
    for _ in range(3):
        assert verifies(ECDSA, key.public_key, key.sign(b"data", ECDSA), b"data")


@pytest.mark.parametrize(("fault", "label"), [("gbk_label", "示例市"), ("latin_label", "\ufffd\ufffd\ufffd")])
def test_labels_that_are_not_utf8_do_not_stop_the_list(faulty, token, fault, label):
    faulty.faults(**{fault: 1})
    (found,) = list_tokens(faulty.module)
    assert (found.serial, found.label) == (token.serial, label)


def test_labels_of_keys_in_gbk_are_read_too(faulty, opened):
    opened.generate("p256", label="seal key", id=b"\x01")
    faulty.faults(gbk_object_labels=1)
    assert [key.label for key in opened.keys()] == ["示例"]  # noqa: SIM118  # a token is no mapping


# --- sessions and locking, in-process --------------------------------------------------------------------------


@pytest.fixture
def in_process(faulty, token):
    """The faulty module loaded here, where threads really meet in it."""
    module = LoadedModule(faulty.module)
    module.login(token.serial, USER_PIN)
    yield module
    module.close()


def test_threads_wait_for_each_other_at_the_token_s_session_cap(faulty, token, in_process):
    faulty.faults(session_cap=3)  # the login holder and two more
    key = in_process.generate(token.serial, "p256", "k", b"\x01")

    def work(number: int) -> bytes:
        return in_process.sign(token.serial, key, ECDSA, b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(work, range(64)))) == 64
    assert in_process.open_sessions(token.serial) <= 3


def test_no_session_at_all_is_busy(faulty, token, in_process):
    faulty.faults(session_cap=1)
    with pytest.raises(Busy):
        in_process.certificates(token.serial)


def test_a_module_that_cannot_lock_is_called_by_one_thread_at_a_time(faulty, token):
    faulty.faults(cant_lock=1)
    module = LoadedModule(faulty.module)
    module.login(token.serial, USER_PIN)
    key = module.generate(token.serial, "p256", "k", b"\x01")
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda number: module.sign(token.serial, key, ECDSA, b"%d" % number), range(100))
        assert len(list(answers)) == 100
    module.close()


# --- SM2 readiness ---------------------------------------------------------------------------------------------


def test_a_vendor_mechanism_that_the_module_refuses_is_a_named_error(driver, faulty, opened):
    """Through driver, host process and error tree: the number reaches the module, its answer comes back named."""
    key = opened.generate("p256", label="sm2", id=b"\x01")
    assert isinstance(driver.modules.port(faulty.module), ModuleHost)
    with pytest.raises(MechanismUnsupported, match="SM2"):
        key.sign_raw(b"\x01\x02", VendorMechanism(0x80000002, "SM2"))


def test_the_port_carries_a_vendor_mechanism_and_an_unknown_key_type(faulty, opened):
    from hardware.errors import KeyTypeUnsupported
    from hardware.public_keys import algorithm_name

    opened.generate("p256", label="sm2", id=b"\x01")
    faulty.faults(sm2_keys=1)
    (key,) = opened.keys()
    assert key.record.key_type == 0x80000001
    assert algorithm_name(key.public_key_info) == "SM2"
    with pytest.raises(KeyTypeUnsupported, match="SM2"):
        _ = key.public_key
    assert key.sign_raw(b"\x01\x02", VendorMechanism(0x80000002, "SM2")) == b"\x01\x02" * 32
