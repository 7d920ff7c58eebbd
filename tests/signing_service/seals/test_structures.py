"""GB/T 38540: what others wrote is read and written again byte for byte; what we write is read the same."""

import io
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from signing_service.seals.picture import SealDesign, seal_png
from signing_service.seals.structures import (
    SealContent,
    SealMakerAlgorithmUnsupported,
    SealMakerSignatureBroken,
    SealUnreadable,
    make_seal,
    read_seal,
    read_seal_info,
    seal_info,
)

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
ECDSA, RSA = "1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"


@pytest.fixture(scope="module")
def maker(holders):
    return holders.Holder("示例制章单位")


@pytest.fixture(scope="module")
def content(holders):
    return SealContent(
        es_id="99000000000001", kind=1, name="示例市行政审批局", certificates=(holders.Holder("示例印章").certificate,),
        created=NOW, valid_from=NOW, valid_until=NOW + timedelta(days=365),
        picture=seal_png(SealDesign("示例市行政审批局"), dpi=300), width_mm=42, height_mm=42,
        extensions=(("1.2.156.3005.9.1", False, b"\x05\x00"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "version", "name", "created"),
    [
        ("ofdrw-UserV1.esl", 1, "OFDRW测试用印章", datetime(2020, 4, 22, 2, 18, 7, tzinfo=UTC)),
        ("ofdrw-UserV4.esl", 4, "OFD R&W 测试用印章", datetime(2020, 4, 22, 2, 9, tzinfo=UTC)),
        ("ofdrw-UserV5_ts.esl", 5, "OFD R&W V5测试用印章", datetime(2026, 4, 24, 8, 53, 22, tzinfo=UTC)),
    ],
)
def test_others_seals_of_each_generation_are_read(corpora, file, version, name, created):
    seal = read_seal((corpora / "seals" / file).read_bytes())
    assert (seal.version, seal.name, seal.created) == (version, name, created)
    assert (seal.width_mm, seal.height_mm, seal.picture_type) == (40, 40, "PNG")
    assert seal.algorithm == "SM2-SM3"
    assert Image.open(io.BytesIO(seal.picture)).size == (400, 400)
    assert seal.binds(seal.certificates[0])
    assert not seal.binds(seal.maker)
    assert bool(seal.timestamp) == (version == 5)
    with pytest.raises(SealMakerAlgorithmUnsupported, match="SM2-SM3"):
        seal.check_maker_signature()


def test_every_seal_of_the_corpus_is_read(corpora):
    files = sorted((corpora / "seals").glob("*.esl"))
    assert files
    for file in files:
        assert read_seal(file.read_bytes()).name


@pytest.mark.parametrize(("kind", "oid"), [("p256", ECDSA), ("rsa2048", RSA)])
def test_ours_is_read_the_same_and_its_maker_holds(holders, content, kind, oid):
    maker = holders.Holder("示例制章单位", kind)
    sign = maker.sign if kind == "p256" else lambda data, _: _rsa(maker, data)
    encoded = make_seal(content, maker=maker.certificate, algorithm_oid=oid, sign=sign)
    seal = read_seal(encoded)
    seal.check_maker_signature()
    assert (seal.version, seal.vendor, seal.encoded) == (4, "ZHENGYIN", encoded)
    assert seal.maker == maker.certificate
    for field in ("es_id", "kind", "name", "certificates", "created", "valid_from", "valid_until", "picture",
                  "picture_type", "width_mm", "height_mm", "extensions"):  # fmt: skip
        assert getattr(seal, field) == getattr(content, field), field


def _rsa(maker, data):
    return maker.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def test_an_altered_seal_is_noticed(maker, content):
    encoded = make_seal(content, maker=maker.certificate, algorithm_oid=ECDSA, sign=maker.sign)
    altered = encoded.replace("行政审批局".encode(), "行政审批处".encode())
    assert altered != encoded
    with pytest.raises(SealMakerSignatureBroken):
        read_seal(altered).check_maker_signature()


def test_a_maker_whose_key_does_not_fit_makes_no_seal(holders, maker, content):
    other = holders.Holder("示例另一单位")
    with pytest.raises(SealMakerSignatureBroken):
        make_seal(content, maker=maker.certificate, algorithm_oid=ECDSA, sign=other.sign)
    with pytest.raises(SealMakerAlgorithmUnsupported):
        make_seal(content, maker=maker.certificate, algorithm_oid="1.2.156.10197.1.501", sign=maker.sign)


def test_a_seal_without_extensions_has_none(content):
    assert read_seal_info(seal_info(replace(content, extensions=())))["ext_datas"].native is None


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"PK\x03\x04", b"\x30\x03\x02\x01\x01"])
def test_junk_is_refused_by_name(junk):
    with pytest.raises(SealUnreadable):
        read_seal(junk)


@pytest.fixture(scope="module")
def small_seal(maker, content):
    small = replace(content, picture=b"\x89PNG")
    return make_seal(small, maker=maker.certificate, algorithm_oid=ECDSA, sign=maker.sign)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_seal_is_read_or_refused_never_a_crash(small_seal, damage):
    encoded = bytearray(small_seal)
    for place, octet in damage:
        encoded[int(place * len(encoded))] = octet
    with suppress(SealUnreadable):
        assert read_seal(bytes(encoded)).encoded == bytes(encoded)
