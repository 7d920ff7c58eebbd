"""Certificate and key are paired by public key, the signing pair is chosen by key usage.

Field report B05: certificates that share an id, authorities without a key, a key without label; the wrong one is
offered.
"""

from __future__ import annotations

import datetime
from operator import attrgetter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware.driver import open_token
from hardware.errors import AmbiguousKey, CertificateMissing, KeyNotFound, KeyTypeUnsupported
from hardware.object_reading import certificate_key
from hardware.pairing import pairs, signing_pairs
from hardware.public_keys import algorithm_name, load_public_key

USER_PIN = "246810"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def certificate(public_key, *, signing=True, starts=NOW):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市测试")])
    usage = x509.KeyUsage(signing, False, not signing, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + datetime.timedelta(days=365))
        .add_extension(usage, critical=True)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@pytest.fixture
def opened(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        yield opened


def test_only_the_certificate_with_the_key_s_public_key_is_offered(opened):
    key = opened.generate("p256", label="", id=b"\x01")
    foreign = certificate(ec.generate_private_key(ec.SECP256R1()).public_key())
    own, authority = certificate(key.public_key), certificate(ec.generate_private_key(ec.SECP384R1()).public_key())
    opened.store_certificate(foreign, label="foreign", id=b"\x01")
    with pytest.raises(CertificateMissing):
        opened.certificate_for(key)
    opened.store_certificate(own, label="own", id=b"\x07")
    opened.store_certificate(authority, label="ca", id=b"")
    assert opened.certificate_for(key) == own
    assert opened.key(certificate=own).id == b"\x01"
    with pytest.raises(KeyNotFound):
        opened.key(certificate=foreign)
    assert len(opened.certificates()) == 3


def test_a_renewed_certificate_replaces_the_old_one(opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    newer = certificate(key.public_key, starts=NOW + datetime.timedelta(days=300))
    opened.store_certificate(newer, label="new", id=b"\x01")
    opened.store_certificate(certificate(key.public_key), label="old", id=b"\x01")
    assert opened.certificate_for(key) == newer


def test_of_a_dual_certificate_key_the_signing_pair_is_chosen(opened):
    signing = opened.generate("rsa2048", label="签名", id=b"\x01")
    encrypting = opened.generate("rsa2048", label="加密", id=b"\x02", decrypt=True)
    opened.store_certificate(certificate(encrypting.public_key, signing=False), label="e", id=b"\x01")
    opened.store_certificate(certificate(signing.public_key), label="s", id=b"\x02")
    found = signing_pairs(pairs(list(map(attrgetter("record"), opened.keys())), opened._connection.certificates()))
    assert [pair.key.label for pair in found] == ["签名"]


def test_two_keys_of_one_label_are_ambiguous_and_named(opened):
    for number in (1, 2):
        opened.generate("p256", label="seal", id=bytes([number]))
    with pytest.raises(AmbiguousKey, match=r"id 01.*id 02|id 02.*id 01"):
        opened.key(label="seal")
    assert opened.key(id=b"\x02").label == "seal"


def test_deleting_takes_key_and_certificate_and_other_sessions_see_it(opened):
    key = opened.generate("p256", label="k", id=b"\x01")
    opened.store_certificate(certificate(key.public_key), label="k", id=b"\x01")
    assert opened.delete(id=b"\x01") == 3
    assert opened.certificates() == []
    with pytest.raises(KeyNotFound):
        opened.key(id=b"\x01")


def sm2_certificate() -> bytes:
    """A certificate as an SM2 authority makes it: SM2 curve and SM2-with-SM3 (1.2.156.10197.1.501) throughout."""
    made = certificate(ec.generate_private_key(ec.SECP256R1()).public_key())
    curve = (bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d"))
    algorithm = (bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a811ccf55018375"))
    return made.replace(*curve).replace(*algorithm)


def test_an_sm2_certificate_on_the_token_is_carried_and_named(opened):
    """Field report B45, an SM2 certificate stops everything: here the list works and the key type is named."""
    der = sm2_certificate()
    opened.store_certificate(der, label="sm2", id=b"\x09")
    assert der in opened.certificates()
    info = certificate_key(der)
    assert algorithm_name(info) == "SM2"
    with pytest.raises(KeyTypeUnsupported, match="SM2"):
        load_public_key(info)
    key = opened.generate("p256", label="k", id=b"\x01")
    with pytest.raises(CertificateMissing):
        opened.certificate_for(key)
