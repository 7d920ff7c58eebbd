"""A home from a backup: unpacked as a whole or not at all, then looked over."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cert_registry.audit.findings import Outcome
from cli.backup_archive import BLOBS, DATABASE, HOME, ArchiveReader, BackupDamaged
from cli.database_copy import restore_database
from cli.home import being_made
from cli.home_blobs import home_blobs
from cli.opened_home import open_home
from cli.restored_checks import Documents, WitnessWord, check_documents, check_log, note_restoring, witness_words
from cli.stage import open_stage
from signing_service.errors import Language, Text
from signing_service.kernel.blobs import BlobStore
from signing_service.settings import FILE_NAME, Settings, load_settings

_CHUNK = 1 << 20
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`database`: a URL instead of the settings' own; `held`: a checkpoint's note; `quick`: no signature is judged."""

    database: str = ""
    held: str | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it. `log` is None where the backup's log had no checkpoint yet."""

    home: Path
    made_at: str
    log: Outcome | None
    documents: Documents
    witnesses: list[WitnessWord]
    left_out: list[str]

    @property
    def sound(self) -> bool:
        return (self.log is None or self.log.holds) and self.documents.sound

    @property
    def older(self) -> list[WitnessWord]:
        """Witnesses that hold more than this backup has."""
        return [word for word in self.witnesses if word.refused]

    def as_json(self, language: Language) -> dict[str, Any]:
        return {
            "home": str(self.home),
            "made_at": self.made_at,
            "sound": self.sound,
            "older_than_a_witness": bool(self.older),
            "log": None if self.log is None else _log_json(self.log, language),
            "documents": self.documents.as_json(),
            "witnesses": [{"name": word.name, "said": word.said.in_(language)} for word in self.witnesses],
            "left_out": self.left_out,
        }

    def lines(self) -> list[Text]:
        found = [Text(f"已恢复到 {self.home}(备份时间 {self.made_at})。", f"{self.home}: as of {self.made_at}.")]
        if self.log is None:
            found.append(Text("? 备份中的日志还没有检查点。", "? The log in this backup had no checkpoint yet."))
        elif self.log.holds:
            words = Text(f"✔ 审计日志完整:{self.log.size} 条。", f"✔ The audit log is whole: {self.log.size} entries.")
            found.append(words)
        else:
            found += [Text(f"✖ {f.text().zh}", f"✖ {f.text().en}") for f in self.log.findings]
        found += self.documents.lines()
        found += [Text(f"{word.mark} {word.said.zh}", f"{word.mark} {word.said.en}") for word in self.witnesses]
        if "pins" in self.left_out:
            found.append(Text("请把 PIN 码文件放回 pins/。", "Put the PIN files back under pins/."))
        return found


def restore_home(home: Path, source: Path, wanted: Wanted, told: Told) -> Restored:
    """Raises HomeOccupied, BackupDamaged, DatabaseNotEmpty, DatabaseCopyFailed."""
    archive = ArchiveReader(source)
    with being_made(home):
        settings = _unpack(archive, source, home, wanted.database, told)
    open_home(home)
    stage = open_stage(settings)
    try:
        log = check_log(stage, wanted.held or archive.manifest.checkpoint or None)
        documents = check_documents(stage, None if wanted.quick else told)
        words = witness_words(stage)
        note_restoring(stage, archive.manifest.made_at, words)
    finally:
        stage.close()
    return Restored(home, archive.manifest.made_at, log, documents, words, archive.manifest.left_out)


def _unpack(archive: ArchiveReader, source: Path, home: Path, database: str, told: Told) -> Settings:
    total, done = len(archive.manifest.parts), 0
    with tempfile.TemporaryDirectory(dir=home, prefix=".restore-") as scratch:
        copy, waiting = Path(scratch) / "database", Path(scratch) / "blobs"
        waiting.mkdir()
        for name, content, mode in archive.unpack():
            if name.startswith(DATABASE):
                _write(copy, content, 0o600)
            elif name.startswith(BLOBS):
                _write(waiting / name.removeprefix(BLOBS), content, 0o600)
            elif name.startswith(HOME):
                _write(home / name.removeprefix(HOME), content, mode)
            done += 1
            told(done, total)
        if not copy.exists() or not (home / FILE_NAME).exists():
            raise BackupDamaged(source, "缺少数据库或设置。", "It has no database or no settings.")
        if database:
            _name_database(home, database)
        settings = load_settings(home)
        restore_database(archive.manifest.database, copy, settings.database_url)
        _hand_in(waiting, home_blobs(settings))
    return settings


def _hand_in(folder: Path, blobs: BlobStore) -> None:
    for path in sorted(folder.iterdir()):
        blobs.put(path.read_bytes())
        path.unlink()


def _write(target: Path, content: IO[bytes], mode: int) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.open("xb") as out:
        target.chmod(mode or 0o600)
        while chunk := content.read(_CHUNK):
            out.write(chunk)


def _name_database(home: Path, url: str) -> None:
    path = home / FILE_NAME
    line = f'database_url = "{url}"'
    path.write_text(re.sub(r"(?m)^database_url\s*=.*$", lambda _: line, path.read_text("utf-8")), "utf-8")


def _log_json(log: Outcome, language: Language) -> dict[str, Any]:
    return {
        "holds": log.holds,
        "size": log.size,
        "findings": [{"code": f.code, "index": f.index, "text": f.text().in_(language)} for f in log.findings],
    }
