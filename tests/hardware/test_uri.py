"""RFC 7512 URIs."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.driver import open_token
from hardware.errors import UriInvalid
from hardware.ports import TokenInfo
from hardware.uri import TokenUri

INFO = TokenInfo(serial="0a1b", label="示例市 印章", model="SoftHSM v2", manufacturer="SoftHSM project", module="m.so")


# RFC 7512, section 3, in its order.
SOFTTOKEN = "The Software PKCS#11 Softtoken"
EXAMPLES = [
    ("pkcs11:", TokenUri()),
    ("pkcs11:object=my-pubkey;type=public", TokenUri(object="my-pubkey", type="public")),
    (
        "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
        TokenUri(object="my-key", type="private", pin_source="file:/etc/token"),
    ),
    (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;"
        "object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
        TokenUri(
            token=SOFTTOKEN,
            manufacturer="Snake Oil, Inc.",
            model="1.0",
            object="my-certificate",
            type="cert",
            id=bytes.fromhex("69953e5cf4bdec91"),
            serial="",
            pin_source="file:/etc/token_pin",
        ),
    ),
    (
        "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
        TokenUri(object="my-sign-key", type="private", module_name="mypkcs11"),
    ),
    (
        "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
        TokenUri(object="my-sign-key", type="private", module_path="/mnt/libmypkcs11.so.1"),
    ),
    (
        "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
        TokenUri(token="A name with a substring %;", object="my-certificate", type="cert"),
    ),
    (
        "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert",
        TokenUri(token="Name with a small A with acute: á", object="my-certificate", type="cert"),
    ),
    (
        "pkcs11:token=my-token;object=my-certificate;type=cert;vendor-aaa=value-a"
        "?pin-source=file:/etc/token_pin&vendor-bbb=value-b",
        TokenUri(token="my-token", object="my-certificate", type="cert", pin_source="file:/etc/token_pin"),
    ),
]
REFUSED_EXAMPLES = [
    "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin",
    "pkcs11:slot-description=Sun%20Metaslot",
    "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
    "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
]


@pytest.mark.parametrize(("text", "uri"), EXAMPLES)
def test_the_examples_of_the_rfc_are_read(text, uri):
    assert TokenUri.parse(text) == uri
    assert TokenUri.parse(str(uri)) == uri


@pytest.mark.parametrize("text", REFUSED_EXAMPLES)
def test_the_examples_that_carry_a_pin_or_name_a_slot_or_library_are_refused_by_name(text):
    with pytest.raises(UriInvalid) as caught:
        TokenUri.parse(text)
    assert caught.value.advice is not None
    assert "the-pin" not in str(caught.value)


def test_gnutls_reads_our_uris_and_we_read_its(store):
    """Its p11tool, on real tokens with labels that need escaping."""
    if shutil.which("p11tool") is None:
        pytest.skip("needs p11tool (apt-get install gnutls-bin)")

    def p11tool(*arguments: str) -> str:
        command = ["p11tool", "--provider", store.module, "--batch", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    infos = [store.create(label, user_pin="246810", so_pin="13579135") for label in ("示例;市=a%b/c", "plain", "a&b?c")]
    theirs = [TokenUri.parse(line) for line in p11tool("--list-token-urls").split() if "serial=" in line]
    for info in infos:
        assert [uri for uri in theirs if uri.matches(info)] == [uri for uri in theirs if uri.serial == info.serial]
        assert any(uri.matches(info) for uri in theirs)
        with open_token(store.module, serial=info.serial, pin="246810", write=True) as opened:
            opened.generate("p256", label="印章;1", id=b"\x01")
        shown = p11tool("--list-all", str(TokenUri.of(info)))
        assert info.serial in shown
        assert not [other for other in infos if other is not info and other.serial in shown]


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
