"""An encrypted file whose strings were written anew with the same meaning was not modified."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import pikepdf
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pdf_bytes import document
from pki_world import World
from sealed_files import SIGNED

from hardware.ports import Mechanism
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.verification.encrypted_strings import decrypt_strings
from signing_service.verification.engine import verify
from signing_service.verification.policy import Policy
from signing_service.verification.syntax import Dictionary


@dataclass(frozen=True)
class SealKey:
    """The test world's seal as a signing key."""

    certificate: bytes
    chain: tuple[bytes, ...]
    key: ec.EllipticCurvePrivateKey

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        assert mechanism is Mechanism.ECDSA_SHA256
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def encrypted() -> bytes:
    """Permissions only (AES-256), with strings in the catalog, which each signature writes anew."""
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(document())) as pdf:
        label = pikepdf.Dictionary(S=pikepdf.Name.D, P=pikepdf.String("Annex "))
        pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, label]))
        pdf.save(target, encryption=pikepdf.Encryption(user="", owner="owner", R=6))
    return target.getvalue()


def test_two_signatures_in_an_encrypted_file_both_pass(world: World, make_policy: Callable[..., Policy]) -> None:
    key = SealKey(world.seal.der, (world.seals.der,), world.seal.key)
    signed = encrypted()
    for field in ("One", "Two"):
        signed = sign(signed, SignatureRequest(field=field, signed_at=SIGNED), key)
    report = verify(signed, make_policy())
    assert [entry.integrity for entry in report.signatures] == ["intact", "intact"]
    assert report.modified_after_signing is False


def test_signature_contents_and_cross_reference_streams_are_left_alone() -> None:
    def decrypt(raw: bytes) -> bytes:
        return raw.upper()

    signature = Dictionary(ByteRange=[0, 1], Contents=b"cms", Reason=b"ok", Kids=[b"a", Dictionary(T=b"b")])
    decrypt_strings(signature, decrypt)
    assert signature == {"ByteRange": [0, 1], "Contents": b"cms", "Reason": b"OK", "Kids": [b"A", {"T": b"B"}]}
    table = Dictionary(Type="XRef", ID=[b"id"])
    assert decrypt_strings(table, decrypt) == {"Type": "XRef", "ID": [b"id"]}
    assert decrypt_strings([b"x"], lambda _raw: (_ for _ in ()).throw(ValueError())) == [b"x"]
