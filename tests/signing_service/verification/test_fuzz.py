"""Every way in, with mutated real inputs: only named refusals come out, and nothing forged is believed."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import typer
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pdf_bytes import document
from pki_world import Revoked, revocation_list
from sealed_files import SIGNED, sign
from test_hostile import PIECES, sound

from cert_registry.licences.errors import BadCheckCharacter, IdentifierMalformed
from cert_registry.licences.identifiers import LicenceIdentifier
from cli.verify_policy import build_policy, read_certificates
from signing_service.printing.errors import CodeRefusal, KeyListUnreadable
from signing_service.printing.paper_code import KeyList, read_code
from signing_service.verification.apart import judge_timestamp
from signing_service.verification.certificates import load
from signing_service.verification.chain import TrustStore
from signing_service.verification.container import read_container, read_timestamp
from signing_service.verification.engine import verify
from signing_service.verification.errors import UnreadableCms, UnsupportedAlgorithm
from signing_service.verification.reasons import Verdict
from signing_service.verification.revocation import RevocationData

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
SOME = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
CONTENTS = re.compile(rb"/Contents <([0-9a-fA-F]+)>")


def mutated(draw, original: bytes, pieces: list[bytes] | None = None) -> bytes:
    """A few bytes overwritten, taken out, doubled or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(["set", "insert", "delete", "double", "flip"]))
        piece = draw(st.sampled_from(pieces)) if pieces and draw(st.booleans()) else draw(st.binary(max_size=6))
        if how == "set":
            data[place : place + len(piece)] = piece
        elif how == "insert":
            data[place:place] = piece
        elif how == "delete":
            del data[place : place + draw(st.integers(1, 40))]
        elif how == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 40))]
        elif data:
            data[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def container_of(pdf: bytes) -> bytes:
    match = CONTENTS.search(pdf)
    assert match
    return bytes.fromhex(match[1].decode()).rstrip(b"\0")


@SOME
@given(st.data())
def test_containers(sealed, policy, data):
    original = container_of(sealed)
    changed = mutated(data.draw, original)
    with suppress(UnreadableCms, UnsupportedAlgorithm):
        read_timestamp(read_container(changed))
    room = CONTENTS.search(sealed)
    assert room
    value = changed.hex().encode()[: len(room[1])].ljust(len(room[1]), b"0")
    report = verify(sealed[: room.start(1)] + value + sealed[room.end(1) :], policy)
    sound(report)
    assert all(not check.detail.startswith("Error") for one in report.signatures for check in one.checks)


@SOME
@given(st.data())
def test_timestamp_tokens(sealed, policy, world, data):
    signer = cms.ContentInfo.load(container_of(sealed))["content"]["signer_infos"][0]
    token = signer["unsigned_attrs"][0]["values"][0].dump()
    changed = mutated(data.draw, token)
    found = judge_timestamp(changed, signer["signature"].native, policy, [world.times.der])
    assert found.state in ("good", "bad", "untrusted", "unsupported")
    assert found.state != "good" or found.time == SIGNED


def asked(policy, world, crls=(), responses=()):
    store = TrustStore(policy)
    return RevocationData(crls, responses, store).standing(
        load(world.seal.der), load(world.seals.der), SIGNED, NOW, timedelta(hours=1)
    )


@pytest.fixture(scope="module")
def saying_revoked(world) -> bytes:
    return revocation_list(world.seals, NOW - timedelta(hours=1), Revoked(world.seal, SIGNED - timedelta(days=1)))


@SOME
@given(st.data())
def test_revocation_lists(saying_revoked, policy, world, data):
    """A list that says revoked is never turned into one that says good."""
    assert asked(policy, world, [saying_revoked]).state == "revoked"
    assert asked(policy, world, [mutated(data.draw, saying_revoked)]).state in ("revoked", "unknown")


def test_a_version_that_nobody_knows_is_not_read(saying_revoked, policy, world):
    """Found by the test above: the library has an error of its own for it."""
    start = saying_revoked.index(b"\x02\x01\x01")
    unknown = saying_revoked[: start + 2] + b"\x00" + saying_revoked[start + 3 :]
    assert asked(policy, world, [unknown]).state == "unknown"
    der = world.seal.der
    start = der.index(b"\xa0\x03\x02\x01\x02")
    assert load(der) is not None
    assert load(der[: start + 4] + b"\x09" + der[start + 5 :]) is None


@pytest.fixture(scope="module")
def answering_revoked(world) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=world.seal.certificate, issuer=world.seals.certificate, algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.REVOKED, this_update=NOW - timedelta(hours=1),
        next_update=NOW + timedelta(days=1), revocation_time=SIGNED - timedelta(days=1),
        revocation_reason=x509.ReasonFlags.superseded,
    )  # fmt: skip
    built = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, world.seals.certificate)
    return built.sign(world.seals.key, hashes.SHA256()).public_bytes(Encoding.DER)


