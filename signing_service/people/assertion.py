"""What a client assertion must say (RFC 7523, 3; RFC 7521, 4.2). Pure: text, keys and an instant in, claims out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from signing_service.people.client_keys import ALGORITHMS, LIFETIME_SECONDS, load_jwks
from signing_service.people.errors import OAuthRefused

MOST_BYTES = 8192
SKEW_SECONDS = 5
_MOST_JTI = 64


@dataclass(frozen=True, slots=True)
class Assertion:
    client_id: str
    jti: str
    expires_at: datetime


def claimed_client(text: str) -> str:
    """Who the assertion says it is from, before anything is proven: only to look the client's keys up."""
    try:
        if len(text) > MOST_BYTES:
            raise ValueError("too long")
        payload = jws.extract_compact(text.encode()).payload
        return str(json.loads(payload)["sub"])
    except (JoseError, ValueError, KeyError, TypeError) as failure:
        raise _refused("断言无法读取。", "The assertion cannot be read.") from failure


def check_assertion(text: str, jwks: Mapping[str, Any], audience: str, now: datetime) -> Assertion:
    """The numbered checks of RFC 7523, 3. Raises OAuthRefused (`invalid_client`)."""
    try:
        claims = jwt.decode(text, load_jwks(jwks), algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError) as failure:
        raise _refused("断言的签名不对。", "The assertion's signature is not valid.") from failure
    client = claims.get("sub")
    if not isinstance(client, str) or claims.get("iss") != client:  # 1, 2: iss and sub are the client
        raise _refused("iss 与 sub 应为客户端编号。", "iss and sub must both be the client's id.")
    if claims.get("aud") not in (audience, [audience]):  # 3: for us and nobody else
        raise _refused(f"aud 应为 {audience}。", f"aud must be {audience}.")
    expires = _lifetime(claims, now)  # 4, 5, 6: exp, nbf, iat
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 8 <= len(jti) <= _MOST_JTI:  # 7: usable once
        raise _refused("jti 应有 8 至 64 个字符。", "jti must have 8 to 64 characters.")
    return Assertion(client, jti, expires)


def _lifetime(claims: Mapping[str, Any], now: datetime) -> datetime:
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    begins = _instant(claims, "nbf") if "nbf" in claims else issued
    if not 0 < expires - issued <= LIFETIME_SECONDS:
        raise _refused("有效期应不超过 60 秒。", "It may be valid for at most 60 seconds.")
    if expires <= now.timestamp():
        raise _refused("断言已过期,请核对时钟。", "The assertion has expired; check the clock.")
    if max(issued, begins) > now.timestamp() + SKEW_SECONDS:
        raise _refused("断言尚未生效,请核对时钟。", "The assertion lies in the future; check the clock.")
    return datetime.fromtimestamp(expires, UTC)


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"缺少 {name}。", f"{name} is missing or not a number.")
    return value


def _refused(zh: str, en: str) -> OAuthRefused:
    return OAuthRefused("invalid_client", zh, en)
