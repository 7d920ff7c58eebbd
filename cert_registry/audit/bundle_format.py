"""The evidence bundle: a ZIP of public formats that another office can check without this system.

manifest.json    format, log name, size of the log, which entries are inside, why they were exported
checkpoint.txt   C2SP signed note over the log's tree;  checkpoint.tst  its RFC 3161 token (DER), where there is one
earlier.jsonl    earlier checkpoints, each with a consistency proof (RFC 9162) to checkpoint.txt
entries.jsonl    a line an entry: index, content, salt, leaf, and an inclusion proof unless the log is whole
leaves.bin       of a whole log alone: the 32-byte hashes of all its leaves, one after another
certificates/    PEM: log-00.pem of the key that signed checkpoint.txt, earlier log keys after it; issuer-NN.pem
revocation/      CRLs (DER) of the issuers
attachments/     the documents, their reports, revocation data
README.html      the same for people
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORMAT = "zhengyin-evidence/1"
MANIFEST, CHECKPOINT, TIMESTAMP = "manifest.json", "checkpoint.txt", "checkpoint.tst"
EARLIER, ENTRIES, LEAVES, PAGE = "earlier.jsonl", "entries.jsonl", "leaves.bin", "README.html"
LOG_CERTIFICATES, ISSUERS = "certificates/log-", "certificates/issuer-"
REVOCATION, ATTACHMENTS = "revocation/", "attachments/"


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry of the log. `content` and `salt` are empty where a person's entry was erased; the leaf stays.

    `leaf`: the commitment, 32 bytes in hex; `proof`: hashes of 32 bytes, lowest first.
    """

    index: int
    content: Mapping[str, Any]
    salt: str
    leaf: str
    proof: Sequence[bytes] = ()

    def dump(self) -> bytes:
        line = {
            "index": self.index, "content": dict(self.content), "salt": self.salt, "leaf": self.leaf,
            "proof": packed(self.proof),
        }  # fmt: skip
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def load(cls, line: bytes) -> EntryLine:
        """Raises ValueError for what is no entry."""
        found = _object(line)
        index, content, salt, leaf = (found.get(name) for name in ("index", "content", "salt", "leaf"))
        if type(index) is not int or not isinstance(content, dict):
            raise ValueError("an entry without index or content")
        if not isinstance(leaf, str) or not isinstance(salt, str):
            raise ValueError("an entry without leaf or salt")
        if len(bytes.fromhex(leaf)) != 32 or len(bytes.fromhex(salt)) not in (0, 32):
            raise ValueError("a leaf or salt of another length")
        return cls(index, content, salt, leaf, unpacked(found.get("proof")))


@dataclass(frozen=True, slots=True)
class EarlierLine:
    """An earlier checkpoint's note, with the proof that the bundle's checkpoint extends it."""

    note: str
    proof: Sequence[bytes]

    def dump(self) -> bytes:
        return json.dumps({"note": self.note, "proof": packed(self.proof)}, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def load(cls, line: bytes) -> EarlierLine:
        """Raises ValueError for what is none."""
        found = _object(line)
        return cls(str(found.get("note")), unpacked(found.get("proof")))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What checking needs of the manifest: `whole`, and the attachments with their SHA-256 in hex."""

    whole: bool
    attachments: Mapping[str, str]

    @classmethod
    def load(cls, content: bytes) -> Manifest:
        """Raises ValueError for another format."""
        found = _object(content)
        attachments = found.get("attachments")
        if found.get("format") != FORMAT or not isinstance(attachments, dict):
            raise ValueError(f"the format is {str(found.get('format'))[:40]!r}")
        return cls(found.get("whole") is True, {name: str(digest) for name, digest in attachments.items()})


def packed(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]


def unpacked(texts: object) -> list[bytes]:
    """Raises ValueError for what is no list of base64."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a proof is a list of texts")
    return [base64.b64decode(text, validate=True) for text in texts]


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found
