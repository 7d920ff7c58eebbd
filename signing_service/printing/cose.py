"""COSE_Sign1 with ES256 (RFC 9052 4.2, RFC 9053 2.1) over CWT claims, in deterministic encoding (RFC 8949 4.2.1)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signing_service.printing.errors import CodeKeyUnfit, CodeMalformed, CodeTruncated

ES256, ALGORITHM, KEY_ID, SIGN1_TAG = -7, 1, 4, 18
SIGNATURE_BYTES = 64

SignCallable = Callable[[bytes], bytes]
"""Signs a Sig_structure with ECDSA P-256 / SHA-256; returns raw r || s or DER."""


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 in parts. `protected` is the encoded header, `payload` the encoded claims."""

    protected: bytes
    payload: bytes
    signature: bytes
    key_id: bytes

    def encode(self) -> bytes:
        return cbor2.dumps(cbor2.CBORTag(SIGN1_TAG, [self.protected, {}, self.payload, self.signature]))

    @property
    def sig_structure(self) -> bytes:
        return sig_structure(self.protected, self.payload)

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        r, s = (int.from_bytes(self.signature[at : at + 32], "big") for at in (0, 32))
        try:
            key.verify(encode_dss_signature(r, s), self.sig_structure, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """What is signed: ["Signature1", protected, external_aad = h'', payload]."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def sign1(claims: dict[int, Any], key_id: bytes, public_key: ec.EllipticCurvePublicKey, sign: SignCallable) -> Sign1:
    """Sign the claims and check the signature at once. Raises CodeKeyUnfit."""
    protected = cbor2.dumps({ALGORITHM: ES256, KEY_ID: key_id}, canonical=True)
    payload = cbor2.dumps(claims, canonical=True)
    made = sign(sig_structure(protected, payload))
    for signature in _readings(made):
        signed = Sign1(protected, payload, signature, key_id)
        if signed.is_signed_by(public_key):
            return signed
    raise CodeKeyUnfit("the signature does not verify with the key's public key")


def parse_sign1(encoded: bytes) -> Sign1:
    """Raises CodeTruncated, CodeMalformed (also for any other encoding than `Sign1.encode` writes)."""
    tagged = _load(encoded)
    if not isinstance(tagged, cbor2.CBORTag) or tagged.tag != SIGN1_TAG:
        raise CodeMalformed
    match tagged.value:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
            pass
        case _:
            raise CodeMalformed
    header = _load(protected)
    key_id = header.get(KEY_ID) if isinstance(header, dict) else None
    if unprotected or header != {ALGORITHM: ES256, KEY_ID: key_id} or not isinstance(key_id, bytes):
        raise CodeMalformed
    if len(signature) != SIGNATURE_BYTES:
        raise CodeMalformed
    parsed = Sign1(protected, payload, signature, key_id)
    if parsed.encode() != encoded:
        raise CodeMalformed
    return parsed


def load_claims(payload: bytes) -> dict[int, Any]:
    """The claims map in its one encoding. Raises CodeTruncated, CodeMalformed."""
    claims = _load(payload)
    if not isinstance(claims, dict) or cbor2.dumps(claims, canonical=True) != payload:
        raise CodeMalformed
    return claims


def _load(encoded: bytes) -> Any:
    stream = io.BytesIO(encoded)
    try:
        value = cbor2.load(stream)
    except cbor2.CBORDecodeEOF:
        raise CodeTruncated from None
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError) as failure:
        raise CodeMalformed from failure
    if stream.read(1):
        raise CodeMalformed
    return value


def _readings(made: bytes) -> list[bytes]:
    """The signature as raw r || s: as it is, and as DER."""
    found = [made] if len(made) == SIGNATURE_BYTES else []
    try:
        r, s = decode_dss_signature(made)
        found.append(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    except (ValueError, OverflowError):
        pass
    return found
