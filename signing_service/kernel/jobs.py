"""A queue that wakes someone up: huey over SQLite or PostgreSQL, with JSON in place of its pickles.

The pending rows are the truth; a job carries row ids only and may run twice. Nothing is registered at import:
`create_worker` builds a `Jobs`, adds its tasks and runs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from huey.api import Huey, PostgresHuey, SqliteHuey, crontab
from huey.registry import Message
from huey.serializer import Serializer
from sqlalchemy.engine import make_url

RowId = int | str
_MESSAGE, _INSTANT = "message", "instant"


class JsonSerializer(Serializer):  # type: ignore[misc]  # huey has no types
    """Messages as JSON: whoever can write into the queue's table can start known tasks, and run no code of his own."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(_plain(data), ensure_ascii=False).encode()

    def _deserialize(self, data: bytes) -> Any:
        return _restored(json.loads(data))


class Jobs:
    """Tasks by name. The web process only wakes them; the worker also runs them."""

    def __init__(self, database_url: str, *, name: str = "zhengyin") -> None:
        self.huey = _huey(database_url, name)
        self._tasks: dict[str, Any] = {}

    def task(self, name: str, function: Callable[..., object], *, retries: int = 0, delay_seconds: int = 60) -> None:
        """Register a task, to be woken with row ids."""
        wrap = self.huey.task(retries=retries, retry_delay=delay_seconds, name=_identifier(name))
        self._tasks[name] = wrap(lambda *ids: _run(function, *ids))

    def every_minute(self, name: str, function: Callable[[], object]) -> None:
        """Register a task that looks at its pending rows each minute, whether or not anybody woke it."""
        wrap = self.huey.periodic_task(crontab(), name=_identifier(f"{name}_tick"))
        wrap(lambda: _run(function))

    def wake(self, name: str, *ids: RowId) -> None:
        """Run a registered task soon, in some worker."""
        self._tasks[name](*ids)

    def worker(self, *, threads: int = 1) -> Any:
        """huey's consumer: `run()` until a signal, or `start()` and `stop(graceful=True)`."""
        return self.huey.create_consumer(workers=threads, periodic=True, initial_delay=0.05, max_delay=1.0, backoff=1.3)

    def close(self) -> None:
        self.huey.storage.close()


def _run(function: Callable[..., object], *ids: RowId) -> None:
    """Results are not kept: what a task did stands in its rows."""
    function(*ids)


def _identifier(name: str) -> str:
    return "task_" + "".join(character if character.isalnum() else "_" for character in name)


def _huey(database_url: str, name: str) -> Huey:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        beside = Path(url.database or "zhengyin.db").with_name("queue.db")
        return SqliteHuey(name, filename=str(beside), results=False, serializer=JsonSerializer(), fsync=True)
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return PostgresHuey(name, dsn=dsn, results=False, serializer=JsonSerializer())


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Message):
        return {_MESSAGE: {field: _plain(part) for field, part in zip(value._fields, value, strict=True)}}
    if isinstance(value, datetime):
        return {_INSTANT: value.isoformat()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"map": {key: _plain(part) for key, part in value.items()}}
    raise TypeError(f"a job carries row ids, not {type(value).__name__}")


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_restored(part) for part in value)
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()))
    if kind == _INSTANT:
        return datetime.fromisoformat(content)
    parts = {key: _restored(part) for key, part in content.items()}
    return Message(**parts) if kind == _MESSAGE else parts
