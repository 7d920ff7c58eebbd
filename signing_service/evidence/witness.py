"""Places outside the home that keep the log's checkpoints, and refuse one that does not extend what they hold.

Whoever rewrites the log or puts an older database in its place cannot rewrite what a witness has. A folder on another
file system, or another server that speaks C2SP tlog-witness; `mail_witness` is a mailbox.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signing_service.errors import SigningServiceError, Text
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import Checkpoint, LogKey, opened, parsed
from signing_service.kernel.blobs import write_atomically
from signing_service.kernel.outbound import Outbound, Reply

SUFFIX = ".checkpoint"
AT_ONCE = timedelta(0)
OK, CONFLICT, UNPROCESSABLE = 200, 409, 422


class WitnessRefused(SigningServiceError):
    """The witness holds something that the new checkpoint does not extend: the log's past was changed, or lost."""

    code = "witness_refused"

    def __init__(self, witness: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"见证处“{witness}”没有接受检查点。", f'The witness "{witness}" did not accept the checkpoint.'),
            why=Text(zh, en),
            advice=Text(
                "日志可能被改写,或恢复了旧备份。请勿删除见证处的文件,立即通知监察人员并运行 zhengyin audit verify。",
                "The log may have been rewritten, or an older backup restored. Delete nothing at the witness; tell the "
                "auditors now and run `zhengyin audit verify`.",
            ),
        )


class WitnessUnavailable(SigningServiceError):
    code = "witness_unavailable"

    def __init__(self, witness: str, why: str) -> None:
        super().__init__(
            Text(f"无法使用见证处“{witness}”。", f'The witness "{witness}" cannot be used.'),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请检查目录是否已挂载、地址是否可达;检查点会在下次自动补交。",
                "Check that the folder is mounted or the address can be reached; what was missed is sent next time.",
            ),
        )


class Witness(Protocol):
    """A place outside. `name` is what people call it."""

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> timedelta:
        """It is brought a checkpoint at most once in this time."""
        ...

    def keep(self, note: str, proof_from: Callable[[int], Sequence[bytes]]) -> str:
        """Keep a note; `proof_from(old)` shows that it extends the tree of `old` leaves. Returns a receipt.

        Raises WitnessRefused, WitnessUnavailable.
        """
        ...


class FolderWitness:
    """One file a checkpoint, never overwritten: a mounted share, a second disk, a write-once medium."""

    every = AT_ONCE

    def __init__(self, folder: Path, *keys: LogKey) -> None:
        """`keys`: the log's present key, and earlier ones that signed what is held."""
        self._folder, self._keys = folder, keys

    @property
    def name(self) -> str:
        return str(self._folder)

    def keep(self, note: str, proof_from: Callable[[int], Sequence[bytes]]) -> str:
        new = opened(note, *self._keys)
        try:
            held = self.newest()
            if held is not None and not _extends(held, new, proof_from):
                raise _refused(self.name, held.size)
            path = self._folder / f"{new.size:020d}{SUFFIX}"
            if held is None or held.size < new.size:
                write_atomically(path, note.encode(), mode=0o444)
        except OSError as failure:
            raise WitnessUnavailable(self.name, str(failure)) from failure
        return path.name

    def newest(self) -> Checkpoint | None:
        """What it holds. Raises WitnessUnavailable for a missing folder, CheckpointInvalid for a wrong file."""
        if not self._folder.is_dir():
            raise WitnessUnavailable(self.name, "no such folder")
        kept = sorted(self._folder.glob(f"*{SUFFIX}"))
        return opened(kept[-1].read_text("utf-8"), *self._keys) if kept else None


class ServerWitness:
    """Another server, by C2SP tlog-witness: `url` is its add-checkpoint address, `key` checks its cosignatures.

    Its answer 409 names the size that it holds; the first question therefore says 0.
    """

    every = AT_ONCE

    def __init__(self, url: str, key: Ed25519PublicKey, outbound: Outbound) -> None:
        self._url, self._key, self._outbound = url, key, outbound

    @property
    def name(self) -> str:
        return self._url

    def keep(self, note: str, proof_from: Callable[[int], Sequence[bytes]]) -> str:
        reply = self._ask(note, 0, ())
        if reply.status == CONFLICT:
            held = self._size_in(reply)
            try:
                proof = proof_from(held)
            except ValueError:
                raise _refused(self.name, held) from None
            reply = self._ask(note, held, proof)
        if reply.status in (CONFLICT, UNPROCESSABLE):
            raise _refused(self.name, self._size_in(reply) if reply.status == CONFLICT else 0)
        if reply.status != OK or not is_cosigned(note, reply.body, self._key):
            raise WitnessUnavailable(self.name, f"HTTP {reply.status}, no valid cosignature")
        return reply.body.decode()

    def _ask(self, note: str, old: int, proof: Sequence[bytes]) -> Reply:
        lines = [f"old {old}", *(base64.b64encode(part).decode() for part in proof), "", note]
        try:
            return self._outbound.request(
                "POST", self._url, body="\n".join(lines).encode(), headers={"Content-Type": "text/plain"}
            )
        except SigningServiceError as failure:
            raise WitnessUnavailable(self.name, str(failure)) from failure

    def _size_in(self, reply: Reply) -> int:
        text = reply.body[:32].strip()
        if not text.isdigit():
            raise WitnessUnavailable(self.name, f"HTTP {reply.status} without a size")
        return int(text)


def is_cosigned(note: str, answer: bytes, key: Ed25519PublicKey) -> bool:
    """Whether a line of `answer` is a cosignature/v1 (C2SP tlog-cosignature) of `key` over the note's body."""
    body = parsed(note)[0].body
    for line in answer.splitlines():
        try:
            content = base64.b64decode(line.rpartition(b" ")[2], validate=True)[4:]
            stated = int.from_bytes(content[:8], "big")
            key.verify(content[8:], b"cosignature/v1\ntime %d\n" % stated + body)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def _extends(held: Checkpoint, new: Checkpoint, proof_from: Callable[[int], Sequence[bytes]]) -> bool:
    if held.origin != new.origin or held.size > new.size:
        return False
    return merkle.is_consistent(held.size, new.size, held.root, new.root, proof_from(held.size))


def _refused(name: str, size: int) -> WitnessRefused:
    return WitnessRefused(
        name,
        f"它不是已存检查点({size} 条)的延续。",
        f"It does not extend the checkpoint of {size} entries that is held.",
    )
