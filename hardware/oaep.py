"""RSA-OAEP decoding in software (RFC 8017, 7.1.2), for tokens that offer only raw RSA. Pure.

SoftHSM's own OAEP knows SHA-1 alone, so the block is decrypted raw on the token and decoded here.
"""

from __future__ import annotations

import hashlib
import hmac

_SIZE = 32


def decode(block: bytes) -> bytes:
    """The message in `block` (as long as the modulus) under OAEP with SHA-256 and an empty label. ValueError if bad.

    All checks are made before any of them is reported, so that a caller cannot tell which failed.
    """
    if len(block) < 2 * _SIZE + 2:
        raise ValueError("block too short")
    masked_seed, masked_data = block[1 : 1 + _SIZE], block[1 + _SIZE :]
    seed = _xor(masked_seed, _mgf1(masked_data, _SIZE))
    data = _xor(masked_data, _mgf1(seed, len(masked_data)))
    expected = hashlib.sha256(b"").digest()
    label_ok = hmac.compare_digest(data[:_SIZE], expected)
    rest = data[_SIZE:].lstrip(b"\x00")
    if not (label_ok & (block[0] == 0) & (rest[:1] == b"\x01")):
        raise ValueError("decryption error")
    return rest[1:]


def _mgf1(seed: bytes, length: int) -> bytes:
    count = -(-length // _SIZE)
    return b"".join(hashlib.sha256(seed + index.to_bytes(4, "big")).digest() for index in range(count))[:length]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
