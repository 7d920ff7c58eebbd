"""Structured logs: one JSON line an event on stderr, with the request's id, without personal numbers.

What the rooms log by `logging` passes through structlog's processors. Evidence is the audit log's matter; these lines
are for whoever runs the machine. The last processor takes out what looks like a person's number, should one get here.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

_NUMBERS = (
    re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])"),  # GB 11643: a citizen's number
    re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"),  # a mobile telephone
)
HIDDEN = "[number]"
QUIET = ("uvicorn.error", "uvicorn.access", "huey", "huey.consumer", "alembic", "urllib3", "fontTools", "pyhanko")


def configure_logs(process: str, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Call once when a process starts. `process`: web, worker or custody; stands on every line."""

    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),        structlog.processors.TimeStamper(fmt="iso", utc=True), named,
    ]  # fmt: skip
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info,
            without_numbers, structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )  # fmt: skip
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )  # fmt: skip


@contextmanager
def about(**facts: str) -> Iterator[None]:
    """Facts that stand on every line logged within the block, in threads that it starts too: a request's id."""
    with structlog.contextvars.bound_contextvars(**facts):
        yield


def without_numbers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: texts with what looks like a person's number taken out."""
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        for pattern in _NUMBERS:
            value = pattern.sub(HIDDEN, value)
        return value
    if isinstance(value, dict):
        return {name: _clean(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part) for part in value]
    return value if isinstance(value, bool | int | float | None) else _clean(str(value))
