"""The server's own key towards agents: Ed25519, made once, kept in an owner-only file. Pairing pins it.

It only says "this reply is the paired server's"; it signs no document and no certificate.
"""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from signing_service.agent.protocol import key_fingerprint, reply_statement
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.blobs import write_atomically


class IdentityUnusable(SigningServiceError):
    code = "server_identity_unusable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"服务器身份密钥 {path} 不可用。", f"The server's identity key {path} cannot be used."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请从备份恢复;新建密钥会使所有签名助手需要重新配对。",
                "Restore it from backup; with a new key every agent must be paired again.",
            ),
        )


class ServerIdentity:
    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def fingerprint(self) -> str:
        """What an officer compares when pairing."""
        return key_fingerprint(self.public)

    def sign_reply(self, method: str, path: str, nonce: str, status: int, body: bytes) -> str:
        """Base64 signature over the reply statement."""
        return base64.b64encode(self._key.sign(reply_statement(method, path, nonce, status, body))).decode()


def load_identity(path: Path) -> ServerIdentity:
    """The key in `path`, made there (0600) when there is none. Raises IdentityUnusable."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_atomically(path, pem)
        if path.stat().st_mode & 0o077:
            raise IdentityUnusable(path, "it can be read by others (chmod 600)")
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as failure:
        raise IdentityUnusable(path, str(failure)) from failure
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityUnusable(path, "it is not an Ed25519 key")
    return ServerIdentity(key)
