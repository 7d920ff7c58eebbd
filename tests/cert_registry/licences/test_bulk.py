"""Bulk issue: validation of every row first, sealed waiting rows, stopping half-way and going on."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import func, select

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.bulk import (
    BulkIssuing,
    BulkJobUnknown,
    BulkRow,
    failures,
    paused_because,
    progress,
    start,
    validate,
    waiting_jobs,
)
from cert_registry.licences.bulk_files import MOST_UNPACKED_BYTES, BulkFileUnreadable, rows_of
from cert_registry.licences.drafts import Draft
from cert_registry.licences.issue import Issuing
from cert_registry.licences.register import Licence
from tests.cert_registry.world import BUREAU, CLERK, COMPANY, PERSON, SHOP, paper_code, seal


class NoOrder(RegistryError):
    """As sealing raises it where no standing order covers the type."""

    code = "no_standing_order"

    def __init__(self) -> None:
        super().__init__(Text("没有可用的长期用印授权。", "There is no standing order."))


HEAD = "holder_name,holder_code,holder_code_type,legal_representative,place,business_form,items,valid_until\n"


def csv_file(folder: Path, *lines: str) -> Path:
    path = folder / "rows.csv"
    path.write_text("\ufeff" + HEAD + "".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def line(name: str = SHOP.name, code: str = SHOP.code, kind: str = "001", until: str = "") -> str:
    return f"{name},{code},{kind},张示例,示例路,餐饮服务经营者,热食;冷食,{until}"


def begin(issuing: Issuing, path: Path) -> str:
    kind = issuing.catalogue.get("food-licence")
    with issuing.database.write() as session:
        return start(
            session, issuing.vault, kind, rows_of(path, kind), BUREAU, date(2026, 11, 24), CLERK, issuing.clock.now()
        )


def test_every_wrong_row_is_reported_before_anything_is_issued(issuing: Issuing, tmp_path: Path) -> None:
    kind = issuing.catalogue.get("food-licence")
    path = csv_file(tmp_path, line(), line(code="91990100MA0000015Y"), line(until="soon"), line(name=""))
    found = list(validate(rows_of(path, kind), kind))
    assert [(problem.row, problem.error.code) for problem in found] == [
        (2, "holder_code_invalid"), (3, "fields_invalid"), (4, "holder_code_invalid"),
    ]  # fmt: skip
    assert "91990100MA0000015Y" not in found[0].error.explain("zh")


def test_rows_wait_sealed_are_issued_once_and_leave_only_the_identifier(issuing: Issuing, tmp_path: Path) -> None:
    job = begin(
        issuing, csv_file(tmp_path, line(), line(PERSON.name, PERSON.code, "111"), line(COMPANY.name, COMPANY.code))
    )
    with issuing.database.read() as session:
        contents = list(session.scalars(select(BulkRow.content)))
    assert all(PERSON.code.encode() not in content for content in contents)
    assert waiting_jobs(issuing) == [job]
    seen: list[int] = []
    work = BulkIssuing(issuing, paper_code, seal)
    assert work.run(job, each=lambda: seen.append(1)) == {"issued": 3}
    assert len(seen) == 3
    assert waiting_jobs(issuing) == []
    assert work.run(job) == {"issued": 3}
    with issuing.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Licence)) == 3
        assert set(session.scalars(select(BulkRow.content))) == {b""}
        assert session.scalars(select(Licence.fields)).first()["items"] == ["热食", "冷食"]  # type: ignore[index]


def test_a_stopped_run_goes_on_and_a_failed_row_may_be_tried_again(issuing: Issuing, tmp_path: Path) -> None:
    job = begin(issuing, csv_file(tmp_path, line(), line(), line()))
    sealed: list[str] = []

    def stops_at_the_second(draft: Draft, pdf: bytes) -> bytes:
        sealed.append(draft.identifier)
        if len(sealed) == 2:
            raise KeyboardInterrupt
        return seal(draft, pdf)

    with pytest.raises(KeyboardInterrupt):
        BulkIssuing(issuing, paper_code, stops_at_the_second).run(job)
    assert progress(issuing, job) == {"issued": 1, "waiting": 2}
    with issuing.database.write() as session:
        session.get_one(BulkRow, (job, 3)).content = b"\x01 altered in the database"
    assert BulkIssuing(issuing, paper_code, seal).run(job) == {"issued": 2, "failed": 1}
    assert [row for row, why in failures(issuing, job) if why.startswith("holder_code_unreadable")] == [3]
    assert BulkIssuing(issuing, paper_code, seal).run(job) == {"issued": 2, "failed": 1}
    with pytest.raises(BulkJobUnknown):
        BulkIssuing(issuing, paper_code, seal).run("none")


def test_what_would_stop_every_row_pauses_the_job_and_fails_none(issuing: Issuing, tmp_path: Path) -> None:
    job = begin(issuing, csv_file(tmp_path, line(), line()))

    def without_order(_draft: Draft, _pdf: bytes) -> bytes:
        raise NoOrder

    assert BulkIssuing(issuing, paper_code, without_order).run(job) == {"waiting": 2}
    assert paused_because(issuing, job).startswith("no_standing_order")
    assert BulkIssuing(issuing, paper_code, seal).run(job) == {"issued": 2}
    assert paused_because(issuing, job) == ""


def test_an_excel_file_is_read_as_the_same_rows_as_csv(issuing: Issuing, tmp_path: Path) -> None:
    kind = issuing.catalogue.get("food-licence")
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    cells = line(until="2027-01-31").split(",")
    sheet.append(HEAD.strip().split(","))
    sheet.append([*cells[:-1], date(2027, 1, 31)])
    sheet.append([None] * len(cells))
    sheet.append(cells)
    book.save(tmp_path / "rows.xlsx")
    rows = list(rows_of(tmp_path / "rows.xlsx", kind))
    assert rows == [*rows_of(csv_file(tmp_path, *[line(until="2027-01-31")] * 2), kind)]
    assert list(validate(rows, kind)) == []
    sheet.append([PERSON.name, 110105194912310020, "111", *cells[3:]])
    book.save(tmp_path / "rows.xlsx")
    with pytest.raises(BulkFileUnreadable, match="Line 5 ") as caught:
        list(rows_of(tmp_path / "rows.xlsx", kind))
    assert "110105194912310020" not in caught.value.explain("zh")


def test_a_bulk_file_may_not_unpack_into_gigabytes(issuing: Issuing, tmp_path: Path) -> None:
    packed = zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED)
    with packed, packed.open("xl/worksheets/sheet1.xml", "w") as entry:
        for _ in range(MOST_UNPACKED_BYTES // 2**20 + 1):
            entry.write(bytes(2**20))
    with pytest.raises(BulkFileUnreadable):
        list(rows_of(tmp_path / "bomb.xlsx", issuing.catalogue.get("food-licence")))


def test_json_lines_may_have_several_holders(issuing: Issuing, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    holders = [{"name": one.name, "code": one.code, "code_type": one.code_type} for one in (PERSON, COMPANY)]
    path.write_text(json.dumps({"holders": holders, "fields": {"content": "同意。"}}) + "\n\n", encoding="utf-8")
    kind = issuing.catalogue.get("approval-reply")
    rows = list(rows_of(path, kind))
    assert list(validate(rows, kind)) == []
    assert len(rows[0]["holders"]) == 2


@pytest.mark.parametrize(
    ("name", "content", "line_number"),
    [
        ("a.csv", HEAD.encode() + b"a,b\n", 2),
        ("a.csv", HEAD.encode() + b"\xff\xfe,1,2,3,4,5,6,7\n", 1),
        ("a.jsonl", b'{"holders": []}\nnot json\n', 2),
        ("a.jsonl", b"[]\n", 1),
        ("a.xlsx", b"PK not really", 1),
    ],
)
def test_an_unreadable_file_names_the_line(
    catalogue: object, tmp_path: Path, name: str, content: bytes, line_number: int
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BulkFileUnreadable, match=f"Line {line_number} "):
        list(rows_of(path, catalogue.get("food-licence")))  # type: ignore[attr-defined]
