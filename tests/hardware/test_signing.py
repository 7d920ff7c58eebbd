"""Keys on real SoftHSM tokens sign, and everything that builds on `cryptography` works over them unchanged."""

from __future__ import annotations

import datetime
import subprocess

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from hardware.driver import open_token
from hardware.errors import KeyExists, KeyTypeUnsupported, MechanismUnsupported, PinRequired, TokenWriteProtected
from hardware.ports import Mechanism, Token, TokenKey, VendorTokenKey
from hardware.private_keys import as_private_key
from hardware.signing_plans import verifies

USER_PIN = "246810"
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市测试")])
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def opened(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "mechanisms"),
    [
        ("rsa2048", [m for m in Mechanism if "rsa" in m]),
        ("p256", [Mechanism.ECDSA_SHA256, Mechanism.ECDSA_SHA384]),
        ("p384", [Mechanism.ECDSA_SHA256, Mechanism.ECDSA_SHA384]),
        ("ed25519", [Mechanism.ED25519]),
    ],
)
def test_every_mechanism_verifies(opened, kind, mechanisms):
    key = opened.generate(kind, label=kind, id=b"\x01")
    assert isinstance(key, TokenKey)
    assert isinstance(key, VendorTokenKey)
    for mechanism in mechanisms:
        for data in (b"", b"first", b"second" * 1000):
            assert verifies(mechanism, key.public_key, key.sign(data, mechanism), data)


def test_no_ecdsa_signature_fails_for_its_leading_bytes(opened):
    """Field report B08: raw r and s embedded, or leading zeros mishandled, so that a few in a hundred fail.

    SoftHSM gives raw halves; it signs until one with a leading zero byte and one with a leading bit were seen.
    """
    key = opened.generate("p256", label="k", id=b"\x01")
    bits = key.public_key.key_size
    short = high = False
    for number in range(5000):
        data = b"%d" % number
        signature = key.sign(data, Mechanism.ECDSA_SHA256)
        assert verifies(Mechanism.ECDSA_SHA256, key.public_key, signature, data)
        halves = decode_dss_signature(signature)
        assert encode_dss_signature(*halves) == signature  # minimal DER
        short = short or min(halves).bit_length() <= bits - 8
        high = high or max(halves).bit_length() == bits
        if short and high:
            return
    raise AssertionError("no signature with a short half came")


def test_a_mechanism_for_another_key_type_is_refused_by_name(opened):
    key = opened.generate("p256", label="ec", id=b"\x01")
    with pytest.raises(MechanismUnsupported, match="sha256-rsa-pkcs"):
        key.sign(b"data", Mechanism.RSA_PKCS1_SHA256)


def certificate(key, *, issuer_key=None, usage=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(0x80FF)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=3650))
    )
    if usage:
        builder = builder.add_extension(usage, critical=True)
    signer = issuer_key or key
    return builder.sign(signer, None if kind_of(signer) == "ed25519" else hashes.SHA256())


def kind_of(key):
    return {"RsaTokenKey": "rsa", "EcTokenKey": "ec"}.get(type(key).__name__, "ed25519")


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "ed25519"])
def test_certificate_csr_crl_and_ocsp_builders_work_unchanged(opened, kind):
    key = as_private_key(opened.generate(kind, label=kind, id=b"\x01"))
    algorithm = None if kind == "ed25519" else hashes.SHA256()
    made = certificate(key)
    made.verify_directly_issued_by(made)
    csr = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, algorithm)
    assert csr.is_signature_valid
    crl = (
        x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW).next_update(NOW).sign(key, algorithm)
    )
    assert crl.is_signature_valid(key.public_key())
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(made, made, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, NOW, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, made)
        .sign(key, algorithm)
    )
    assert answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    mechanism = {"rsa": Mechanism.RSA_PKCS1_SHA256, "ec": Mechanism.ECDSA_SHA256, "ed25519": Mechanism.ED25519}
    assert verifies(mechanism[kind_of(key)], key.public_key(), answer.signature, answer.tbs_response_bytes)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_the_cms_builder_works_unchanged(opened, tmp_path, kind):
    """Read by openssl. The builder takes no Ed25519 key at all: `signing_service.pades` writes that CMS."""
    key = as_private_key(opened.generate(kind, label=kind, id=b"\x01"))
    made = certificate(key)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(b"data").add_signer(made, key, hashes.SHA384())
    (tmp_path / "cms").write_bytes(builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary]))
    (tmp_path / "root.pem").write_bytes(made.public_bytes(Encoding.PEM))
    command = "openssl cms -verify -inform DER -in cms -CAfile root.pem -purpose any -no_check_time"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"data"), done.stderr


def test_pss_through_the_adapter(opened):
    key = as_private_key(opened.generate("rsa2048", label="pss", id=b"\x01"))
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    key.public_key().verify(key.sign(b"data", pss, hashes.SHA384()), b"data", pss, hashes.SHA384())
    for odd in (padding.PSS(padding.MGF1(hashes.SHA256()), 48), padding.PSS(padding.MGF1(hashes.SHA384()), 20)):
        with pytest.raises(UnsupportedAlgorithm):
            key.sign(b"data", odd, hashes.SHA384())


def test_private_numbers_never_leave(opened):
    key = as_private_key(opened.generate("rsa2048", label="k", id=b"\x01"))
    with pytest.raises(ValueError, match="does not leave"):
        key.private_numbers()


def test_unwrap_undoes_oaep_sha256_on_a_token_that_lacks_it(opened):
    key = opened.generate("rsa2048", label="wrap", id=b"\x02", decrypt=True)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    for secret in (b"", b"\x00\x01 data key", bytes(32)):
        assert key.unwrap(key.public_key.encrypt(secret, oaep)) == secret


def test_unwrapping_garbage_is_an_error(opened):
    from hardware.errors import TokenError

    key = opened.generate("rsa2048", label="wrap", id=b"\x02", decrypt=True)
    with pytest.raises(TokenError):
        key.unwrap(b"\x01" * 256)


def test_a_taken_id_is_not_overwritten(opened):
    opened.generate("p256", label="a", id=b"\x01")
    with pytest.raises(KeyExists):
        opened.generate("p256", label="b", id=b"\x01")


def test_writing_needs_a_token_opened_for_writing(store, token):
    with open_token(store.module, serial=token.serial, pin=USER_PIN) as reading, pytest.raises(TokenWriteProtected):
        reading.generate("p256", label="a", id=b"\x01")


def test_without_a_pin_certificates_are_read_and_keys_ask_for_one(store, token):
    with open_token(store.module, serial=token.serial) as reading:
        assert reading.certificates() == []
        with pytest.raises(PinRequired):
            reading.key(label="seal")


def test_unknown_kind_is_named(opened):
    with pytest.raises(KeyTypeUnsupported, match="sm2"):
        opened.generate("sm2", label="a", id=b"\x01")


def test_the_token_satisfies_the_port(opened):
    key: TokenKey = opened.generate("p256", label="a", id=b"\x01")
    token: Token = opened
    assert token.key(id=key.id).label == "a"
    assert isinstance(as_private_key(key), ec.EllipticCurvePrivateKey)
    assert not isinstance(as_private_key(key), rsa.RSAPrivateKey)
