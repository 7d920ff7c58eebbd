"""The DER writer against cryptography's and asn1crypto's, the reader against arbitrary bytes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from signing_service.pki import der
from signing_service.pki.errors import MalformedDer


@given(st.integers(min_value=0, max_value=1 << 160))
def test_integers_are_those_of_asn1crypto(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()
    assert der.read(der.integer(value)).as_integer() == value


@given(st.lists(st.integers(min_value=0, max_value=1 << 40), max_size=10), st.integers(0, 2), st.integers(0, 39))
def test_object_identifiers_are_those_of_asn1crypto(rest: list[int], first: int, second: int) -> None:
    dotted = ".".join(map(str, [first, second, *rest]))
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()
    assert der.read(der.oid(dotted)).as_oid() == dotted


@given(st.binary(max_size=70_000))
def test_lengths_are_those_of_asn1crypto(content: bytes) -> None:
    assert der.octet_string(content) == core.OctetString(content).dump()
    assert der.read(der.octet_string(content)).content == content


@given(st.binary(max_size=200))
def test_the_reader_never_raises_anything_else(data: bytes) -> None:
    try:
        element = der.read(data)
        for child in element.children():
            for as_ in (child.as_integer, child.as_oid, child.as_boolean):
                try:
                    as_()
                except MalformedDer:
                    continue
    except MalformedDer:
        return


@pytest.mark.parametrize(
    "data",
    ["", "30", "3080", "300000", "30810100", "3082000100", "30850000000001aa", "1f0100", "30030201", "308100"],
)
def test_what_is_not_der_is_refused(data: str) -> None:
    with pytest.raises(MalformedDer):
        der.read(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["0200", "02020001", "0202ffff"])
def test_integers_must_be_minimal(data: str) -> None:
    with pytest.raises(MalformedDer):
        der.read(bytes.fromhex(data)).as_integer()


@pytest.mark.parametrize("bit", range(27))
def test_named_bits_have_no_trailing_zeros(bit: int) -> None:
    encoded = der.named_bit(bit)
    read = core.BitString.load(encoded).native
    assert read[bit] == 1
    assert len(read) == bit + 1


def test_fractions_of_a_second_have_no_trailing_zeros() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 120_999, tzinfo=UTC)
    assert der.generalized_time(instant, fraction=True) == b"\x18\x1220260102030405.12Z"
    assert der.generalized_time(instant.replace(microsecond=0), fraction=True) == b"\x18\x0f20260102030405Z"
