"""What `zhengyin audit renewals` tells: what a run did, and what is still due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cli.renewing import Round
from cli.stage import Stage
from signing_service.errors import Text
from signing_service.verification.renewal_book import due, without_timestamp


def report(stage: Stage, done: Round, margin: timedelta) -> dict[str, Any]:
    """One document: `looked_at`, `renewed`, `failed` of this run; `due` and `without_timestamp` as it stands now."""
    with stage.database.read() as session:
        rows = [
            {"document": row.digest, "newest": row.newest, "ends_at": row.ends_at and row.ends_at.isoformat(),
             "cause": row.cause, "failure": row.failure}
            for row in due(session, stage.clock.now() + margin)
        ]  # fmt: skip
        return {**done.as_json(), "due": rows, "without_timestamp": without_timestamp(session)}


def lines(told: dict[str, Any]) -> Iterator[Text]:
    """The same for people."""
    for document, newest in told["renewed"].items():
        yield Text(f"✔ {document} 已续期,新版本 {newest}", f"✔ {document} renewed, now {newest}")
    for row in told["due"]:
        when = (row["ends_at"] or "—")[:10]
        if row["failure"]:
            failure = row["failure"]
            yield Text(f"✖ {row['document']} 未能续期:{failure}({when})", f"✖ {row['document']} {failure} ({when})")
        else:
            yield Text(
                f"! {row['document']} 须在 {when} 前续期({row['cause']})",
                f"! {row['document']} to be renewed before {when} ({row['cause']})",
            )
    count = len(told["due"])
    yield Text(
        f"待续期 {count} 份;本次新登记 {told['looked_at']} 份,续期 {len(told['renewed'])} 份;"
        f"没有时间戳的 {told['without_timestamp']} 份。",
        f"{count} due; {told['looked_at']} looked at for the first time, {len(told['renewed'])} renewed; "
        f"{told['without_timestamp']} have no timestamp.",
    )
