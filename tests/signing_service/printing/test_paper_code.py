"""Paper codes: claims, COSE, every refusal by name; checked by an independent COSE implementation."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signing_service.custody.structures import PAPER_CODE, check_structure
from signing_service.printing import cose
from signing_service.printing.errors import (
    BadCodeSignature,
    CodeExpired,
    CodeKeyUnfit,
    CodeMalformed,
    CodeRefusal,
    CodeTruncated,
    KeyListUnreadable,
    KeyNotInForce,
    NotOurCode,
    ShortCodeMistyped,
    StaleKeyList,
    UnknownKey,
    WrongPrefix,
)
from signing_service.printing.paper_code import KeyList, make_code, read_code
from signing_service.printing.short_code import ALPHABET, normal_short_code

from .conftest import CLAIMS, IDENTIFIER, NOW, PREFIX, CodeMaker

PAYLOADS = CodeMaker()


def test_read_back(maker: CodeMaker):
    code = maker.code(expires_at=NOW + timedelta(days=1))
    assert read_code(code.text, maker.keys, PREFIX, now=NOW) == code
    assert code.claims.subject == IDENTIFIER


def test_scanner_that_changes_case(maker: CodeMaker):
    code = maker.code()
    assert read_code(code.text.upper(), maker.keys, PREFIX, now=NOW) == code


def test_independent_reader(maker: CodeMaker):
    """python-cwt verifies the COSE_Sign1 and finds the claims of RFC 8392."""
    payload = maker.code().payload
    encoded = base64.b32decode(payload + "=" * (-len(payload) % 8))
    pem = maker.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = cwt.COSEKey.from_pem(pem, kid=maker.key.key_id, alg="ES256")
    claims = cbor2.loads(cwt.COSE.new(alg_auto_inclusion=True).decode(encoded, key))
    assert claims[2] == IDENTIFIER
    assert claims[6] == int(NOW.timestamp())


def test_custody_accepts_the_structure(maker: CodeMaker):
    """Custody signs only what it recognises as a Sig_structure around claims."""
    seen: list[bytes] = []

    def sign(content: bytes) -> bytes:
        check_structure(PAPER_CODE, content, None)  # type: ignore[arg-type]  # this check asks nothing of the entry
        seen.append(content)
        return maker.sign(content)

    make_code(CLAIMS, maker.key, sign, PREFIX)
    assert len(seen) == 1


def test_raw_signature_is_taken_too(maker: CodeMaker):
    def raw(content: bytes) -> bytes:
        r, s = decode_dss_signature(maker.sign(content))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    code = make_code(CLAIMS, maker.key, raw, PREFIX)
    assert read_code(code.text, maker.keys, PREFIX, now=NOW).claims == CLAIMS


def test_signature_of_another_key_is_not_handed_out(maker: CodeMaker):
    with pytest.raises(CodeKeyUnfit):
        make_code(CLAIMS, maker.key, CodeMaker().sign, PREFIX)


def test_size_stays_small(maker: CodeMaker):
    assert len(maker.code().payload) <= 420


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("hello", NotOurCode),
        ("https://elsewhere.example/c/ABCDEFGH", WrongPrefix),
        ("https://elsewhere.example/other", NotOurCode),
        ("x" * 5000, NotOurCode),
        (PREFIX, CodeTruncated),
        (PREFIX + "A1!", CodeMalformed),
        (PREFIX + "AAAAAAAA", CodeMalformed),
    ],
)
def test_refusals_of_form(maker: CodeMaker, text: str, refusal: type[CodeRefusal]):
    with pytest.raises(refusal):
        read_code(text, maker.keys, PREFIX, now=NOW)


def test_every_truncation_is_refused(maker: CodeMaker):
    text = maker.code().text
    for length in range(len(PREFIX), len(text)):
        with pytest.raises((CodeTruncated, CodeMalformed)):
            read_code(text[:length], maker.keys, PREFIX, now=NOW)


def test_changed_claim_is_a_bad_signature(maker: CodeMaker):
    signed = cose.sign1(CLAIMS.as_cwt(), maker.key.key_id, maker.key.public_key, maker.sign)
    other = replace(signed, payload=cbor2.dumps(replace(CLAIMS, copy_serial="FORGED").as_cwt(), canonical=True))
    text = PREFIX + base64.b32encode(other.encode()).decode().rstrip("=")
    with pytest.raises(BadCodeSignature):
        read_code(text, maker.keys, PREFIX, now=NOW)


def test_unknown_key_and_stale_list(maker: CodeMaker):
    text = maker.code().text
    other = CodeMaker().keys
    with pytest.raises(UnknownKey):
        read_code(text, other, PREFIX, now=NOW + timedelta(days=6))
    with pytest.raises(StaleKeyList):
        read_code(text, other, PREFIX, now=NOW + timedelta(days=8))


def test_an_old_list_vouches_for_no_key(maker: CodeMaker):
    """The key may have been withdrawn since: a list older than seven days tells nothing, a fresh one everything."""
    text, later = maker.code().text, NOW + timedelta(days=400)
    with pytest.raises(StaleKeyList):
        read_code(text, maker.keys, PREFIX, now=later)
    assert read_code(text, KeyList(maker.keys.keys, later), PREFIX, now=later).claims == CLAIMS


def test_rolled_key(maker: CodeMaker):
    """A key that stopped signing still verifies what it signed, and nothing dated later."""
    later = NOW + timedelta(days=90)
    rolled = KeyList((replace(maker.key, until=NOW + timedelta(days=1)), CodeMaker().key), later)
    assert read_code(maker.code().text, rolled, PREFIX, now=later).claims == CLAIMS
    late = maker.code(issued_at=NOW + timedelta(days=2))
    with pytest.raises(KeyNotInForce):
        read_code(late.text, rolled, PREFIX, now=later)


def test_expired(maker: CodeMaker):
    code = maker.code(expires_at=NOW + timedelta(hours=1))
    with pytest.raises(CodeExpired):
        read_code(code.text, maker.keys, PREFIX, now=NOW + timedelta(hours=2))


def test_key_list_as_file(maker: CodeMaker):
    read = KeyList.from_json(json.dumps(maker.keys.as_json()))
    assert read_code(maker.code().text, read, PREFIX, now=NOW).claims == CLAIMS
    with pytest.raises(KeyListUnreadable):
        KeyList.from_json(b'{"keys": 3}')


def test_short_code(maker: CodeMaker):
    code = maker.code().short_code
    assert normal_short_code(code.lower().replace("-", " ")) == code


@given(st.integers(0, 11), st.sampled_from(ALPHABET))
def test_short_code_finds_every_wrong_character(place: int, sign: str):
    code = PAYLOADS.code().short_code.replace("-", "")
    wrong = code[:place] + sign + code[place + 1 :]
    if wrong != code:
        with pytest.raises(ShortCodeMistyped):
            normal_short_code(wrong)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_named_refusal(content: bytes):
    text = PREFIX + base64.b32encode(content).decode().rstrip("=")
    with pytest.raises(CodeRefusal):
        read_code(text, PAYLOADS.keys, PREFIX, now=NOW)
