"""A folder's entries as documents of a batch: what is sealed, what is skipped or refused, and why."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from signing_service.errors import Text
from signing_service.pades.batch_rules import SEALED_SUFFIX, Reason, item_id, output_name, reason_of
from signing_service.pades.batch_tables import ItemState, SealBatchItem

REPORTS = ("sealing-report.csv", "sealing-report.json")
_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """One entry. `name` is its path in the folder; `refused` says that it was meant to be sealed and cannot be."""

    name: str
    reason: Reason | None = None
    refused: bool = False
    source: str = ""
    size: int = 0


def list_folder(folder: Path, *, recursive: bool, seen: Callable[[int], None] = lambda _count: None) -> list[Found]:
    """Every entry in the order of names. Symbolic links are not followed; `seen` is told how many were looked at."""
    found: list[Found] = []
    first: dict[str, str] = {}
    for path in _entries(folder, recursive):
        entry = _look(path, str(path.relative_to(folder)))
        if entry.source and entry.source in first:
            entry = Found(entry.name, duplicate(first[entry.source]), source=entry.source, size=entry.size)
        elif entry.source:
            first[entry.source] = entry.name
        found.append(entry)
        seen(len(found))
    return found


def as_items(batch_id: str, found: list[Found], *, beside: bool, known: int = 0) -> list[SealBatchItem]:
    """Rows for a batch; a name for the output that another took already is a refusal. `known` is how many rows the
    batch has: positions go on from there."""
    taken: dict[str, str] = {}
    items = []
    for number, entry in enumerate(found):
        output, reason, refused = output_name(entry.name, beside=beside), entry.reason, entry.refused
        if reason is None and output.casefold() in taken:
            reason, refused = _collision(taken[output.casefold()]), True
        elif reason is None:
            taken[output.casefold()] = entry.name
        state = ItemState.PENDING if reason is None else ItemState.REFUSED if refused else ItemState.SKIPPED
        items.append(
            SealBatchItem(
                id=item_id(batch_id, entry.source, entry.name), batch_id=batch_id, position=known + number,
                name=entry.name, output=output if reason is None else "", source=entry.source, size=entry.size,
                state=state, attempts=0, reason=reason.code if reason else "",
                reason_text=[reason.text.zh, reason.text.en] if reason else [],
            )
        )  # fmt: skip
    return items


def _entries(folder: Path, recursive: bool) -> Iterator[Path]:
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        if path.name in REPORTS or path.name.startswith(".zhengyin-"):
            continue
        if recursive and path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            try:
                yield from _entries(path, recursive)
            except OSError:
                yield path
        else:
            yield path


def _look(path: Path, name: str) -> Found:
    try:
        kind = path.lstat().st_mode
        if reason := _not_meant(path, kind):
            return Found(name, reason)
        with path.open("rb") as file:
            head = file.read(_HEAD)
            is_pdf = b"%PDF-" in head
            if not is_pdf and path.suffix.lower() != ".pdf":
                return Found(name, _NOT_A_PDF)
            file.seek(0)
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
    except OSError as failure:
        return Found(name, reason_of(failure), refused=True)
    return Found(name, None, source=digest, size=size)


def _not_meant(path: Path, kind: int) -> Reason | None:
    if path.name.startswith("."):
        return _HIDDEN
    if stat.S_ISLNK(kind):
        return _LINK
    if stat.S_ISDIR(kind):
        return _FOLDER
    if not stat.S_ISREG(kind):
        return _NOT_A_FILE
    return _OUTPUT if path.name.endswith(SEALED_SUFFIX) else None


def duplicate(other: str) -> Reason:
    """Why a second copy of a document is left alone."""
    return Reason("duplicate", Text(f"与“{other}”内容相同,只盖一份。", f"The same content as “{other}”, sealed once."))


def _collision(other: str) -> Reason:
    return Reason(
        "output_name_taken",
        Text(
            f"输出文件名与“{other}”的相同,请改名后重试。", f"Its output would be named as that of “{other}”; rename it."
        ),
    )


_HIDDEN = Reason("hidden", Text("隐藏文件,略过。", "A hidden file; skipped."))
_LINK = Reason("symbolic_link", Text("符号链接,不跟随。", "A symbolic link; not followed."))
_FOLDER = Reason("folder", Text("子文件夹,略过;需要时请加 --recursive。", "A folder; skipped without --recursive."))
_NOT_A_FILE = Reason("not_a_file", Text("不是普通文件,略过。", "No regular file; skipped."))
_OUTPUT = Reason("sealed_already", Text("已是盖章结果,略过。", "A sealed result by its name; skipped."))
_NOT_A_PDF = Reason("not_a_pdf", Text("不是 PDF 文件,略过。", "No PDF; skipped."))
