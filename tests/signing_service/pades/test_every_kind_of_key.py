"""A document signature (CMS) and its timestamp (TSP), each by every kind of key that a token makes, on SoftHSM.

Read back by our own engine and by pyHanko, which share no code with the writer. (pdfsig and OpenSSL 3.0 do not know
Ed25519 in a CMS.)
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from hardware.driver import open_token
from hardware.ports import Mechanism, Token
from hardware.private_keys import as_private_key
from hardware.softhsm import SoftHsmStore
from signing_service.pades.errors import FieldRefused
from signing_service.pades.sign import Level, SignatureRequest, complete, prepare, sign
from signing_service.pades.sign_file import sign_file
from signing_service.pki.profiles import TIMESTAMP_POLICY
from signing_service.pki.timestamp_response import Asked, checked_token
from signing_service.pki.timestamping import TimestampAuthority
from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.reasons import Verdict

PIN = "739164"
FOR_DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
KINDS = ["rsa2048", "p256", "p384", "ed25519"]
ANOTHER = {"rsa2048": "ed25519", "p256": "ed25519", "p384": "rsa2048", "ed25519": "p256"}


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    store = SoftHsmStore(tmp_path_factory.mktemp("tokens"))
    info = store.create("测试", user_pin=PIN, so_pin=PIN)
    with open_token(store.module, serial=info.serial, pin=PIN, write=True) as opened:
        for number, kind in enumerate(KINDS, start=1):
            opened.generate(kind, label=kind, id=bytes([number]))
        yield opened


class TokenSigner:
    """A key on the token with a certificate that another key on it, the root's, has issued."""

    def __init__(self, token: Token, kind: str, root: Root, purpose: x509.ObjectIdentifier = FOR_DOCUMENTS) -> None:
        self.key = token.key(label=kind)
        self.certificate = root.issue(f"示例 {kind}", self.key.public_key, purpose)
        self.chain = [root.certificate]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.key.sign(data, mechanism)


class Root:
    """A self-signed certificate of a key on the token, which issues more."""

    def __init__(self, token: Token, kind: str, now: datetime) -> None:
        self._private, self._now = as_private_key(token.key(label=kind)), now
        self._algorithm = None if kind == "ed25519" else hashes.SHA256()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"示例根 {kind}")])
        self.certificate = self._made(self._name, self._private.public_key(), ca=True, purpose=None)

    def issue(self, name: str, public_key: object, purpose: x509.ObjectIdentifier) -> bytes:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self._made(subject, public_key, ca=False, purpose=purpose)

    def _made(self, subject: x509.Name, public_key, *, ca: bool, purpose: x509.ObjectIdentifier | None) -> bytes:
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=30))
            .not_valid_after(self._now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not ca, content_commitment=not ca, key_cert_sign=ca, crl_sign=ca, **usage
                ),
                critical=True,
            )
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        return builder.sign(self._private, self._algorithm).public_bytes(serialization.Encoding.DER)

    def crl(self, at: datetime) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(at)
            .next_update(at + timedelta(days=1))
        )
        return builder.sign(self._private, self._algorithm).public_bytes(serialization.Encoding.DER)


class OwnAuthority:
    """`Timestamper` over our own TSA, asked by its protocol; the answer is checked as any authority's."""

    def __init__(self, key: TokenSigner, moment: datetime) -> None:
        self._numbers, self._moment = itertools.count(1), moment
        self._tsa = TimestampAuthority(key, key.certificate, key.chain, serials=self, clock=self)

    def now(self) -> datetime:
        return self._moment

    def take(self, digest: bytes, policy: str, clock: object) -> tuple[int, datetime]:
        assert policy == TIMESTAMP_POLICY
        return next(self._numbers), self._moment

    def timestamp(self, digest: bytes) -> bytes:
        imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest}
        request = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": 4711, "cert_req": True})
        return checked_token(self._tsa.respond(request.dump()), Asked("own", digest, 4711))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def root(token: Token, kind: str, now: datetime) -> Root:
    """Issuer and signer are keys of different kinds."""
    return Root(token, ANOTHER[kind], now)


@pytest.fixture
def signer(token: Token, kind: str, root: Root) -> TokenSigner:
    return TokenSigner(token, kind, root)


@pytest.fixture
def tsa(token: Token, kind: str, root: Root, now: datetime) -> OwnAuthority:
    return OwnAuthority(TokenSigner(token, kind, root, ExtendedKeyUsageOID.TIME_STAMPING), now)


def by_our_engine(pdf: bytes, root: Root, now: datetime):
    at = now + timedelta(minutes=1)
    anchors = {Purpose.OFFICERS: [root.certificate], Purpose.TIMESTAMPS: [root.certificate]}
    return verify(pdf, Policy(anchors, at, crls=[root.crl(now + timedelta(seconds=30))]))


def by_pyhanko(pdf: bytes, root: Root, now: datetime):
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(root.certificate)], moment=now + timedelta(minutes=1)
    )
    embedded = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    return [validate_pdf_signature(each, context, ts_validation_context=context) for each in embedded]


