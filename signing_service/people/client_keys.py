"""A client's keys: the public JWKS that is registered, and the assertion that proves its private key (RFC 7523)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import load_der_x509_certificate
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from signing_service.people.errors import KeySetRefused, OAuthRefused

ALGORITHMS = ("ES256", "RS256", "PS256")
LIFETIME_SECONDS = 60
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}
_MOST_KEYS = 10


def public_jwks(*keys: PublicKey) -> dict[str, Any]:
    """The JWKS of public keys, each named by its RFC 7638 thumbprint."""
    return {"keys": [_public_jwk(key) for key in keys]}


def client_assertion(client_id: str, audience: str, private_key: PrivateKey, *, at: datetime | None = None) -> str:
    """A fresh assertion for POST /oauth2/token: valid for 60 s, to be used once. The key may lie on a token."""
    issued = int((at or datetime.now(UTC)).timestamp())
    claims = {
        "iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_hex(16),
        "iat": issued, "exp": issued + LIFETIME_SECONDS,
    }  # fmt: skip
    is_elliptic = isinstance(private_key, ec.EllipticCurvePrivateKey)
    key: ECKey | RSAKey = ECKey.import_key(private_key) if is_elliptic else RSAKey.import_key(private_key)  # type: ignore[arg-type]
    kid = _public_jwk(private_key.public_key())["kid"]
    return jwt.encode({"alg": "ES256" if is_elliptic else "RS256", "kid": kid}, claims, key)


def checked_jwks(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The set as it is to be registered. Raises KeySetRefused: private or weak keys, other kinds, kids missing."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= _MOST_KEYS or not all(isinstance(k, dict) for k in keys):
        raise KeySetRefused(f"应有 1 至 {_MOST_KEYS} 个公钥。", f"It must hold 1 to {_MOST_KEYS} keys.")
    kids = [key.get("kid") for key in keys]
    if not all(isinstance(kid, str) and kid for kid in kids) or len(set(kids)) != len(kids):
        raise KeySetRefused("kid 缺失或重复。", "A kid is missing or used twice.")
    for key in keys:
        _check_key(key)
    return {"keys": [dict(key) for key in keys]}


def certificate_hash(certificate: bytes) -> str:
    """x5t#S256 of a DER certificate (RFC 8705, 3.1)."""
    return urlsafe_b64encode(sha256(certificate).digest()).decode().rstrip("=")


def require_certificate_key(certificate: bytes, jwks: Mapping[str, Any]) -> None:
    """RFC 8705, 2.2: the TLS certificate's key is one that the client registered; the TLS handshake has proven it.

    By the key, not by the certificate: a certificate that is renewed for the same key need not be registered again.
    Raises OAuthRefused.
    """
    try:
        key = load_der_x509_certificate(certificate).public_key()
    except ValueError as failure:
        raise OAuthRefused("invalid_client", "TLS 证书无法读取。", "The TLS certificate cannot be read.") from failure
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        wanted = _public_jwk(key)["kid"]
        if wanted in {loaded.thumbprint() for loaded in load_jwks(jwks).keys}:
            return
    raise OAuthRefused(
        "invalid_client",
        "TLS 证书的公钥未登记。",
        "The TLS certificate's key is not one of the client's registered keys.",
    )


def load_jwks(jwks: Mapping[str, Any]) -> KeySet:
    return KeySet.import_key_set({"keys": list(jwks["keys"])})


def _check_key(key: Mapping[str, Any]) -> None:
    if _PRIVATE_MEMBERS & key.keys():
        raise KeySetRefused("其中有私钥,私钥应留在本单位。", "It holds a private key; that stays with its owner.")
    try:
        if key.get("kty") == "EC" and key.get("crv") == "P-256":
            ECKey.import_key(dict(key))
            return
        if key.get("kty") == "RSA" and _modulus_bits(key) >= 2048:
            RSAKey.import_key(dict(key))
            return
    except (JoseError, ValueError, TypeError) as failure:
        raise KeySetRefused("公钥无法读取。", "A key cannot be read.") from failure
    raise KeySetRefused("公钥类型或长度不符合要求。", "A key is of another kind, or too short.")


def _modulus_bits(key: Mapping[str, Any]) -> int:
    return int.from_bytes(urlsafe_b64decode(str(key.get("n", "")) + "==")).bit_length()


def _public_jwk(key: PublicKey) -> dict[str, Any]:
    elliptic = isinstance(key, ec.EllipticCurvePublicKey)
    loaded: ECKey | RSAKey = ECKey.import_key(key) if elliptic else RSAKey.import_key(key)  # type: ignore[arg-type]
    return {**loaded.as_dict(private=False), "kid": loaded.thumbprint(), "use": "sig"}
