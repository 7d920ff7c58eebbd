"""ECDSA signatures: raw r‖s as tokens give it, to the minimal DER of X.509 and CMS (RFC 3279, 2.2.3). Pure."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature


def raw_to_der(raw: bytes, order_size: int) -> bytes:
    """`raw` is r‖s, each of `order_size` bytes (32 for P-256). ValueError for any other length or a zero half."""
    if len(raw) != 2 * order_size:
        raise ValueError(f"raw ECDSA signature has {len(raw)} bytes, not {2 * order_size}")
    r, s = (int.from_bytes(half, "big") for half in (raw[:order_size], raw[order_size:]))
    if not r or not s:
        raise ValueError("raw ECDSA signature with a zero half")
    return encode_dss_signature(r, s)


def minimal_der(signature: bytes, order_size: int) -> bytes:
    """The signature as minimal DER, from raw r‖s or from DER (some modules answer so). ValueError otherwise."""
    if len(signature) == 2 * order_size:
        return raw_to_der(signature, order_size)
    return encode_dss_signature(*decode_dss_signature(signature))