@SOME
@given(st.data())
def test_ocsp_responses(answering_revoked, policy, world, data):
    assert asked(policy, world, responses=[answering_revoked]).state == "revoked"
    changed = mutated(data.draw, answering_revoked)
    assert asked(policy, world, responses=[changed]).state in ("revoked", "unknown")


@SOME
@given(st.data())
def test_certificates_and_trust_files(world, tmp_path_factory, data):
    pem = world.root.certificate.public_bytes(Encoding.PEM)
    original = data.draw(st.sampled_from([pem, pem * 2, world.root.der, b""]))
    changed = mutated(data.draw, original, [b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"\n"])
    load(changed)
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(changed)
    with suppress(typer.BadParameter):
        read_certificates(path)


@SOME
@given(st.data())
def test_crl_files(saying_revoked, policy, world, tmp_path_factory, data):
    pem = x509.load_der_x509_crl(saying_revoked).public_bytes(Encoding.PEM)
    changed = mutated(
        data.draw, data.draw(st.sampled_from([saying_revoked, pem])), [b"-----BEGIN X509 CRL-----", b"-----END "]
    )
    folder = tmp_path_factory.mktemp("home")
    (folder / "a.crl").write_bytes(changed)
    try:
        read = build_policy(folder, [], [folder / "a.crl"], NOW).crls
    except typer.BadParameter:
        return
    assert asked(policy, world, read).state in ("revoked", "unknown")


@SOME
@given(st.data())
def test_documents_of_many_producers(corpora, policy, data):
    name = data.draw(st.sampled_from(FILES))
    original = (corpora / "signed-good" / name).read_bytes()
    report = verify(mutated(data.draw, original, PIECES), replace(policy, crls=[]))
    sound(report)
    assert report.verdict is not Verdict.PASSED


FILES = [
    "qpdf-minimal-signed-restricted.pdf", "signpdf-signed.pdf", "pyhanko-minimal-signed-twice-no-sig-type.pdf",
    "itext-fullCompressionModeLevel1.pdf", "pdfcpu-testPAdES_BB.pdf", "itext-linearizedDoc.pdf",
    "pyhanko-pades-lta-dss-indirect-arrs-test.pdf",
]  # fmt: skip
KEYS = KeyList((), NOW)


@SOME
@given(st.text(max_size=60), st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", max_size=400))
def test_paper_codes(text, payload):
    for given_text in (text, payload, f"https://zw.example.cn/c/{payload}", f"https://zw.example.cn/c/{text}"):
        with pytest.raises(CodeRefusal):
            read_code(given_text, KEYS, "https://zw.example.cn/c/", now=NOW)


@SOME
@given(
    st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(max_size=20), st.just("keys"), st.just("published_at")),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["keys", "published_at", "spki", "key_id", "begin", "until"]), inner)
            ),
            max_leaves=12,
        ),
    )
)
def test_key_lists(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with suppress(KeyListUnreadable):
        KeyList.from_json(raw)


@SOME
@given(st.one_of(st.text(max_size=120), st.from_regex(r"1\.2\.156\.3005\.2(\.[0-9A-Z]{0,30}){0,6}", fullmatch=True)))
def test_licence_identifiers(text):
    with suppress(IdentifierMalformed, BadCheckCharacter):
        assert str(LicenceIdentifier.parse(text))


@SOME
@given(st.data())
def test_certificates_inside_a_signature(world, policy, data):
    """The signer's certificate is not covered by the value: only by the attribute that names it."""
    changed = mutated(data.draw, world.seal.der)
    if changed == world.seal.der or load(changed) is None:
        return
    pdf = SEALED_ONCE.setdefault("pdf", sign(document(), world, world.seal, stamped=None))
    room = CONTENTS.search(pdf)
    assert room
    value = room[1].lower().replace(world.seal.der.hex().encode(), changed.hex().encode())
    report = verify(pdf[: room.start(1)] + value[: len(room[1])].ljust(len(room[1]), b"0") + pdf[room.end(1) :], policy)
    sound(report)
    assert report.verdict is not Verdict.PASSED


SEALED_ONCE: dict[str, bytes] = {}
