"""The ledger keeps what is written, notices what was changed, and survives a process that is killed."""

import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from signing_service.custody.errors import LedgerAltered
from signing_service.custody.ledger import FILE_NAME, Ledger, Use

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def use(number, authorisation="a" * 32):
    return Use(authorisation, "seal", "bureau", f"{number:064x}", f"{number:064x}", "批复", "f" * 64, "standing")


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def accept(_uses):
    return None


@pytest.mark.parametrize("statement", ["UPDATE use SET seal = 'x'", "DELETE FROM use"])
def test_entries_can_only_be_added(ledger, tmp_path, statement):
    ledger.reserve(use(1), NOW, accept)
    with sqlite3.connect(tmp_path / FILE_NAME) as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE use SET digest = 'x' WHERE id = 2", "DELETE FROM use WHERE id = 1"])
def test_a_change_made_behind_its_back_is_noticed(ledger, tmp_path, statement):
    for number in range(3):
        ledger.reserve(use(number), NOW, accept)
    assert ledger.check() == 3
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("DROP TRIGGER use_keeps")
        other.execute("DROP TRIGGER use_stays")
        other.execute(statement)
    with pytest.raises(LedgerAltered):
        ledger.check()


def test_the_file_is_the_owners_alone(ledger, tmp_path):
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_refusal_writes_nothing(ledger):
    def refuse(_uses):
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        ledger.reserve(use(1), NOW, refuse)
    assert ledger.check() == 0


DIE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from signing_service.custody.ledger import Ledger, Use
ledger = Ledger(Path(sys.argv[1]))
for number in range(5):
    use = Use("a" * 32, "seal", "bureau", f"{number:064x}", f"{number:064x}", "批复", "f" * 64, "standing")
    ledger.reserve(use, datetime(2026, 11, 24, tzinfo=UTC), lambda uses: None)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_reserved_before_a_kill_still_counts(ledger, tmp_path):
    died = subprocess.run([sys.executable, "-c", DIE, tmp_path], check=False)
    assert died.returncode == -signal.SIGKILL
    assert ledger.uses("a" * 32) == ledger.check() == 5
