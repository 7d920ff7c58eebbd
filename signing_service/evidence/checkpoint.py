"""A checkpoint of the log as others read it: C2SP tlog-checkpoint in a C2SP signed note. Pure.

The text is the origin, the tree's size, its root in base64, each on a line; an empty line; then a line a signature:
"— NAME BASE64", which holds a four-byte key id and the signature. A log signs with Ed25519 (type 1) or with ECDSA on
P-256 over SHA-256 (type 2, as Sigstore's logs do; its key id is the beginning of SHA-256 over the public key's DER).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing_service.errors import SigningServiceError, Text

MOST_BYTES = 64 * 1024
LogKey = EllipticCurvePublicKey | Ed25519PublicKey
_DASH = "— "
_KEY_ID = 4


class CheckpointInvalid(SigningServiceError):
    """`why` names what is wrong with it."""

    code = "checkpoint_invalid"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("检查点无效。", "The checkpoint is not valid."),
            why=Text(zh, en),
            advice=Text(
                "请从见证处重新取得检查点;仍然如此,请通知监察人员。",
                "Fetch the checkpoint from a witness again; if it is still so, tell the auditors.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`root`: 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> bytes:
        """What is signed; ends with a line end."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def signed(checkpoint: Checkpoint, key: LogKey, sign: Callable[[bytes], bytes]) -> str:
    """The note. `sign`: the body to an Ed25519 signature, or an ECDSA one in DER; the signer's name is the origin."""
    signature = sign(checkpoint.body)
    line = base64.b64encode(key_id(checkpoint.origin, key) + signature).decode()
    return f"{checkpoint.body.decode()}\n{_DASH}{checkpoint.origin} {line}\n"


def opened(note: str, *keys: LogKey) -> Checkpoint:
    """The checkpoint of a note that one of `keys` signed under the origin's name. Raises CheckpointInvalid."""
    checkpoint, lines = parsed(note)
    for key in keys:
        wanted = key_id(checkpoint.origin, key)
        for name, identifier, signature in lines:
            if name == checkpoint.origin and identifier == wanted and _verifies(key, signature, checkpoint.body):
                return checkpoint
    raise CheckpointInvalid("没有该日志密钥的有效签名。", "It bears no valid signature of the log's key.")


def parsed(note: str) -> tuple[Checkpoint, list[tuple[str, bytes, bytes]]]:
    """The checkpoint and its signatures (name, key id, signature), none of them checked. Raises CheckpointInvalid."""
    try:
        if len(note) > MOST_BYTES:
            raise ValueError("too long")
        text, signatures = note.split("\n\n", 1)
        origin, size, root, *_ = text.split("\n")
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
        if checkpoint.body.decode() != f"{text}\n" or len(checkpoint.root) != 32 or not origin:
            raise ValueError("not in its one form")
        return checkpoint, [_signature(line) for line in signatures.removesuffix("\n").split("\n")]
    except (ValueError, binascii.Error) as failure:
        raise CheckpointInvalid(f"格式不对:{failure}。", f"Its form is wrong: {failure}.") from failure


def key_id(name: str, key: LogKey) -> bytes:
    """The first four bytes of the key's hash, as C2SP signed-note defines it for each type of key."""
    if isinstance(key, Ed25519PublicKey):
        content = name.encode() + b"\n\x01" + key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(content).digest()[:_KEY_ID]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, packed = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not name:
        raise ValueError("a line is no signature")
    content = base64.b64decode(packed, validate=True)
    return name, content[:_KEY_ID], content[_KEY_ID:]


def _verifies(key: LogKey, signature: bytes, body: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, body)
        else:
            key.verify(signature, body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
