"""Notes as C2SP defines them, with a published example; every altered note is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from signing_service.evidence.checkpoint import Checkpoint, CheckpointInvalid, key_id, opened, parsed, signed

POINT = Checkpoint("log.example.test", 7, bytes(range(32)))
# The Go checksum database: its published verifier key and one of its signed tree heads.
GO_NAME, GO_KEY = "sum.golang.org", base64.b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
GO_KEY_ID = bytes.fromhex("033de0ae")


def test_the_key_id_of_a_published_log() -> None:
    assert GO_KEY[0] == 1
    assert key_id(GO_NAME, Ed25519PublicKey.from_public_bytes(GO_KEY[1:])) == GO_KEY_ID


def ed25519_note() -> tuple[str, Ed25519PublicKey]:
    key = Ed25519PrivateKey.generate()
    return signed(POINT, key.public_key(), key.sign), key.public_key()


def test_both_kinds_of_keys() -> None:
    note, key = ed25519_note()
    assert opened(note, key) == POINT
    on_curve = generate_private_key(SECP256R1())
    note = signed(POINT, on_curve.public_key(), lambda body: on_curve.sign(body, ECDSA(SHA256())))
    assert opened(note, on_curve.public_key()) == POINT


def test_another_witness_signature_beside_it_does_not_matter() -> None:
    note, key = ed25519_note()
    other = Ed25519PrivateKey.generate()
    line = signed(Checkpoint("witness", 7, POINT.root), other.public_key(), other.sign).splitlines()[-1]
    assert opened(f"{note}{line}\n", key) == POINT
    with pytest.raises(CheckpointInvalid):
        opened(note, other.public_key())


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("\n7\n", "\n8\n"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n-7\n"),
        ("log.example.test\n7", "other.example.test\n7"),
        ("AAECAwQ", "AAECAwU"),
        ("\n\n", "\n"),
        ("\n\n", "\nextra\n\n"),
        ("— ", "- "),
        ("=\n\n", "\n\n"),
    ],
)
def test_an_altered_note_is_refused(part: str, instead: str) -> None:
    note, key = ed25519_note()
    assert part in note
    with pytest.raises(CheckpointInvalid):
        opened(note.replace(part, instead, 1), key)


@pytest.mark.parametrize("text", ["", "\n\n", "x", "a\n1\nAA==\n\n— a AAAA\n", "\x00" * 70_000])
def test_anything_else_is_no_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        parsed(text)
