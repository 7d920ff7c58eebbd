"""The signed attributes: exactly three, read back strictly, and the same to an independent reader."""

import hashlib

import pytest
from asn1crypto import cms, tsp
from hypothesis import given
from hypothesis import strategies as st

from signing_service.pdf.cms_attributes import (
    SignedAttributesRefused,
    build_signed_attributes,
    read_signed_attributes,
)
from signing_service.pdf.der import set_of, tlv, whole

DIGEST = hashlib.sha256(b"document").digest()
CERTIFICATE = b"any bytes stand for a certificate"
SIGNING_TIME = bytes.fromhex("301c06092a864886f70d010905310f170d3236313132353031303230305a")


def parts() -> list[bytes]:
    return [part.encoded for part in whole(build_signed_attributes(DIGEST, CERTIFICATE)).children()]


def test_an_independent_reader_finds_exactly_the_three_attributes() -> None:
    assert tsp.SigningCertificateV2  # registers the attribute
    attributes = cms.CMSAttributes.load(build_signed_attributes(DIGEST, CERTIFICATE))
    assert {a["type"].native for a in attributes} == {"content_type", "message_digest", "signing_certificate_v2"}
    by_name = {a["type"].native: a["values"][0] for a in attributes}
    assert by_name["content_type"].native == "data"
    assert by_name["message_digest"].native == DIGEST
    identifier = by_name["signing_certificate_v2"]["certs"][0]
    assert identifier["cert_hash"].native == hashlib.sha256(CERTIFICATE).digest()
    assert identifier["hash_algorithm"]["algorithm"].native == "sha256"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_what_was_built_is_read_back(digest: bytes, certificate: bytes) -> None:
    read = read_signed_attributes(build_signed_attributes(digest, certificate))
    assert (read.content_type, read.message_digest) == ("1.2.840.113549.1.7.1", digest)
    assert read.signing_certificate_hash == hashlib.sha256(certificate).digest()


@pytest.mark.parametrize(
    "altered",
    [
        set_of(0x31, *parts(), SIGNING_TIME),
        set_of(0x31, *parts()[:2]),
        set_of(0x31, *parts()[1:]),
        set_of(0x31, *parts(), parts()[0]),
        tlv(0x31, *reversed(parts())),
        build_signed_attributes(DIGEST, CERTIFICATE) + b"\0",
        b"\xa0" + build_signed_attributes(DIGEST, CERTIFICATE)[1:],
        build_signed_attributes(DIGEST, CERTIFICATE).replace(DIGEST, DIGEST[:-1] + b""),
        b"",
        b"\x31\x80\x00\x00",
    ],
)
def test_anything_else_is_refused(altered: bytes) -> None:
    with pytest.raises(SignedAttributesRefused) as refused:
        read_signed_attributes(altered)
    assert refused.value.code == "signed_attributes_refused"


@given(st.data())
def test_no_altered_byte_passes_unnoticed(data: st.DataObject) -> None:
    built = bytearray(build_signed_attributes(DIGEST, CERTIFICATE))
    position = data.draw(st.integers(0, len(built) - 1))
    built[position] ^= data.draw(st.integers(1, 255))
    try:
        read = read_signed_attributes(bytes(built))
    except SignedAttributesRefused:
        return
    digests = (read.message_digest, read.signing_certificate_hash)
    assert digests != (DIGEST, hashlib.sha256(CERTIFICATE).digest())


def test_a_digest_of_another_length_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        build_signed_attributes(b"short", CERTIFICATE)
