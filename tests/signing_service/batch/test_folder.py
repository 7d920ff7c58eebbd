"""A real office's folder: each entry has its own result and its own reason, and no entry stops the others."""

import csv
import errno
import io
import json
import os
from pathlib import Path

import pytest

from signing_service.kernel.blobs import BlobMissing
from signing_service.pades.batch_documents import FolderDocuments, place
from signing_service.pades.batch_folder import as_items, list_folder
from signing_service.pades.batch_report import as_csv
from signing_service.pades.batch_rules import (
    MOST_AT_ONCE,
    batch_key,
    concerns_all,
    how_many,
    item_id,
    output_name,
    placing_as_json,
    placing_from_json,
    reason_of,
)
from signing_service.pades.batch_tables import ItemState, SealBatchItem
from signing_service.pades.errors import PlacingRefused, TimestampFailed
from signing_service.pades.placing import AnchorPlacing, FreeSpotPlacing, Placing, SeamPlacing
from signing_service.seals.authorisation_errors import AuthorisationNotForThisDocument, AuthorisationUsed
from signing_service.seals.conditions import DailyLimitReached


@pytest.fixture
def mess(folder):
    """One of each that a folder may hold."""
    source = folder(2)
    first = (source / "批复0000.pdf").read_bytes()
    (source / ".DS_Store").write_bytes(b"x")
    (source / ".hidden.pdf").write_bytes(first)
    (source / "notes.txt").write_text("备忘")
    (source / "same.pdf").write_bytes(first)
    (source / "broken.pdf").write_bytes(b"%PDF-1.7\nnot really")
    (source / "empty.pdf").write_bytes(b"")
    (source / "link.pdf").symlink_to(source / "批复0000.pdf")
    (source / "twice.pdf").write_bytes(first + b"\n% one\n")
    (source / "twice.PDF").write_bytes(first + b"\n% two\n")
    (source / "old.sealed.pdf").write_bytes(first + b"\n% sealed\n")
    os.mkfifo(source / "pipe.pdf")
    inner = source / "sub"
    inner.mkdir()
    (inner / "inner.pdf").write_bytes(first + b"\n% inner\n")
    return source


def reasons(document):
    return {each["file"]: each["code"] or each["state"] for each in document["documents"]}


def test_every_entry_has_its_result_and_its_reason(office, mess, sealed_files):
    office.apply(mess, code=1)
    report = json.loads((mess / "sealing-report.json").read_text())
    assert reasons(report) == {
        ".DS_Store": "hidden", ".hidden.pdf": "hidden", "notes.txt": "not_a_pdf", "same.pdf": "sealed",
        "批复0000.pdf": "duplicate", "批复0001.pdf": "sealed", "broken.pdf": "pdf_unreadable",
        "empty.pdf": "pdf_unreadable",
        "link.pdf": "symbolic_link", "twice.PDF": "sealed", "twice.pdf": "output_name_taken",
        "old.sealed.pdf": "sealed_already", "pipe.pdf": "not_a_file", "sub": "folder",
    }  # fmt: skip
    table = list(csv.DictReader(io.StringIO((mess / "sealing-report.csv").read_text(encoding="utf-8-sig"))))
    assert {line["file"]: line["state"] for line in table} == {e["file"]: e["state"] for e in report["documents"]}
    assert all(line["reason"] for line in table if line["state"] != "sealed")
    again = office.apply(mess, "--retry-refused", code=1)
    assert (again["counts"]["sealed"], again["counts"]["refused"]) == (3, 3)
    office.check_once(again["batch"], 3)


def test_with_subfolders_and_an_output_folder_the_tree_is_mirrored(office, mess, tmp_path):
    out = tmp_path / "out"
    office.apply(mess, "--recursive", "--out", out, code=1)
    made = {str(path.relative_to(out)) for path in out.rglob("*.pdf")}
    assert made == {"same.pdf", "批复0001.pdf", "twice.pdf", "sub/inner.pdf"}
    assert not list(mess.glob("sealing-report.*"))


def test_a_dry_run_says_what_would_be_and_writes_nothing(office, mess):
    before, batch = sorted(mess.rglob("*")), office.latest()
    document = office.apply(mess, "--dry-run")
    assert reasons(document)["broken.pdf"] == "pdf_unreadable"
    assert [each["output"] for each in document["documents"] if each["file"] == "same.pdf"] == ["same.sealed.pdf"]
    assert sorted(mess.rglob("*")) == before
    assert (office.latest() and office.latest().id) == (batch and batch.id)


