"""A home of the first version, kept as it was made, becomes one of this version; a second run changes nothing."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from cli import schema
from cli.opened_home import open_home
from cli.processes import running
from cli.restored_checks import check_documents, check_log
from cli.stage import open_stage
from signing_service.kernel.database import Database
from tests.main_job.conftest import zhengyin

KEPT = Path(__file__).parents[1] / "data" / "home-2026-11-first" / "home.tar.xz"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    with tarfile.open(KEPT) as kept:
        kept.extractall(tmp_path / "home", filter="tar")  # modes as they were: custody insists on them
    return tmp_path / "home"


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "zhengyin.db")) as database:
        return database.execute(query).fetchall()


def test_it_is_behind_before_and_whole_after(earlier: Path) -> None:
    told = json.loads(zhengyin(earlier, "doctor", "--json", "--offline").stdout)
    assert "database_behind" in {finding["code"] for finding in told["findings"]}
    cases = rows(earlier, "SELECT id, state FROM approval_case")
    entries = rows(earlier, "SELECT count(*) FROM audit_entry")[0][0]

    done = zhengyin(earlier, "upgrade", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["changed"]
    database = Database(f"sqlite:///{earlier}/zhengyin.db")
    assert schema.differences(database) == []
    database.close()
    assert rows(earlier, "SELECT id, state FROM approval_case") == cases != []
    assert rows(earlier, "SELECT kind FROM audit_entry ORDER BY id DESC LIMIT 1") == [("home.upgraded",)]
    assert rows(earlier, "SELECT count(*) FROM audit_entry")[0][0] == entries + 1

    again = zhengyin(earlier, "upgrade", "--json")
    assert (again.returncode, json.loads(again.stdout)["changed"]) == (0, False)
    assert rows(earlier, "SELECT count(*) FROM audit_entry")[0][0] == entries + 1


def test_what_was_made_before_is_proven_and_judged_by_this_version(earlier: Path) -> None:
    assert zhengyin(earlier, "upgrade").returncode == 0
    checkpoint = zhengyin(earlier, "audit", "checkpoint")
    assert checkpoint.returncode == 0, checkpoint.stderr
    stage = open_stage(open_home(earlier))
    try:
        log, documents = check_log(stage, checkpoint.stdout), check_documents(stage, lambda _done, _total: None)
    finally:
        stage.close()
    assert log is not None
    assert log.holds
    assert log.size > 90
    assert documents.sound
    assert documents.verdicts.total() == 4


def test_a_home_in_use_is_left_alone(earlier: Path) -> None:
    with running(earlier, "custody", log=earlier / "custody.log"):
        refused = zhengyin(earlier, "upgrade")
    assert refused.returncode == 1
    assert "are running" in refused.stderr
    assert zhengyin(earlier, "upgrade").returncode == 0
