"""Where things are on a PIV card: key references, certificate objects, algorithms (SP 800-73-4 part 1, 800-78-4)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .apdu import parse, tlv

PIN, PUK, MANAGEMENT = 0x80, 0x81, 0x9B
CHUID = 0x5FC102
# Factory values, printed in every manual: whoever holds a fresh card knows them.
FACTORY_PIN, FACTORY_PUK = "123456", "12345678"
FACTORY_MANAGEMENT_KEY = bytes.fromhex("010203040506070801020304050607080102030405060708")
# The FASC-N of cards outside the federal agencies, all nines (SP 800-73-4 part 1, table 9).
_FASC_N = bytes.fromhex("d4e739da739ced39ce739d836858210842108421c84210c3eb")
_RSA = {"rsa2048": 0x07, "rsa3072": 0x05, "rsa4096": 0x16}
_CURVES: dict[str, tuple[int, type[ec.EllipticCurve]]] = {
    "p256": (0x11, ec.SECP256R1),
    "p384": (0x14, ec.SECP384R1),
}
_ED25519 = 0xE0
ALGORITHMS = {**_RSA, **{kind: number for kind, (number, _) in _CURVES.items()}, "ed25519": _ED25519}


@dataclass(frozen=True, slots=True)
class Place:
    """One place for a key and its certificate: `id` is the CKA_ID that PKCS#11 modules give it."""

    id: bytes
    key: int
    certificate: int


PLACES = {
    place.id: place
    for place in (
        Place(b"\x01", 0x9A, 0x5FC105),
        Place(b"\x02", 0x9C, 0x5FC10A),
        Place(b"\x03", 0x9D, 0x5FC10B),
        Place(b"\x04", 0x9E, 0x5FC101),
        *(Place(bytes([5 + number]), 0x82 + number, 0x5FC10D + number) for number in range(20)),
    )
}


def certificate_object(der: bytes) -> bytes:
    """The content of a certificate object: uncompressed (SP 800-73-4 part 1, table 10)."""
    return tlv(0x70, der) + tlv(0x71, b"\x00") + tlv(0xFE, b"")


def new_chuid() -> bytes:
    """A card holder identifier with a GUID of its own, from which modules take the card's serial."""
    return tlv(0x30, _FASC_N) + tlv(0x34, os.urandom(16)) + tlv(0x35, b"20501231") + tlv(0x3E, b"") + tlv(0xFE, b"")


def public_key_info(algorithm: int, content: bytes) -> bytes:
    """DER SubjectPublicKeyInfo of a public key as the card gives it. ValueError for a kind that is not known here."""
    parts = parse(content)
    if algorithm in _RSA.values():
        numbers = rsa.RSAPublicNumbers(int.from_bytes(parts[0x82], "big"), int.from_bytes(parts[0x81], "big"))
        return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if algorithm == _ED25519:
        edwards = ed25519.Ed25519PublicKey.from_public_bytes(parts[0x86])
        return edwards.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    curve = next((kind for number, kind in _CURVES.values() if number == algorithm), None)
    if curve is None:
        raise ValueError(f"algorithm {algorithm:02X}")
    point = ec.EllipticCurvePublicKey.from_encoded_point(curve(), parts[0x86])
    return point.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
