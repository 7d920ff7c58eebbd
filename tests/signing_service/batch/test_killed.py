"""Killed at any point of its work, a batch goes on where it was: nothing lost, nothing sealed twice."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.seal_batches import BatchRequest, new_batch
from cli.sign import DEFAULT_PLACE, parse_place
from signing_service.pades.batch_folder import as_items, list_folder
from signing_service.pades.batch_tables import ItemState
from signing_service.pades.request import Level
from signing_service.pki.rules import Actor

KILLED_WORKER = Path(__file__).with_name("killed_worker.py")
COUNT = 8


def until(condition, *, seconds=120):
    """Looks again and again until the condition gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize(
    ("office", "point"),
    [
        ("sqlite", "leased"), ("postgresql", "reserved"), ("sqlite", "signed"), ("postgresql", "signed"),
        ("postgresql", "kept"), ("sqlite", "released"), ("sqlite", "half-published"),
    ],
    indirect=["office"],
)  # fmt: skip
def test_a_worker_killed_at_a_point_leaves_nothing_lost_and_nothing_double(office, folder, sealed_files, point):
    source = folder(COUNT, point)
    (source / "zz.txt").write_text("kein PDF")
    batch_id = entered(office, source)
    dead = subprocess.run(
        [sys.executable, str(KILLED_WORKER), str(office.home), batch_id, point], check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL
    done = office.apply(source, "--as", "reviewer-1")
    assert done["batch"] == batch_id
    assert done["counts"] == {"pending": 0, "leased": 0, "sealed": COUNT, "refused": 0, "skipped": 1}
    assert len(sealed_files(source)) == COUNT
    assert not list(source.glob(".zhengyin-*"))
    office.check_once(batch_id, COUNT)


def entered(office, source):
    """The batch as the command lists it, before any worker begins."""
    book = office.book()
    name = {"machine": platform.node(), "folder": source, "output": source, "seal": "default", "type": "batch",
            "level": "B-B", "place": DEFAULT_PLACE, "queue": False}  # fmt: skip
    request = BatchRequest(name, "default", "batch", Level.B_B, parse_place(DEFAULT_PLACE), Actor("reviewer-1"),
                           folder=source, output=source)  # fmt: skip
    batch = book.open(new_batch(office.settings, book.register, request))
    book.add(as_items(batch.id, list_folder(source, recursive=False), beside=True))
    return batch.id


@pytest.mark.parametrize("office", ["sqlite", "postgresql"], indirect=True)
def test_the_whole_command_killed_in_the_middle_goes_on_at_the_next_run(office, folder, sealed_files):
    source = folder(200, "ganz")
    child = office.start(
        "seals", "apply", source, "--seal", "default", "--level", "B-B", "--workers", 2, "--as", "reviewer-1"
    )
    book = office.book()

    def in_the_middle():
        batch = office.latest()
        if batch is None or batch.folder != str(source):
            return None
        return batch.id if 0 < book.counts(batch.id)[ItemState.SEALED] < 200 else None

    batch_id = until(in_the_middle)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    done = office.apply(source, "--as", "reviewer-1")
    assert (done["batch"], done["state"], done["counts"]["sealed"]) == (batch_id, "done", 200)
    assert len(sealed_files(source)) == 200
    assert not list(source.glob(".zhengyin-*"))
    office.check_once(batch_id, 200)


def test_one_killed_worker_process_is_made_up_for_within_the_same_run(office, folder, sealed_files):
    source = folder(120, "einer")
    child = office.start(
        "seals", "apply", source, "--seal", "default", "--level", "B-B", "--workers", 2, "--as", "reviewer-1"
    )
    book = office.book()

    def held_by():
        batch = office.latest()
        if batch is None or batch.folder != str(source):
            return None
        return [item.worker for item in book.items(batch.id, states=[ItemState.LEASED])]

    os.kill(int(until(held_by)[0].split(":")[1]), signal.SIGKILL)
    assert child.wait(120) == 0
    assert len(sealed_files(source)) == 120
    office.check_once(office.latest().id, 120)


def test_ctrl_c_finishes_what_is_in_hand_and_the_next_run_goes_on(office, folder, sealed_files):
    source = folder(200, "strg-c")
    child = office.start(
        "seals", "apply", source, "--seal", "default", "--level", "B-B", "--workers", 1, "--as", "reviewer-1"
    )
    book = office.book()
    until(lambda: office.latest().folder == str(source) and book.counts(office.latest().id)[ItemState.SEALED])
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(60) == 1
    counts = book.counts(office.latest().id)
    assert counts["leased"] == 0
    assert 0 < counts["sealed"] == len(sealed_files(source))
    assert counts["sealed"] + counts["pending"] == 200
    assert (source / "sealing-report.csv").exists()
    assert office.apply(source, "--as", "reviewer-1")["counts"]["sealed"] == 200
    office.check_once(office.latest().id, 200)
