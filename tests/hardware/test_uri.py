"""RFC 7512 URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import UriInvalid
from hardware.ports import TokenInfo
from hardware.uri import TokenUri

INFO = TokenInfo(serial="0a1b", label="示例市 印章", model="SoftHSM v2", manufacturer="SoftHSM project", module="m.so")


def test_the_examples_of_the_rfc_are_read():
    """RFC 7512, section 3."""
    first = TokenUri.parse(
        "pkcs11:object=my-pubkey;type=public",
    )
    assert (first.object, first.type) == ("my-pubkey", "public")
    second = TokenUri.parse("pkcs11:object=my-key;type=private?pin-source=file:/etc/token")
    assert second.pin_source == "file:/etc/token"
    third = TokenUri.parse(
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;"
        "object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin"
    )
    assert third.token == "The Software PKCS#11 Softtoken"
    assert third.manufacturer == "Snake Oil, Inc."
    assert third.id == bytes.fromhex("69953e5cf4bdec91")
    assert third.serial == ""
    assert TokenUri.parse("pkcs11:") == TokenUri()
    assert TokenUri.parse("pkcs11:token=a;x-vend=b") == TokenUri(token="a")


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com",
        "pkcs11:token",
        "pkcs11:token=a;token=b",
        "pkcs11:token=%zz",
        "pkcs11:token=a b",
        "pkcs11:type=banana",
        "pkcs11:token=%ff",
        "pkcs11:token=a?pin-value=1234",
    ],
)
def test_what_is_not_one_is_refused(text):
    with pytest.raises(UriInvalid):
        TokenUri.parse(text)


def test_a_pin_in_a_uri_is_not_repeated_in_the_error():
    with pytest.raises(UriInvalid) as caught:
        TokenUri.parse("pkcs11:token=a?pin-value=739164")
    assert "739164" not in caught.value.explain("en") + caught.value.explain("zh") + repr(caught.value)


text = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(token=text, serial=text, object=text, id=st.none() | st.binary(max_size=8), pin_source=text, module_path=text)
def test_printed_and_parsed_is_the_same(**values):
    uri = TokenUri(**values)
    assert TokenUri.parse(str(uri)) == uri


def test_a_uri_matches_by_every_attribute_it_names():
    assert TokenUri.of(INFO).matches(INFO)
    assert TokenUri(serial="0a1b").matches(INFO)
    assert not TokenUri(serial="0a1b", token="另一个").matches(INFO)
    assert not TokenUri(model="x").matches(INFO)
