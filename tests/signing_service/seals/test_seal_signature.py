"""What seals signed in OFD files of others is read and shown; junk is refused by name."""

import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing_service.seals import ses_asn1
from signing_service.seals.seal_signature import (
    SealSignatureBroken,
    read_seal_signature,
    signed_values,
)
from signing_service.seals.structures import SealMakerAlgorithmUnsupported, SealUnreadable, read_seal

VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"


@pytest.mark.parametrize(
    ("file", "version", "name", "signed_at"),
    [
        ("ofdrw-SESV4SignDoc.ofd", 4, "OFD R&W 测试用印章", "2026-08-04T02:08:09+00:00"),
        ("ofdrw-V4RideRight.ofd", 4, "OFD R&W 测试用印章", "2021-05-19T12:53:44+00:00"),
        ("ofdrw-n.ofd", 1, "某某省人力资源和社会测试章", None),
    ],
)
def test_others_signed_values_are_read_with_their_seal(corpora, file, version, name, signed_at):
    value = read_seal_signature(signed_values((corpora / "seals" / file).read_bytes())[VALUE])
    assert (value.version, value.seal.name, value.algorithm) == (version, name, "SM2-SM3")
    assert (value.signed_at and value.signed_at.isoformat()) == signed_at
    assert value.property_info.endswith("Signature.xml")
    assert len(value.data_hash) == 32
    assert value.signer_is_the_seals == (version == 4)  # the maker of the v1 seal bound no certificate
    with pytest.raises(SealMakerAlgorithmUnsupported, match="SM2-SM3"):
        value.check_signature()


def test_the_seal_inside_is_the_one_beside(corpora):
    for file in ("ofdrw-SESV4SignDoc.ofd", "ofdrw-V4RideRight.ofd", "ofdrw-n.ofd"):
        content = (corpora / "seals" / file).read_bytes()
        with zipfile.ZipFile(corpora / "seals" / file) as archive:
            beside = archive.read("Doc_0/Signs/Sign_0/Seal.esl")
        assert read_seal(beside) == read_seal_signature(signed_values(content)[VALUE]).seal


def test_a_signed_value_of_its_own_is_read_and_written_again_the_same(corpora):
    encoded = (corpora / "seals" / "ofdrw-SignedValueV4.dat").read_bytes()
    value = read_seal_signature(encoded)
    assert value.seal.binds(value.signer)
    assert ses_asn1.SesSignature.load(encoded).dump(force=True) == encoded


def test_a_bare_signature_is_no_seals(corpora):
    values = signed_values((corpora / "seals" / "ofdrw-DigitalSign.ofd").read_bytes())
    with pytest.raises(SealUnreadable):
        read_seal_signature(values[VALUE])
    assert signed_values((corpora / "seals" / "ofdrw-helloworld.ofd").read_bytes()) == {}


def test_the_command_shows_all_of_them(corpora, zhengyin):
    shown = zhengyin("read", corpora / "seals" / "ofdrw-n.ofd")["signatures"][VALUE]
    assert (shown["algorithm"], shown["signature"]) == ("SM2-SM3", "seal_maker_algorithm_unsupported")
    assert shown["seal"]["name"] == "某某省人力资源和社会测试章"
    bare = zhengyin("read", corpora / "seals" / "ofdrw-DigitalSign.ofd")["signatures"][VALUE]
    assert bare["problem"] == "seal_unreadable"
    assert zhengyin("read", corpora / "seals" / "ofdrw-SignedValueV4.dat")["seal"]["version"] == 4
    assert "SM2-SM3" in zhengyin("read", corpora / "seals" / "ofdrw-UserV1.esl", plain=True)


@pytest.fixture(scope="module")
def ours(holders):
    """A v4 signed value made here, over a small seal of our own."""
    from datetime import UTC, datetime, timedelta

    from asn1crypto import core

    from signing_service.seals.structures import SealContent, make_seal

    ecdsa, now = "1.2.840.10045.4.3.2", datetime(2026, 11, 24, 8, tzinfo=UTC)
    maker, signer = holders.Holder("示例制章单位"), holders.Holder("示例印章")
    content = SealContent(
        "99", 1, "示例印章", (signer.certificate,), now, now, now + timedelta(days=1), b"\x89PNG", 42, 42
    )
    seal = make_seal(content, maker=maker.certificate, algorithm_oid=ecdsa, sign=maker.sign)
    bits = lambda octets: core.BitString(tuple(int(bit) for octet in octets for bit in f"{octet:08b}"))  # noqa: E731
    signed = ses_asn1.SesToSign(
        {"version": 4, "eseal": core.Any.load(seal), "time_info": now, "data_hash": bits(b"h" * 32),
         "property_info": "/Doc_0/Signs/Sign_0/Signature.xml"}
    )  # fmt: skip
    made = signer.sign(signed.dump(), signer.mechanism)
    return ses_asn1.SesSignature(
        {"to_sign": signed, "cert": signer.certificate, "sign_alg_id": ecdsa, "signature": bits(made)}
    ).dump()


def test_one_with_an_algorithm_that_we_have_is_checked(ours):
    value = read_seal_signature(ours)
    value.check_signature()
    assert (value.algorithm, value.signer_is_the_seals) == ("ECDSA-SHA256", True)
    altered = ours.replace(b"h" * 32, b"i" * 32)
    with pytest.raises(SealSignatureBroken):
        read_seal_signature(altered).check_signature()


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"PK\x03\x04", b"\x30\x03\x02\x01\x01"])
def test_junk_is_refused_by_name(junk):
    with pytest.raises(SealUnreadable):
        read_seal_signature(junk)
    with pytest.raises(SealUnreadable):
        signed_values(junk)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_value_is_read_or_refused_never_a_crash(ours, damage):
    encoded = bytearray(ours)
    for place, octet in damage:
        encoded[int(place * len(encoded))] = octet
    with suppress(SealUnreadable):
        read_seal_signature(bytes(encoded))