def test_what_stands_at_the_outputs_place_is_never_replaced(office, folder):
    source = folder(2, "besetzt")
    (source / "批复0001.sealed.pdf").write_bytes(b"somebody else's")
    office.apply(source, code=1)
    assert (source / "批复0001.sealed.pdf").read_bytes() == b"somebody else's"
    assert reasons(json.loads((source / "sealing-report.json").read_text()))["批复0001.pdf"] == "output_exists"
    (source / "批复0001.sealed.pdf").unlink()
    assert office.apply(source, "--retry-refused")["counts"]["sealed"] == 2


# --- rules -----------------------------------------------------------------------------------------------------


def test_what_the_next_document_would_meet_too_makes_the_batch_wait():
    waits = (DailyLimitReached("", ""), AuthorisationUsed(1, 1), TimestampFailed([]))
    of_one = (PlacingRefused("", ""), AuthorisationNotForThisDocument("a"), OSError(errno.EIO, "x"), BlobMissing("a"))
    assert [concerns_all(error) for error in (*waits, *of_one)] == [True] * 3 + [False] * 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left"), "disk_full"), (OSError(errno.EDQUOT, "Quota"), "disk_full"),
        (PermissionError(errno.EACCES, "Permission denied"), "file_unreadable"), (ZeroDivisionError(), "unexpected"),
        (PlacingRefused("甲", "a"), "placing_refused"),
    ],
)  # fmt: skip
def test_every_failure_has_a_code_and_a_sentence_in_both_languages(error, code):
    reason = reason_of(error)
    assert reason.code == code
    assert reason.text.zh != reason.text.en


def leasable(attempts, size=1000):
    return SealBatchItem(attempts=attempts, size=size)


@pytest.mark.parametrize(
    ("candidates", "count"),
    [
        ([], 0), ([leasable(1), leasable(0)], 1), ([leasable(0), leasable(1), leasable(0)], 1),
        ([leasable(0)] * 50, MOST_AT_ONCE), ([leasable(0, 20 * 2**20)] * 3, 1), ([leasable(0, 10**9)], 1),
    ],
)  # fmt: skip
def test_what_failed_before_is_tried_alone_and_large_files_go_in_few(candidates, count):
    assert how_many(candidates) == count


def test_names_are_the_same_for_the_same_and_differ_for_others():
    assert item_id("a", "b", "c") == item_id("a", "b", "c") != item_id("a", "b", "d")
    assert batch_key({"x": 1, "y": 2}) == batch_key({"y": 2, "x": 1}) != batch_key({"x": 1, "y": 3})
    assert output_name("sub/甲.PDF", beside=True) == "sub/甲.sealed.pdf"
    assert output_name("sub/甲.PDF", beside=False) == "sub/甲.pdf"


@pytest.mark.parametrize("placing", [Placing(-1, 3, 4), AnchorPlacing("盖章处"), FreeSpotPlacing(0), SeamPlacing(0, 4)])
def test_a_placing_reads_back(placing):
    assert placing_from_json(json.loads(json.dumps(placing_as_json(placing)))) == placing


def test_a_file_name_cannot_become_a_formula_in_the_report():
    item = SealBatchItem(name="=HYPERLINK(1).pdf", state=ItemState.SEALED, output="", result="", reason="", source="")
    assert "'=HYPERLINK" in as_csv([item], "zh")


def test_an_output_that_appears_at_the_last_moment_keeps_its_place(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"theirs")
    place(b"ours", tmp_path / "a.pdf", "x")
    place(b"theirs", tmp_path / "a.pdf", "x")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.pdf": b"theirs", "a-1.pdf": b"ours"}


def test_what_a_killed_worker_left_goes_where_its_row_says(folder):
    source = folder(3)
    items = as_items("b", list_folder(source, recursive=False), beside=True)
    documents = FolderDocuments(source, source)
    results = documents.keep([(item, documents.open(item)) for item in items])
    for item, state in zip(items, (ItemState.SEALED, ItemState.PENDING, ItemState.SEALED), strict=True):
        item.state = state
    items[0].result, items[2].result = results[items[0].id], "another's"
    documents.tidy(items)
    assert [path.name for path in source.glob("*.sealed.pdf")] == [items[0].output]
    assert not list(Path(source).glob(".zhengyin-*"))
