"""Evidence answers: a compact JWS (RFC 7515, ES256) whose signature comes from a key elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from cert_registry.errors import RegistryError, Text
from cert_registry.web.parts import EVIDENCE_TYPE, Evidence


class EvidenceUnavailable(RegistryError):
    code = "evidence_unavailable"

    def __init__(self) -> None:
        super().__init__(
            Text("暂时不能签发查验回执。", "Signed evidence cannot be given at the moment."),
            advice=Text("请稍后用同一请求重试。", "Send the same request again later."),
        )


def evidence_signer(certificate: bytes, sign: Callable[[bytes], bytes]) -> Evidence:
    """`certificate`: DER, of a P-256 key; `sign`: JWS signing input to an ECDSA signature in DER (SHA-256).

    The header names the certificate by x5t#S256, so that a verifier takes it from where it was published.
    """
    thumbprint = _packed(hashlib.sha256(certificate).digest())

    def make(claims: Mapping[str, Any], kind: str = EVIDENCE_TYPE) -> str:
        header = _json({"alg": "ES256", "typ": kind, "x5t#S256": thumbprint})
        content = f"{header}.{_json(claims)}"
        r, s = decode_dss_signature(sign(content.encode()))
        return f"{content}.{_packed(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return make


def _json(value: Mapping[str, Any]) -> str:
    return _packed(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
