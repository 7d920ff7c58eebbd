"""Certificate, CSR, CRL, OCSP answer, timestamp and CMS signed by a key on a token, for each kind of key that the token
has, with the builders as they are; each judged by OpenSSL.
"""

from __future__ import annotations

import datetime
import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hardware.driver import open_token
from hardware.private_keys import as_private_key
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.timestamp_request import read_timestamp_request
from signing_service.pki.timestamp_token import TokenTemplate

USER_PIN = "246810"
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
SHA256 = hashes.SHA256()


def openssl(*arguments: object) -> str:
    """What the command said, on either stream; it must have ended well."""
    answer = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout + answer.stderr


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """An authority whose key is on the token: makes each structure in `folder`."""

    def __init__(self, token_key, folder: Path, *, pss: bool = False) -> None:
        self.token_key, self.folder = token_key, folder
        self.key = as_private_key(token_key)
        is_rsa = hasattr(self.key, "decrypt")
        self.algorithm = SHA256 if hasattr(self.key, "key_size") else None
        self.padding = {"rsa_padding": PSS} if pss and is_rsa else {}
        self.root = self.certificate("示例市根", ca=True)
        self.write("ca.pem", self.root.public_bytes(Encoding.PEM))

    def write(self, file: str, content: bytes) -> Path:
        path = self.folder / file
        path.write_bytes(content)
        return path

    def certificate(self, subject: str, *, ca: bool = False, use=None) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("示例市根"))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + 365 * DAY)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=True)
        return builder.sign(self.key, self.algorithm, **self.padding)


KINDS = ["rsa2048", "rsa2048-pss", "p256", "p384", "ed25519"]


@pytest.fixture(params=KINDS)
def authority(request, store, token, tmp_path):
    kind, _, pss = request.param.partition("-")
    with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
        yield Authority(opened.generate(kind, label=kind, id=b"\x01"), tmp_path, pss=bool(pss))


def test_certificate_csr_and_crl(authority):
    ca = authority.folder / "ca.pem"
    leaf = authority.certificate("审批员甲")
    path = authority.write("leaf.pem", leaf.public_bytes(Encoding.PEM))
    assert "OK" in openssl("verify", "-CAfile", ca, path)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("审批员甲"))
    request = builder.sign(authority.key, authority.algorithm, **authority.padding)
    path = authority.write("leaf.csr", request.public_bytes(Encoding.PEM))
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", path)
    revoked = x509.RevokedCertificateBuilder().serial_number(leaf.serial_number).revocation_date(NOW).build()
    listed = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name("示例市根"))
        .last_update(NOW)
        .next_update(NOW + DAY)
        .add_revoked_certificate(revoked)
    )
    path = authority.write(
        "ca.crl", listed.sign(authority.key, authority.algorithm, **authority.padding).public_bytes(Encoding.PEM)
    )
    assert "verify OK" in openssl("crl", "-noout", "-CAfile", ca, "-in", path)


def test_ocsp_answer(authority):
    leaf = authority.certificate("审批员甲")
    path = authority.write("leaf.pem", leaf.public_bytes(Encoding.PEM))
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(leaf, authority.root, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + DAY, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, authority.root)
        .sign(authority.key, authority.algorithm)
    )
    response = authority.write("answer.der", answer.public_bytes(Encoding.DER))
    ca = authority.folder / "ca.pem"
    said = openssl("ocsp", "-respin", response, "-issuer", ca, "-cert", path, "-CAfile", ca, "-no_nonce")
    assert "Response verify OK" in said
    assert ": good" in said


def test_timestamp(authority):
    certificate = authority.certificate("示例市时间戳", use=ExtendedKeyUsageOID.TIME_STAMPING)
    data = authority.write("data", b"approval")
    query = authority.folder / "query.tsq"
    openssl("ts", "-query", "-data", data, "-sha256", "-cert", "-out", query)
    key = CertifiedKey(authority.token_key, certificate.public_bytes(Encoding.DER), ())
    template = TokenTemplate(key, "1.2.3.4")
    token = authority.write("token.der", template.token(read_timestamp_request(query.read_bytes()), 7, NOW))
    if authority.algorithm is None:
        signed_attributes_hold(authority, token)
        return
    checked = ["-queryfile", query, "-in", token, "-token_in", "-CAfile", authority.folder / "ca.pem"]
    assert "Verification: OK" in openssl("ts", "-verify", *checked)


def signed_attributes_hold(authority: Authority, token: Path) -> None:
    """OpenSSL 3.0 checks Ed25519 in no CMS, so its signature is checked alone, over the attributes as they stand."""
    signed = cms.ContentInfo.load(token.read_bytes())["content"]
    (signer,) = signed["signer_infos"]
    attributes = authority.write("attributes", signer["signed_attrs"].untag().dump())
    signature = authority.write("signature", signer["signature"].native)
    found = {each["type"].native: each["values"][0].native for each in signer["signed_attrs"]}
    assert found["message_digest"] == hashlib.sha512(bytes(signed["encap_content_info"]["content"])).digest()
    openssl("pkeyutl", "-verify", "-rawin", "-certin", "-inkey", authority.folder / "ca.pem", "-in", attributes,
            "-sigfile", signature)  # fmt: skip


def test_cms(authority):
    if authority.algorithm is None:
        with pytest.raises(TypeError, match="Only RSA & EC"):
            pkcs7.PKCS7SignatureBuilder().add_signer(authority.root, authority.key, SHA256)
        return
    data = authority.write("data", b"approval")
    certificate = authority.certificate("审批员甲")
    made = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(b"approval")
        .add_signer(certificate, authority.key, SHA256, **authority.padding)
        .sign(Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])
    )
    path = authority.write("data.p7s", made)
    checked = ["-inform", "DER", "-in", path, "-content", data, "-CAfile", authority.folder / "ca.pem"]
    said = openssl("cms", "-verify", "-binary", "-purpose", "any", *checked)
    assert "successful" in said
