"""The rules of a batch, without I/O: names, what a failure means for one document or for all, how many at once."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from signing_service.errors import ExplainedError, Text
from signing_service.kernel.blobs import BlobDamaged, BlobMissing
from signing_service.pades.errors import (
    CertificateRefused,
    FontMissing,
    PadesError,
    PictureMissing,
    SourceMissing,
    TimestampFailed,
)
from signing_service.pades.placing import AnchorPlacing, AnyPlacing, FieldPlacing, FreeSpotPlacing, Placing, SeamPlacing
from signing_service.pdf.errors import PdfRefusal
from signing_service.seals.authorisation_errors import AuthorisationNotForThisDocument

MOST_AT_ONCE, MOST_BYTES_AT_ONCE = 32, 32 * 2**20
MOST_ATTEMPTS = 4
SEALED_SUFFIX = ".sealed.pdf"
_OF_ALL = (CertificateRefused, FontMissing, PictureMissing, SourceMissing, TimestampFailed)
_OF_ONE = (PdfRefusal, PadesError, AuthorisationNotForThisDocument, BlobMissing, BlobDamaged)
_PLACINGS: Mapping[str, type[Any]] = {
    "corner": Placing, "keyword": AnchorPlacing, "free": FreeSpotPlacing, "edge": SeamPlacing,
    "field": FieldPlacing,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document was not sealed, or a batch waits: a stable code and a sentence in both languages."""

    code: str
    text: Text

    @classmethod
    def of(cls, error: ExplainedError) -> Reason:
        return cls(error.code, Text(error.explain("zh"), error.explain("en")))


def item_id(batch_id: str, source: str, name: str) -> str:
    """The same document in the same batch has the same id, whoever looks and how often."""
    return hashlib.sha256(f"{batch_id}\n{source}\n{name}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def batch_key(parts: Mapping[str, Any]) -> str:
    """What makes a batch the same batch, as a fixed-length name."""
    text = "\n".join(f"{name}={parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def output_name(name: str, *, beside: bool) -> str:
    """Where the sealed file goes, relative to the output folder: NAME.sealed.pdf beside the source, else NAME.pdf."""
    path = PurePosixPath(name)
    return str(path.with_name(path.stem + (SEALED_SUFFIX if beside else ".pdf")))


def concerns_all(error: Exception) -> bool:
    """Whether the next document would meet the same: a stopped seal, a used-up order, a lost token. Then the batch
    waits and is not marked down document by document."""
    if isinstance(error, _OF_ALL):
        return True
    return isinstance(error, ExplainedError) and not isinstance(error, _OF_ONE)


def reason_of(error: Exception) -> Reason:
    """A named error as it explains itself; the system's with its words; anything else by its kind alone."""
    if isinstance(error, ExplainedError):
        return Reason.of(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    if isinstance(error, OSError):
        words = error.strerror or type(error).__name__
        told = Text(f"文件无法读写:{words}。", f"The file cannot be read or written: {words}.")
        return Reason("file_unreadable", told)
    kind = type(error).__name__
    told = Text(f"处理该文件时出错({kind}),详见日志。", f"This file failed ({kind}); see the log.")
    return Reason("unexpected", told)


def _reason(code: str, zh: str, en: str) -> Reason:
    return Reason(code, Text(zh, en))


DISK_FULL = _reason(
    "disk_full",
    "磁盘空间不足,没有盖章。请腾出空间后用 --retry-refused 重试。",
    "The disk is full; nothing was sealed. Make room, then use --retry-refused.",
)
SOURCE_CHANGED = _reason(
    "source_changed",
    "文件在登记之后被改动,没有盖章。请重新运行。",
    "The file changed after it was listed; run the command again.",
)
OUTPUT_EXISTS = _reason(
    "output_exists",
    "输出文件已存在,不会覆盖。请移走它,或用 --out 指定别的文件夹。",
    "The output file exists and is not replaced; move it or use --out.",
)
NOT_REPRODUCIBLE = _reason(
    "prepared_differs",
    "该文件每次准备的内容不同(例如 AES 加密),清单授权不能覆盖。请改用长期授权。",
    "Each preparation of this file differs (AES encryption, for one): no list covers it. Use a standing order.",
)
GAVE_UP = _reason(
    "gave_up",
    "处理该文件时进程多次中断,不再尝试。请单独检查该文件。",
    "The process ended several times at this file; look at it by itself.",
)


class Leasable(Protocol):
    @property
    def attempts(self) -> int: ...
    @property
    def size(self) -> int: ...


def how_many(candidates: Sequence[Leasable]) -> int:
    """How many of the candidates, in order, one worker takes: one that failed before goes alone, so that it takes no
    others down with it; else as many as fit."""
    if not candidates or candidates[0].attempts:
        return min(1, len(candidates))
    total = count = 0
    for each in candidates[:MOST_AT_ONCE]:
        total += each.size
        if each.attempts or (count and total > MOST_BYTES_AT_ONCE):
            break
        count += 1
    return count


def placing_as_json(placing: AnyPlacing) -> dict[str, Any]:
    kind = next(name for name, known in _PLACINGS.items() if type(placing) is known)
    return {"kind": kind, **asdict(placing)}


def placing_from_json(content: Mapping[str, Any]) -> AnyPlacing:
    values = dict(content)
    placing: AnyPlacing = _PLACINGS[values.pop("kind")](**values)
    return placing
