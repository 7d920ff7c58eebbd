"""What became of every document of a batch, as CSV for a spreadsheet and as JSON for a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from signing_service.errors import Language
from signing_service.pades.batch_tables import BatchState, SealBatch, SealBatchItem

COLUMNS = ("file", "state", "code", "reason", "sha256", "output", "source_sha256", "time")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def row(item: SealBatchItem, language: Language) -> dict[str, Any]:
    """One document: `sha256` is that of the sealed file, `time` when it was sealed or refused (ISO 8601)."""
    zh, en = item.reason_text or ("", "")
    return {
        "file": item.name, "state": str(item.state), "code": item.reason, "reason": zh if language == "zh" else en,
        "sha256": item.result, "output": item.output if item.result else "", "source_sha256": item.source,
        "time": item.ended_at.isoformat() if item.ended_at else "",
    }  # fmt: skip


def summary(batch: SealBatch, counts: Mapping[str, int], language: Language) -> dict[str, Any]:
    """The batch in numbers; `state` is `done` when nothing is left to do."""
    left = counts["pending"] + counts["leased"]
    waits = left and batch.state == BatchState.PAUSED
    zh, en = (batch.pause_text if waits else None) or ("", "")
    return {
        "batch": batch.id, "seal": batch.seal_id, "type": batch.document_type, "level": batch.level,
        "state": str(batch.state) if left or batch.state == BatchState.OPEN else "done", "counts": dict(counts),
        "pause_code": batch.pause_code if waits else "", "pause_reason": zh if language == "zh" else en,
        "created_at": batch.created_at.isoformat(),
    }  # fmt: skip


def as_csv(items: Iterable[SealBatchItem], language: Language) -> str:
    """With a byte-order mark, so that spreadsheets read Chinese; a name that looks like a formula is kept from it."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(COLUMNS)
    for item in items:
        writer.writerow([_plain(str(value)) for value in row(item, language).values()])
    return "\ufeff" + output.getvalue()


def as_json(batch: SealBatch, counts: Mapping[str, int], items: Iterable[SealBatchItem], language: Language) -> str:
    content = summary(batch, counts, language) | {"documents": [row(item, language) for item in items]}
    return json.dumps(content, ensure_ascii=False, indent=1)


def _plain(text: str) -> str:
    readable = text.encode("utf-8", "replace").decode()
    return "'" + readable if readable.startswith(_FORMULA) else readable
