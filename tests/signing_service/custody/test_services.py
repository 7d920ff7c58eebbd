"""Each service key signs its own kind of structure, and refuses every other service's and a document's."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import ocsp

from hardware.ports import Mechanism
from hardware.private_keys import as_private_key
from signing_service.custody.errors import ServiceNotInCustody, StructureRefused
from signing_service.custody.keys import ServiceKey
from signing_service.pdf.cms_attributes import build_signed_attributes

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
KINDS = ("tsa", "ocsp", "issuing", "evidence", "paper_code", "log")


def timestamp_attributes(certificate, content_type="1.2.840.113549.1.9.16.1.4"):
    names = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(certificate).digest()}]})
    attributes = [
        {"type": "content_type", "values": [content_type]},
        {"type": "message_digest", "values": [hashlib.sha256(b"TSTInfo").digest()]},
        {"type": "signing_certificate_v2", "values": [names]},
    ]
    return cms.CMSAttributes(attributes).dump()


def jws_input(header, claims):
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return b".".join(parts)


def to_be_signed(custody, vault, *, authority=False, name="示例 issuing"):
    """TBSCertificate as `cryptography` builds it through the adapter over custody's key."""
    key = ServiceKey.of(custody, "issuing")
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示例审批员")])
    public = load_der_public_key(custody.service_public_key("ocsp"))
    builder = x509.CertificateBuilder(issuer, subject, public, 7, NOW, NOW + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    return builder.sign(as_private_key(key), hashes.SHA256())


@pytest.fixture
def samples(custody, vault):
    certificates = {kind: vault.policy.services[kind].certificate for kind in ("tsa", "ocsp")}
    issued = to_be_signed(custody, vault)
    responder = x509.load_der_x509_certificate(certificates["ocsp"])
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(issued, responder, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, NOW, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
        .sign(as_private_key(ServiceKey.of(custody, "ocsp")), hashes.SHA256())
    )
    root = base64.b64encode(hashlib.sha256(b"root").digest()).decode()
    return {
        "tsa": timestamp_attributes(certificates["tsa"]),
        "ocsp": response.tbs_response_bytes,
        "issuing": issued.tbs_certificate_bytes,
        "evidence": jws_input({"alg": "ES256", "kid": "1"}, {"verdict": "passed"}),
        "paper_code": cbor2.dumps(["Signature1", cbor2.dumps({1: -7}), b"", cbor2.dumps({1: "example.test"})]),
        "log": f"log.example.test/zhengyin\n12\n{root}\n".encode(),
        "document": build_signed_attributes(hashlib.sha256(b"pdf").digest(), certificates["tsa"]),
    }


def test_each_service_signs_its_own_kind(custody, samples):
    for kind in KINDS:
        public = load_der_public_key(custody.service_public_key(kind))
        signature = custody.sign_service(kind, samples[kind])
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, samples[kind])
        else:
            public.verify(signature, samples[kind], ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("kind", KINDS)
def test_no_service_signs_anothers_kind_nor_a_document(custody, samples, kind):
    for other, content in samples.items():
        if other != kind:
            with pytest.raises(StructureRefused):
                custody.sign_service(kind, content)


@pytest.mark.parametrize("kind", KINDS)
def test_no_service_signs_what_is_almost_right(custody, samples, kind):
    right = samples[kind]
    for content in (b"", right + b"\x00", right[:-1], b"\x30\x80" + right, b"\xff" * 40):
        with pytest.raises(StructureRefused):
            custody.sign_service(kind, content)


def test_a_revocation_list_in_the_issuers_name_is_signed(custody, vault):
    issuer = x509.load_der_x509_certificate(vault.policy.services["issuing"].certificate)
    builder = x509.CertificateRevocationListBuilder(issuer.subject, NOW, NOW + timedelta(days=7))
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    made = builder.sign(as_private_key(ServiceKey.of(custody, "issuing")), hashes.SHA256())
    assert made.is_signature_valid(issuer.public_key())


def test_the_issuing_key_makes_no_authority_and_signs_in_no_other_name(custody, vault):
    with pytest.raises(StructureRefused, match="ceremony"):
        to_be_signed(custody, vault, authority=True)
    with pytest.raises(StructureRefused, match="another issuer"):
        to_be_signed(custody, vault, name="示例 another")


def test_a_timestamp_must_name_its_own_authority(custody, vault):
    with pytest.raises(StructureRefused):
        custody.sign_service("tsa", timestamp_attributes(vault.policy.services["ocsp"].certificate))
    own = vault.policy.services["tsa"].certificate
    with pytest.raises(StructureRefused):
        custody.sign_service("tsa", timestamp_attributes(own, content_type="1.2.840.113549.1.7.1"))


@pytest.mark.parametrize(
    "content",
    [
        jws_input({"alg": "none"}, {}),
        jws_input({"alg": "ES256", "crit": ["b64"]}, {}),
        jws_input(["ES256"], {}),
        jws_input({"alg": "ES256"}, "text"),
        b"a.b.c",
        b"e30=.e30=",
        b"ZHENGYIN-LOGIN-V1 | origin | session | nonce",
    ],
)
def test_evidence_is_a_plain_jws_over_an_object(custody, content):
    with pytest.raises(StructureRefused):
        custody.sign_service("evidence", content)


@pytest.mark.parametrize("line", ["-1", "01", "1e3", ""])
def test_a_checkpoint_has_a_size(custody, line):
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(StructureRefused):
        custody.sign_service("log", f"log.example.test\n{line}\n{root}\n".encode())


def test_the_data_key_unwraps_and_never_signs(custody):
    public = load_der_public_key(custody.service_public_key("data"))
    wrapped = public.encrypt(b"k" * 32, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    assert custody.unwrap_data_key(wrapped) == b"k" * 32
    with pytest.raises(StructureRefused):
        custody.sign_service("data", core.OctetString(b"x").dump(), Mechanism.RSA_PKCS1_SHA256)


def test_an_unknown_service_is_named(custody):
    with pytest.raises(ServiceNotInCustody, match="weather"):
        custody.sign_service("weather", b"x")
