"""The demo's home backed up while its server runs, and restored on an empty folder: every proof and document holds."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cli.demo import server
from cli.opened_home import open_home
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database

from .conftest import Demo, zhengyin


@pytest.fixture
def home(untouched: Demo, tmp_path: Path) -> Path:
    copy: Path = shutil.copytree(untouched.home, tmp_path / "home")
    witness = tmp_path / "outside"
    witness.mkdir()
    (copy / "witnesses.toml").write_text(f'[[witness]]\nfolder = "{witness}"\n')
    return copy


def restored(home: Path, backup: Path, code: int = 0) -> dict[str, Any]:
    done = zhengyin(home, "restore", str(backup), "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def more_happens(home: Path) -> None:
    database = Database(f"sqlite:///{home}/zhengyin.db")
    with database.write() as session:
        AuditLog().record(session, Act("case.open", "clerk", "case:after-the-backup"), SystemClock().now())
    database.close()


def test_a_home_in_use_comes_back_whole_and_works(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar"
    with server(open_home(home)):
        done = zhengyin(home, "backup", "-o", str(backup), "--with-pins", "--json")
    assert done.returncode == 0, done.stderr
    again = tmp_path / "again"
    report = restored(again, backup)
    assert report["sound"]
    assert not report["older_than_a_witness"]
    assert report["log"] == {"holds": True, "size": report["log"]["size"], "findings": []}
    assert report["documents"]["verdicts"] == {"passed": 4}
    assert not any(path.suffix == ".sock" for path in again.rglob("*"))
    assert zhengyin(again, "audit", "checkpoint").returncode == 0


def test_an_older_backup_is_noticed_at_the_witness(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "old.tar"
    assert zhengyin(home, "backup", "-o", str(backup)).returncode == 0
    more_happens(home)
    held = zhengyin(home, "audit", "checkpoint")
    (tmp_path / "held.txt").write_text(held.stdout)
    report = restored(tmp_path / "again", backup)
    assert report["older_than_a_witness"]
    done = zhengyin(
        tmp_path / "third", "restore", str(backup), "--json", "--checkpoint", str(tmp_path / "held.txt"), "--quick"
    )
    assert done.returncode == 1
    assert [finding["code"] for finding in json.loads(done.stdout)["log"]["findings"]] == ["older_backup"]


def test_a_changed_row_and_a_lost_document_are_named(home: Path, tmp_path: Path) -> None:
    assert zhengyin(home, "audit", "checkpoint").returncode == 0
    with sqlite3.connect(home / "zhengyin.db") as rows:
        rows.execute("UPDATE audit_entry SET actor = 'officer:other' WHERE position = 5")
        digest = rows.execute("SELECT digest FROM licence WHERE digest IS NOT NULL").fetchone()[0]
    rows.close()
    (home / "blobs" / digest[:2] / digest).unlink()
    backup = tmp_path / "b.tar"
    assert zhengyin(home, "backup", "-o", str(backup)).returncode == 0
    report = restored(tmp_path / "again", backup, code=1)
    assert [finding["code"] for finding in report["log"]["findings"]] == ["entry_edited"]
    assert report["documents"]["missing"] == [digest]


def test_a_home_that_is_there_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar"
    assert zhengyin(home, "backup", "-o", str(backup)).returncode == 0
    refused = zhengyin(home, "restore", str(backup))
    assert refused.returncode == 1
    assert "will not be overwritten" in refused.stderr
