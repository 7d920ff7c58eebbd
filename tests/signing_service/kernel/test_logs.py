"""Logs are JSON lines with the request's id; what looks like a person's number is taken out, traceback included."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from signing_service.kernel.database import Database
from signing_service.kernel.logs import HIDDEN, about, configure_logs

NUMBER, PHONE = "11010519491231002X", "13800138000"  # the standard's own example; plainly test data


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, written = list(root.handlers), root.level, io.StringIO()
    configure_logs("test", written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_who_and_for_which_request(stream: io.StringIO) -> None:
    with about(request_id="r1"):
        logging.getLogger("room").warning("use %s stays open", 7, extra={"status": 500})
    logging.getLogger("room").warning("later")
    first, second = lines(stream)
    assert (first["event"], first["request_id"], first["status"]) == ("use 7 stays open", "r1", 500)
    assert (first["process"], first["level"], first["logger"]) == ("test", "warning", "room")
    assert first["timestamp"].endswith("Z")
    assert "request_id" not in second


def test_numbers_are_taken_out_of_message_extra_and_traceback(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"holder {NUMBER}")
    except ValueError:
        logging.getLogger("room").exception("asked by %s", PHONE, extra={"seen": [NUMBER], "more": {"a": PHONE}})
    written = stream.getvalue()
    assert NUMBER not in written
    assert PHONE not in written
    (line,) = lines(stream)
    assert f"holder {HIDDEN}" in line["exception"]
    assert line["seen"] == [HIDDEN]


def test_digests_times_and_identifiers_stay(stream: io.StringIO) -> None:
    digest, licence = "4" * 64, "1.2.156.3005.2.11990100MB000006XP001.11990000MB9900013U.D22NCA7FEWSPF200L1LL.001.G"
    logging.getLogger("room").warning("%s %s %s", digest, licence, 20261125101112)
    assert lines(stream)[0]["event"] == f"{digest} {licence} 20261125101112"


def test_a_database_error_does_not_repeat_what_was_stored(database: Database) -> None:
    with pytest.raises(DBAPIError) as raised, database.read() as session:
        session.execute(text("SELECT * FROM no_such_table WHERE code = :code"), {"code": NUMBER})
    assert NUMBER not in str(raised.value)
