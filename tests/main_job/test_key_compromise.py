"""`zhengyin pki impact` on a home where a case went its whole way: what each key reached, and that asking changes
nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import Demo, zhengyin

BEFORE, AFTER = "2020-01-01", "2090-01-01"


def reference(home: Path, owner: str, profile: str) -> str:
    with closing(sqlite3.connect(home / "zhengyin.db")) as database:
        query = "SELECT reference FROM pki_certificate WHERE owner = ? AND profile = ?"
        (found,) = database.execute(query, (owner, profile)).fetchone()
    return str(found)


def impact(demo: Demo, owner: str, profile: str, since: str = BEFORE) -> dict[str, Any]:
    done = zhengyin(demo.home, "pki", "impact", "--certificate", reference(demo.home, owner, profile), "--since", since)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def reached(found: dict[str, Any], kind: str) -> list[str]:
    return [entry["id"] for entry in found["dependants"] if entry["kind"] == kind]


@pytest.mark.parametrize(
    ("owner", "profile", "uses"),
    [("seal:default", "seal", 2), ("seal-holder", "officer-signing", 2), ("reviewer-1", "officer-signing", 0)],
)
def test_a_key_is_followed_to_seals_documents_licence_print_and_recipients(
    untouched: Demo, owner: str, profile: str, uses: int
) -> None:
    found = impact(untouched, owner, profile)
    licence = untouched.report["licence"]
    assert len(reached(found, "seal")) == uses
    assert len(reached(found, "document")) == 3  # the form twice signed, the reply once sealed
    assert reached(found, "licence") == [licence]
    assert reached(found, "print") == [untouched.report["print_copy"]["serial"]]
    assert set(reached(found, "recipient")) == {"applicant", "client:housing-demo"}
    assert found["unknown"] == []
    assert [draft["owner"] for draft in found["drafts"]] == [owner]


def test_a_key_that_signed_nothing_reached_nothing(untouched: Demo) -> None:
    found = impact(untouched, "auditor", "officer-signing")
    assert [entry for entry in found["dependants"] if entry["kind"] != "act"] == []


def test_what_was_before_the_loss_is_left_out(untouched: Demo) -> None:
    assert impact(untouched, "seal:default", "seal", AFTER)["dependants"] == []


@pytest.mark.parametrize(("answer", "state"), [("n\n", "active"), ("y\n", "revoked")])
def test_nothing_is_revoked_without_a_yes(untouched: Demo, tmp_path: Path, answer: str, state: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(untouched.home, home, ignore=shutil.ignore_patterns("*.sock"))
    which = reference(home, "reviewer-1", "officer-signing")
    command = [sys.executable, "-m", "cli", "--home", str(home), "pki", "impact", "--certificate", which, "--since",
               BEFORE, "--revoke", "--as", "pki-operator"]  # fmt: skip
    subprocess.run(command, input=answer, capture_output=True, text=True, check=False, timeout=60)
    with closing(sqlite3.connect(home / "zhengyin.db")) as database:
        query = "SELECT state, reason FROM pki_certificate WHERE reference = ?"
        found = database.execute(query, (which,)).fetchone()
    assert found == (state, 1 if state == "revoked" else 0)
