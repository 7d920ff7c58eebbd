"""What the agent and the server must agree on: versions, statements that keys sign, the batch's code. Pure.

Every statement begins with its own name and version, so that none can pass for another or for signed attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

VERSIONS = (1,)
WAIT_SECONDS = 25
MOST_JOBS = 200
_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_CHARACTERS = 8
LOGIN_CODE_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a signature stands: page from 0, rectangle in points in the page's own coordinates, lower left first."""

    page: int
    left: float
    bottom: float
    right: float
    top: float

    def is_near(self, other: Spot, *, points: float = 0.5) -> bool:
        """The same place within `points`."""
        pairs = zip(self.edges, other.edges, strict=True)
        return self.page == other.page and all(abs(a - b) <= points for a, b in pairs)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.bottom, self.right, self.top


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One line of a frozen list: which job, and SHA-256 (hex) of the prepared file that belongs to it."""

    job: str
    digest: str


def batch_digest(entries: Sequence[ListEntry]) -> str:
    """SHA-256 (hex) over the list in its order."""
    lines = "".join(f"{entry.job} {entry.digest}\n" for entry in entries)
    return hashlib.sha256(b"ZHENGYIN-BATCH-V1\n" + lines.encode()).hexdigest()


def batch_code(entries: Sequence[ListEntry]) -> str:
    """The short code over all digests of the batch, as both the browser and the agent show it: ABCD-EFGH."""
    number, characters = int(batch_digest(entries), 16), ""
    for _ in range(_CODE_CHARACTERS):
        number, index = divmod(number, len(_CODE_ALPHABET))
        characters += _CODE_ALPHABET[index]
    return f"{characters[:4]}-{characters[4:]}"


def code_from(random: bytes, count: int = LOGIN_CODE_CHARACTERS) -> str:
    """A code for people to type, from at least one random byte a character; without 0 O 1 I L U."""
    return "".join(_CODE_ALPHABET[byte % len(_CODE_ALPHABET)] for byte in random[:count])


def login_statement(origin: str, session_hash: str, nonce: str) -> bytes:
    """What the authentication key signs to log in (DESIGN 4)."""
    return f"ZHENGYIN-LOGIN-V1 | {origin} | {session_hash} | {nonce}".encode()


def pairing_statement(origin: str, server_key: str, nonce: str) -> bytes:
    """What the authentication key signs to pair; `server_key` is the fingerprint that the agent pins."""
    return f"ZHENGYIN-PAIR-V1 | {origin} | {server_key} | {nonce}".encode()


def reply_statement(method: str, path: str, nonce: str, status: int, body: bytes) -> bytes:
    """What the server's key signs under every reply to the agent; `nonce` came with the request."""
    digest = hashlib.sha256(body).hexdigest()
    return f"ZHENGYIN-REPLY-V1 | {method} | {path} | {nonce} | {status} | {digest}".encode()


def key_fingerprint(public_key: bytes) -> str:
    """SHA-256 of the server's raw Ed25519 public key, in groups that people can compare."""
    digest = hashlib.sha256(public_key).hexdigest()[:32]
    return ":".join(digest[start : start + 4] for start in range(0, 32, 4))


def common_version(offered: Iterable[int]) -> int | None:
    """The highest version that both ends speak."""
    return max(set(offered) & set(VERSIONS), default=None)
