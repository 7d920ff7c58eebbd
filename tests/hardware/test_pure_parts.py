"""The deciding parts, without a token: DER, OAEP, error map, the wire to a host."""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from hardware.cryptoki.attributes import text_of
from hardware.ecdsa_der import minimal_der, raw_to_der
from hardware.errors import NamedTokenError, Text, TokenError, all_kinds
from hardware.oaep import decode
from hardware.ports import Mechanism, PinState, TokenInfo, VendorMechanism
from hardware.public_keys import P256, P384, der, point_of
from hardware.records import KeyRecord
from hardware.wire import decode as unpack
from hardware.wire import encode, encode_failure, open_answer

# --- field report B08: raw r and s embedded, or leading zeros mishandled; a few signatures in a hundred fail ------


@pytest.mark.parametrize("first", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_raw_ecdsa_becomes_minimal_der(first):
    raw = bytes([first]) + b"\x11" * 31 + bytes([0x80]) + b"\x22" * 31
    made = raw_to_der(raw, 32)
    assert decode_dss_signature(made) == (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    r_size = made[3]
    assert made[4 + r_size + 1] == 33  # s starts >= 80: one zero byte, no more
    assert not (made[4] == 0 and made[5] < 0x80)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 66, 128])
def test_other_lengths_are_refused(length):
    with pytest.raises(ValueError):
        raw_to_der(b"\x01" * length, 32)


def test_a_zero_half_is_refused_and_der_passes_through_minimal():
    with pytest.raises(ValueError):
        raw_to_der(bytes(32) + b"\x01" * 32, 32)
    made = raw_to_der(b"\x00" * 3 + b"\x55" * 61, 32)
    assert minimal_der(made, 32) == made
    with pytest.raises(ValueError):
        minimal_der(b"\x30\x03nonsense", 32)


@given(st.binary(min_size=33, max_size=97))
def test_a_point_is_the_same_wrapped_or_raw(point):
    raw = b"\x04" + point
    assert point_of(der(0x04, raw)) == raw


@pytest.mark.parametrize(("curve", "size"), [(P256, 64), (P384, 96)])
def test_a_raw_point_that_looks_wrapped_is_told_by_its_curve(curve, size):
    raw = b"\x04" + bytes([size - 1]) + b"\x55" * (size - 1)
    assert raw == der(0x04, raw[2:])
    assert point_of(raw, curve) == raw
    assert point_of(der(0x04, raw), curve) == raw


@given(st.binary(max_size=300))
def test_oaep_never_takes_noise(block):
    with pytest.raises(ValueError):
        decode(block)


# --- errors ----------------------------------------------------------------------------------------------------


def test_every_error_says_what_to_do_next_in_both_languages():
    kinds = [kind for kind in all_kinds(NamedTokenError) if kind.__subclasses__() == [] or kind.ADVICE]
    assert len(kinds) > 30
    for kind in kinds:
        error = kind(detail="d")
        assert error.advice is not None, kind
        assert error.advice.zh.endswith(("。", "）")), kind
        assert error.advice.zh != error.advice.en
        assert error.what.zh != error.what.en
        assert "{" not in error.explain("zh") + error.explain("en")


def test_codes_are_unique():
    codes = [kind.code for kind in all_kinds(TokenError)]
    assert len(codes) == len(set(codes)) + 1  # NamedTokenError shares its parent's


@pytest.mark.parametrize("kind", [kind for kind in all_kinds(NamedTokenError) if kind is not NamedTokenError])
def test_an_error_crosses_to_the_owner_as_itself(kind):
    """Over the pipe of a module host, and pickled over that of a process pool: same class, same sentences."""
    error = kind(detail="why", token="t")
    with pytest.raises(kind) as caught:
        open_answer(encode_failure(error))
    for came in (caught.value, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(came) is kind
        assert (came.what, came.why, came.advice, str(came)) == (error.what, error.why, error.advice, str(error))


def test_an_error_pickled_keeps_what_was_hung_on_it():
    error = TokenError(Text("一", "one"), advice=Text("二", "two"))
    error.serial = "0a1b"
    assert pickle.loads(pickle.dumps(error)).serial == "0a1b"


# --- the wire --------------------------------------------------------------------------------------------------

VALUES = [
    None,
    True,
    7,
    "示例",
    b"\x00\xff",
    [b"a", [1]],
    Mechanism.ECDSA_SHA256,
    VendorMechanism(0x80000001, "SM2", b"p"),
    TokenInfo("s", "l", "m", "x", "p", user_pin=PinState.LAST),
    KeyRecord(b"\x01", "k", 3, b"spki", pin_per_signature=True),
]


@pytest.mark.parametrize("value", VALUES)
def test_values_cross_unchanged(value):
    assert unpack(encode(value)) == value
    assert type(unpack(encode(value))) is type(value)


@given(st.binary(max_size=60))
def test_noise_from_a_host_is_an_error_and_nothing_else(message):
    with pytest.raises((ValueError, TokenError)):
        open_answer(message)


def test_only_our_own_records_cross():
    with pytest.raises(TypeError):
        encode(object())
    with pytest.raises(ValueError):
        open_answer(b'["ok",{"record":"Popen","fields":{}}]')


@pytest.mark.parametrize(
    ("raw", "text"), [(b"\xe7\xa4\xba  ", "示"), ("示例".encode("gb18030"), "示例"), (b"abc\x00\x00", "abc")]
)
def test_labels_in_the_encodings_of_the_trade(raw, text):
    assert text_of(raw) == text
