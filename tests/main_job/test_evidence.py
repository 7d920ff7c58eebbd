"""Evidence of the demo's main job: checkpoint, bundle, offline check, and what a change in the database comes to."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zipfile
from pathlib import Path

import pytest

from .conftest import Demo, zhengyin


@pytest.fixture(scope="module")
def held(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that somebody outside keeps; the home's witness folder has it too."""
    outside = tmp_path_factory.mktemp("outside")
    (demo.home / "witnesses.toml").write_text(f'[[witness]]\nfolder = "{outside}"\n')
    done = zhengyin(demo.home, "audit", "checkpoint")
    assert (done.returncode, done.stderr) == (0, "")
    (witnessed,) = outside.glob("*.checkpoint")
    assert witnessed.read_text("utf-8") == done.stdout
    return witnessed


def exported(demo: Demo, out: Path, *options: str) -> Path:
    done = zhengyin(demo.home, "audit", "export", "-o", str(out), *options)
    assert done.returncode == 0, done.stderr
    return out


def checked(demo: Demo, bundle: Path, held: Path) -> tuple[int, dict]:
    root = demo.home / "trust" / "seals" / "root.pem"
    done = zhengyin(
        Path("/nowhere"), "audit", "verify", str(bundle), "--checkpoint", str(held), "--trust", str(root), "--json"
    )
    return done.returncode, json.loads(done.stdout)


def test_the_whole_log_holds_for_another_machine(demo: Demo, held: Path, tmp_path: Path) -> None:
    code, report = checked(demo, exported(demo, tmp_path / "all.zip"), held)
    assert (code, report["findings"], report["not_checked"]) == (0, [], [])
    assert report["entries"] == report["size"] > 20


def test_a_document_brings_its_entries_and_its_report(demo: Demo, held: Path, tmp_path: Path) -> None:
    bundle = exported(demo, tmp_path / "one.zip", "--document", demo.report["files"]["approval"])
    code, report = checked(demo, bundle, held)
    assert (code, report["findings"]) == (0, [])
    assert 0 < report["entries"] < report["size"]
    with zipfile.ZipFile(bundle) as inside:
        name = Path(demo.report["files"]["approval"]).name
        assert inside.read(f"attachments/{name}") == demo.file("approval")
        assert json.loads(inside.read(f"attachments/{name}.report.json"))["verdict"] == "passed"


def test_openssl_verifies_the_checkpoints_timestamp(demo: Demo, held: Path, tmp_path: Path) -> None:
    """As the bundle's own page says it is done without this system."""
    zipfile.ZipFile(exported(demo, tmp_path / "all.zip")).extractall(tmp_path)
    root = demo.home / "trust" / "seals" / "root.pem"
    command = ["openssl", "ts", "-verify", "-data", "checkpoint.txt", "-in", "checkpoint.tst", "-token_in"]
    done = subprocess.run([*command, "-CAfile", str(root)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_row_changed_in_the_database_is_named(demo: Demo, held: Path, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(demo.home, home, ignore=shutil.ignore_patterns("*.sock"))
    with sqlite3.connect(home / "zhengyin.db") as rows:
        changed = rows.execute("UPDATE audit_entry SET actor = 'officer:other' WHERE position = 5").rowcount
    assert changed == 1
    bundle = exported(Demo(home, demo.report, ""), tmp_path / "changed.zip")
    code, report = checked(demo, bundle, held)
    assert code == 4
    assert [(finding["code"], finding["index"]) for finding in report["findings"]] == [("entry_edited", 5)]


def test_nothing_is_left_when_there_is_nothing_to_export(demo: Demo, held: Path, tmp_path: Path) -> None:
    done = zhengyin(demo.home, "audit", "export", "-o", str(tmp_path / "none.zip"), "--about", "seal:no-such")
    assert done.returncode == 1
    assert "no entry about this" in done.stderr
    assert list(tmp_path.iterdir()) == []
