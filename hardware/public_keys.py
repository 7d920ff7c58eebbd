"""Public keys out of PKCS#11 attributes, as DER SubjectPublicKeyInfo. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from .cryptoki.attributes import number_of
from .cryptoki.codes import Attr, KeyType
from .errors import KeyTypeUnsupported

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

P256 = bytes.fromhex("06082a8648ce3d030107")
P384 = bytes.fromhex("06052b81040022")
SM2_CURVE = bytes.fromhex("06082a811ccf5501822d")
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
_NAMES = {P256: "P-256", P384: "P-384", SM2_CURVE: "SM2"}
_EDWARDS25519 = (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519")
_POINT_BYTES = {P256: 65, P384: 97, SM2_CURVE: 65, **dict.fromkeys(_EDWARDS25519, 32)}


def der(tag: int, content: bytes) -> bytes:
    """One DER element with a single-byte tag."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def point_of(value: bytes, curve: bytes = b"") -> bytes:
    """The point in CKA_EC_POINT, which modules give raw or wrapped in an OCTET STRING (pkcs11-curr 2.3.3).

    The tag of an OCTET STRING is also the first byte of an uncompressed point: one raw P-384 point in 256 looks
    wrapped, so that the length that `curve` wants decides where it is known.
    """
    if len(value) == _POINT_BYTES.get(curve):
        return value
    if len(value) > 2 and value[0] == 0x04:
        start = 2 if value[1] < 0x80 else 2 + (value[1] & 0x7F)
        if value == der(0x04, value[start:]):
            return value[start:]
    return value


def public_key_info(attributes: Mapping[Attr, bytes]) -> bytes:
    """SubjectPublicKeyInfo of a key object; b"" where the attributes do not tell.

    A curve that `cryptography` does not know (SM2) is carried as it stands.
    """
    kind = number_of(attributes, Attr.KEY_TYPE)
    if kind == KeyType.RSA:
        return _rsa(attributes.get(Attr.MODULUS, b""), attributes.get(Attr.PUBLIC_EXPONENT, b""))
    curve = attributes.get(Attr.EC_PARAMS, b"")
    point = point_of(attributes.get(Attr.EC_POINT, b""), curve)
    if not point:
        return b""
    if kind == KeyType.EC_EDWARDS and len(point) == 32 and curve in (*_EDWARDS25519, b""):
        return _encode(ed25519.Ed25519PublicKey.from_public_bytes(point))
    if not curve or kind == KeyType.EC_EDWARDS:
        return b""
    return der(0x30, der(0x30, _EC_PUBLIC_KEY + curve) + der(0x03, b"\x00" + point))


def _rsa(modulus: bytes, exponent: bytes) -> bytes:
    if not modulus or not exponent:
        return b""
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    try:
        return _encode(numbers.public_key())
    except ValueError:
        return b""


def _encode(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=256)
def load_public_key(info: bytes) -> PublicKeyTypes:
    """The `cryptography` key; KeyTypeUnsupported, by name, for what that library does not know (SM2)."""
    try:
        key = load_der_public_key(info)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyTypeUnsupported(kind=algorithm_name(info)) from error
    return key


def is_canonical(info: bytes) -> bool:
    """Whether the info of an RSA key or uncompressed point is written as we write it, so that bytes compare keys."""
    algorithm, rest = info[4:19], info[19:]
    if info[:2] == b"\x30\x82" and algorithm == _RSA_ALGORITHM:
        return rest[:1] == b"\x03"
    return any(
        info == der(0x30, der(0x30, _EC_PUBLIC_KEY + curve) + der(0x03, b"\x00" + info[-points:]))
        and info[-points] == 0x04
        for curve, points in ((P256, 65), (P384, 97), (SM2_CURVE, 65))
        if len(info) > points
    )


def pem(info: bytes) -> str:
    """A SubjectPublicKeyInfo in PEM, also of a kind that is not known here."""
    text = base64.b64encode(info).decode("ascii")
    lines = [text[place : place + 64] for place in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def key_type_of(info: bytes) -> int:
    """The CKK number for a SubjectPublicKeyInfo; -1 if it is of another kind."""
    name = algorithm_name(info)
    if name == "Ed25519":
        return int(KeyType.EC_EDWARDS)
    return int(KeyType.RSA) if name.startswith("RSA") else int(KeyType.EC) if name.startswith(("P-", "secp")) else -1


def algorithm_name(info: bytes) -> str:
    """`RSA-2048`, `P-256`, `SM2`, … of a SubjectPublicKeyInfo; "?" if it cannot be told."""
    for curve, name in _NAMES.items():
        if _EC_PUBLIC_KEY + curve in info[:40]:
            return name
    try:
        key = load_der_public_key(info)
    except (ValueError, UnsupportedAlgorithm):
        return "?"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__
