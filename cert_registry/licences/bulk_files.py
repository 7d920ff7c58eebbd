"""Rows of a bulk file: CSV (UTF-8, header line), Excel (.xlsx, first sheet, header row) or JSON lines. Reading only.

Columns: `holder_name`, `holder_code`, `holder_code_type`, `number`, `valid_from`, `valid_until`, `matter_code`,
`matter_name`; every other column is a field of the type. Lists are parted by a semicolon.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from cert_registry.errors import Text
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.errors import LicenceError
from cert_registry.licences.holders import USCC

MOST_ROWS = 100_000
MOST_ROW_BYTES = 64 * 1024
MOST_UNPACKED_BYTES = 512 * 1024 * 1024
MOST_EXACT = 10**15
COMMON = ("number", "valid_from", "valid_until", "matter_code", "matter_name")


class BulkFileUnreadable(LicenceError):
    code = "bulk_file_unreadable"

    def __init__(self, line: int, why: Text) -> None:
        super().__init__(
            Text(f"批量文件第 {line} 行无法读取。", f"Line {line} of the bulk file cannot be read."),
            why=why,
            advice=Text("请改正后重新导入;没有颁发任何证照。", "Correct it and start again; nothing was issued."),
        )


def rows_of(path: Path, kind: LicenceType) -> Iterator[dict[str, Any]]:
    """Each row as {"holders": […], "fields": {…}, common entries}, one at a time. Raises BulkFileUnreadable."""
    read = READERS.get(path.suffix.lower(), _csv)
    for count, row in enumerate(read(path, kind), start=1):
        if count > MOST_ROWS:
            raise BulkFileUnreadable(count, Text(f"超过 {MOST_ROWS} 行", f"more than {MOST_ROWS} rows"))
        yield row


def _csv(path: Path, kind: LicenceType) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for entries in reader:
                if None in entries or None in entries.values():
                    raise BulkFileUnreadable(reader.line_num, Text("列数与表头不同", "it has not the header's columns"))
                yield _from_columns(entries, kind)
        except (csv.Error, UnicodeDecodeError) as failure:
            raise BulkFileUnreadable(reader.line_num + 1, Text(str(failure), str(failure))) from None


def _excel(path: Path, kind: LicenceType) -> Iterator[dict[str, Any]]:
    """The first sheet, row by row: openpyxl reads it as a stream. Empty rows are passed over."""
    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as failure:
        raise BulkFileUnreadable(1, Text(f"不是 xlsx 文件:{failure}", f"not an xlsx file: {failure}")) from None
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        names = [str(cell or "").strip() for cell in next(rows, ())]
        for line, cells in enumerate(rows, start=2):
            texts = [_cell_text(cell, line) for cell in cells]
            if any(texts):
                if any(texts[len(names) :]):
                    raise BulkFileUnreadable(line, Text("列数与表头不同", "it has not the header's columns"))
                named = {name: text for name, text in zip(names, texts, strict=False) if name}
                yield _from_columns(named, kind)
    finally:
        book.close()


def _check_size(path: Path) -> None:
    """A small file may unpack into a very large one. Raises BulkFileUnreadable."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except (zipfile.BadZipFile, OSError):
        raise BulkFileUnreadable(1, Text("不是 xlsx 文件", "not an xlsx file")) from None
    if size > MOST_UNPACKED_BYTES:
        raise BulkFileUnreadable(1, Text("文件解压后太大", "the file is too large when unpacked"))


def _cell_text(cell: object, line: int) -> str:
    """A cell as CSV would have it. Raises BulkFileUnreadable for a number that Excel has rounded (15 digits)."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        if abs(cell) >= MOST_EXACT:
            why = Text("长数字请设为文本格式,否则 Excel 会丢失末几位", "format long numbers as text; Excel rounds them")
            raise BulkFileUnreadable(line, why)
        return str(int(cell)) if cell == int(cell) else str(cell)
    return str(cell).strip()


def _from_columns(entries: Mapping[str, str], kind: LicenceType) -> dict[str, Any]:
    plain = {name.strip(): value.strip() for name, value in entries.items()}
    holder = {
        "name": plain.pop("holder_name", ""),
        "code": plain.pop("holder_code", ""),
        "code_type": plain.pop("holder_code_type", "") or USCC,
    }
    row: dict[str, Any] = {name: plain.pop(name, "") for name in COMMON}
    fields = {name: _value(kind, name, value) for name, value in plain.items() if value}
    return {**row, "holders": [holder], "fields": fields}


def _value(kind: LicenceType, name: str, text: str) -> Any:
    field = kind.field(name)
    if field is not None and field.kind == "list":
        return [part.strip() for part in text.replace(";", ";").split(";") if part.strip()]
    return text


def _json_lines(path: Path, kind: LicenceType) -> Iterator[dict[str, Any]]:
    del kind
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            if len(line) > MOST_ROW_BYTES:
                raise BulkFileUnreadable(number, Text("过长", "too long"))
            try:
                found = json.loads(line)
            except ValueError:
                raise BulkFileUnreadable(number, Text("不是 JSON", "it is not JSON")) from None
            if not isinstance(found, dict) or not isinstance(found.get("holders"), list):
                raise BulkFileUnreadable(number, Text("没有 holders 列表", "it has no list `holders`"))
            yield {**dict.fromkeys(COMMON, ""), "fields": {}, **found}


READERS: Mapping[str, Callable[[Path, LicenceType], Iterator[dict[str, Any]]]] = {
    ".csv": _csv, ".xlsx": _excel, ".jsonl": _json_lines, ".ndjson": _json_lines,
}  # fmt: skip
