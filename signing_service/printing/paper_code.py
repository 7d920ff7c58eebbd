"""The paper code (核验二维码): made with a key in custody, read with a list of public keys. Pure; no network, no clock.

Text form: address prefix (lower case) + unpadded Base32 of the COSE_Sign1 (upper case).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from signing_service.printing.claims import Claims
from signing_service.printing.cose import SignCallable, load_claims, parse_sign1, sign1
from signing_service.printing.errors import (
    BadCodeSignature,
    CodeExpired,
    CodeKeyUnfit,
    CodeMalformed,
    CodeTruncated,
    KeyListUnreadable,
    KeyNotInForce,
    NotOurCode,
    StaleKeyList,
    UnknownKey,
    WrongPrefix,
)
from signing_service.printing.short_code import short_code_of

KEY_ID_BYTES = 8
LONGEST_TEXT = 4096
LIST_GOOD_FOR = timedelta(days=7)
_BASE32 = re.compile(r"[A-Z2-7]*")
_BASE32_LENGTHS = frozenset({0, 2, 4, 5, 7})
"""Lengths modulo 8 that unpadded Base32 can have (RFC 4648 6)."""


@dataclass(frozen=True, slots=True)
class CodeKey:
    """A public key for codes. `until` is when it stops signing, not when its codes end; None while it signs."""

    public_key: ec.EllipticCurvePublicKey
    begin: datetime
    until: datetime | None = None

    @property
    def key_id(self) -> bytes:
        """The first eight octets of the SHA-256 of its SubjectPublicKeyInfo."""
        return hashlib.sha256(self.encoded).digest()[:KEY_ID_BYTES]

    @property
    def encoded(self) -> bytes:
        return self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def from_der(cls, encoded: bytes, begin: datetime, until: datetime | None = None) -> CodeKey:
        """Raises CodeKeyUnfit unless it is a P-256 key."""
        try:
            key = load_der_public_key(encoded)
        except (ValueError, UnsupportedAlgorithm) as failure:
            raise CodeKeyUnfit(str(failure)) from failure
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise CodeKeyUnfit("it is not on P-256")
        return cls(key, begin, until)


@dataclass(frozen=True, slots=True)
class KeyList:
    """All keys, present and past, as published at an instant: the trust file of `zhengyin verify --code`."""

    keys: tuple[CodeKey, ...]
    published_at: datetime

    def candidates(self, key_id: bytes) -> list[CodeKey]:
        return [key for key in self.keys if key.key_id == key_id]

    def as_json(self) -> dict[str, Any]:
        return {
            "published_at": self.published_at.astimezone(UTC).isoformat(),
            "keys": [
                {
                    "key_id": key.key_id.hex(),
                    "spki": base64.b64encode(key.encoded).decode(),
                    "begin": key.begin.astimezone(UTC).isoformat(),
                    "until": None if key.until is None else key.until.astimezone(UTC).isoformat(),
                }
                for key in self.keys
            ],
        }

    @classmethod
    def from_json(cls, content: str | bytes | Mapping[str, Any]) -> KeyList:
        """Raises KeyListUnreadable."""
        try:
            entries = content if isinstance(content, Mapping) else json.loads(content)
            keys = tuple(_key(entry) for entry in entries["keys"])
            return cls(keys, _instant(entries["published_at"]))
        except (KeyError, TypeError, ValueError, CodeKeyUnfit) as failure:
            raise KeyListUnreadable(f"{type(failure).__name__}: {failure}") from failure


@dataclass(frozen=True, slots=True)
class PaperCode:
    """A code that was made, or that was read and verified. `text` is what the symbol holds."""

    claims: Claims
    key_id: bytes
    prefix: str
    payload: str

    @property
    def text(self) -> str:
        return self.prefix + self.payload

    @property
    def short_code(self) -> str:
        """What stands beside it in print, to be typed: XXXX-XXXX-XXXX."""
        return short_code_of(self.payload)


def make_code(claims: Claims, key: CodeKey, sign: SignCallable, prefix: str) -> PaperCode:
    """Sign the claims. `prefix`: such as https://host/c/, lower case. Raises CodeKeyUnfit."""
    signed = sign1(claims.as_cwt(), key.key_id, key.public_key, sign)
    payload = base64.b32encode(signed.encode()).decode().rstrip("=")
    return PaperCode(claims, key.key_id, prefix.lower(), payload)


def read_code(text: str, keys: KeyList, prefix: str, *, now: datetime) -> PaperCode:
    """Verify a scanned code, in this order; raises the first refusal.

    1. our address (NotOurCode, WrongPrefix), 2. whole and well-formed (CodeTruncated, CodeMalformed), 3. a list of keys
    not older than seven days (StaleKeyList: a key may have come or gone since) and on it the code's key (UnknownKey),
    4. the signature, by any key of that id (BadCodeSignature), 5. key in force when the code was made (KeyNotInForce),
    6. not expired (CodeExpired). The browser does the same (cert_registry/web/static/paper-code.js).
    """
    payload = payload_in(text.strip(), prefix)  # 1
    signed = parse_sign1(_decoded(payload))  # 2
    claims = _claims(signed.payload)
    candidates = keys.candidates(signed.key_id)  # 3
    if now - keys.published_at > LIST_GOOD_FOR:
        raise StaleKeyList
    if not candidates:
        raise UnknownKey
    signers = [key for key in candidates if signed.is_signed_by(key.public_key)]  # 4
    if not signers:
        raise BadCodeSignature
    if not any(_was_in_force(key, claims.issued_at) for key in signers):  # 5
        raise KeyNotInForce
    if claims.expires_at is not None and now > claims.expires_at:  # 6
        raise CodeExpired(claims.expires_at)
    return PaperCode(claims, signed.key_id, prefix.lower(), payload)


def payload_in(text: str, prefix: str) -> str:
    """The payload of a scanned text. Schemes and hosts compare without case, since some scanners change it.

    Raises NotOurCode, WrongPrefix.
    """
    if len(text) > LONGEST_TEXT:
        raise NotOurCode
    if text[: len(prefix)].lower() == prefix.lower():
        return text[len(prefix) :].strip().upper()
    match = re.match(r"(?i)(https?://[^/\s]+)/c/[A-Z2-7]", text)
    if match:
        raise WrongPrefix(match[1].lower())
    raise NotOurCode


def _decoded(payload: str) -> bytes:
    if not _BASE32.fullmatch(payload):
        raise CodeMalformed
    if not payload or len(payload) % 8 not in _BASE32_LENGTHS:
        raise CodeTruncated
    decoded = base64.b32decode(payload + "=" * (-len(payload) % 8))
    if base64.b32encode(decoded).decode().rstrip("=") != payload:
        raise CodeTruncated
    return decoded


def _claims(payload: bytes) -> Claims:
    try:
        return Claims.from_cwt(load_claims(payload))
    except (KeyError, TypeError, ValueError, OverflowError) as failure:
        raise CodeMalformed from failure


def _was_in_force(key: CodeKey, at: datetime) -> bool:
    return key.begin <= at and (key.until is None or at <= key.until)


def _key(entry: Mapping[str, Any]) -> CodeKey:
    until = entry["until"]
    spki = base64.b64decode(entry["spki"], validate=True)
    return CodeKey.from_der(spki, _instant(entry["begin"]), None if until is None else _instant(until))


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time without a zone")
    return instant