def test_a_document_and_its_timestamp_are_signed_and_read_by_two_readers(
    signer: TokenSigner, tsa: OwnAuthority, root: Root, make_pdf: Callable[..., bytes], now: datetime
) -> None:
    request = SignatureRequest(field="签名", signed_at=now, level=Level.B_T)
    once = sign(make_pdf(), request, signer, timestamper=tsa)
    twice = sign(once, SignatureRequest(field="复核", signed_at=now, level=Level.B_T), signer, timestamper=tsa)
    report = by_our_engine(twice, root, now)
    assert (report.verdict, report.reason) == (Verdict.PASSED, "passed_signature")
    assert [each.time_source for each in report.signatures] == ["timestamp", "timestamp"]
    for status in by_pyhanko(twice, root, now):
        assert status.intact
        assert status.valid
        assert status.trusted
        assert status.timestamp_validity.valid
        assert status.timestamp_validity.trusted


def test_in_three_steps_and_from_file_to_file_the_same(
    signer: TokenSigner, kind: str, root: Root, make_pdf: Callable[..., bytes], now: datetime, tmp_path: Path
) -> None:
    pdf, request = make_pdf(), SignatureRequest(field="签名", signed_at=now)
    prepared = prepare(pdf, request, signer.certificate, signer.chain)
    prepared.check()
    value = signer.sign(prepared.signed_attributes, signer_mechanism(kind))
    stepwise = complete(prepared, value, certificate=signer.certificate, chain=signer.chain)
    (tmp_path / "in.pdf").write_bytes(pdf)
    sign_file(tmp_path / "in.pdf", tmp_path / "out.pdf", request, signer)
    for signed in (stepwise, (tmp_path / "out.pdf").read_bytes()):
        assert by_our_engine(signed, root, now).signatures[0].integrity == "intact"
        assert by_pyhanko(signed, root, now)[0].valid


def signer_mechanism(kind: str) -> Mechanism:
    if kind == "ed25519":
        return Mechanism.ED25519
    return Mechanism.RSA_PKCS1_SHA256 if kind.startswith("rsa") else Mechanism.ECDSA_SHA256


def test_ed25519_goes_with_sha512_in_a_cms(token: Token, make_pdf: Callable[..., bytes], now: datetime) -> None:
    """RFC 8419, 3.1: the digest of the content is SHA-512, the algorithm id-Ed25519 without parameters."""
    key = TokenSigner(token, "ed25519", Root(token, "p256", now))
    signed = sign(make_pdf(), SignatureRequest(field="签名", signed_at=now), key)
    contents = PdfFileReader(io.BytesIO(signed)).embedded_signatures[0].pkcs7_content
    found = cms.ContentInfo.load(contents)["content"]
    (info,) = found["signer_infos"]
    assert found["digest_algorithms"][0]["algorithm"].native == "sha512"
    assert info["digest_algorithm"]["algorithm"].native == "sha512"
    assert info["signature_algorithm"].native == {"algorithm": "ed25519", "parameters": None}
    (digest,) = [each["values"][0].native for each in info["signed_attrs"] if each["type"].native == "message_digest"]
    assert len(digest) == 64


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_byte_is_noticed_by_both_readers(
    signer: TokenSigner, root: Root, make_pdf: Callable[..., bytes], now: datetime
) -> None:
    signed = bytearray(sign(make_pdf(), SignatureRequest(field="签名", signed_at=now), signer))
    place = signed.index(b"595.276")
    signed[place : place + 1] = b"6"
    assert by_our_engine(bytes(signed), root, now).signatures[0].integrity == "broken"
    assert not by_pyhanko(bytes(signed), root, now)[0].intact


@pytest.mark.parametrize(("kind", "wanted", "is_met"), [("ed25519", "SHA512", True), ("ed25519", "SHA256", False)])
def test_a_field_that_names_its_digest_is_filled_or_refused(
    signer: TokenSigner, root: Root, make_pdf: Callable[..., bytes], now: datetime, wanted: str, is_met: bool
) -> None:
    pdf = with_seed_value(make_pdf(), wanted)
    request = SignatureRequest(field="盖章处", signed_at=now)
    if is_met:
        assert by_pyhanko(sign(pdf, request, signer), root, now)[0].valid
    else:
        with pytest.raises(FieldRefused, match="demands"):
            sign(pdf, request, signer)


def with_seed_value(pdf: bytes, digest: str) -> bytes:
    """An empty signature field whose seed value demands this digest (32000-1, 12.7.4.5: flag 64)."""
    document = pikepdf.open(io.BytesIO(pdf))
    seed = pikepdf.Dictionary(Ff=64, DigestMethod=pikepdf.Array([pikepdf.String(digest)]))
    field = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Sig, T=pikepdf.String("盖章处"),
        Rect=pikepdf.Array([0, 0, 0, 0]), SV=seed,
    )  # fmt: skip
    made = document.make_indirect(field)
    document.pages[0].Annots = pikepdf.Array([made])
    document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([made]))
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()
