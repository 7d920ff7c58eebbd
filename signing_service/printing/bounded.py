"""Work on a picture or file from outside, in a process of its own with limits on memory and time.

As for judging (`verification.worker`): a hostile file can hurt nothing else, and what takes too long is stopped.
"""

from __future__ import annotations

import multiprocessing
import resource
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from signing_service.errors import Text
from signing_service.printing.errors import PrintingError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """seconds: of CPU, so that a busy server refuses nothing that a quiet one takes; wall: seconds by the clock, after
    which waiting ends all the same; memory: bytes of address space besides what the process begins with."""

    seconds: float = 25
    memory: int = 2 << 30
    wall: float = 240


class TooMuchWork(PrintingError):
    """The limits were reached, or the file brought the process down."""

    code = "too_much_work"

    def __init__(self) -> None:
        super().__init__(
            Text("图片或文件过大,已停止处理。", "The picture or file is too large; work on it was stopped."),
            advice=Text(
                "请上传较小的图片,例如手机拍的一页。", "Upload a smaller picture, such as a photo of one page."
            ),
        )


def bounded(work: Callable[..., T], *arguments: Any, limits: Limits = Limits()) -> T:  # a frozen value
    """`work(*arguments)` in a process of its own; both have to be picklable, and so its result.

    Raises TooMuchWork. What `work` raises counts as too much: it has to return what it wants to tell.
    """
    context = _context()
    ours, theirs = context.Pipe()
    child = context.Process(target=_run, args=(theirs, work, arguments, limits), daemon=True)
    child.start()
    theirs.close()
    try:
        with suppress(EOFError, ConnectionResetError):
            if ours.poll(limits.wall):
                done: T = ours.recv()[0]
                return done
        raise TooMuchWork
    finally:
        ours.close()
        child.kill()
        child.join()


def _context() -> Any:
    """Forking is quickest, and safe only while this process has one thread."""
    return multiprocessing.get_context("fork" if threading.active_count() == 1 else "forkserver")


def _run(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...], limits: Limits) -> None:
    """The child's whole life."""
    room, seconds = _used() + limits.memory, max(1, int(limits.seconds))
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(Exception):
        connection.send((work(*arguments),))
    connection.close()


def _used() -> int:
    """Address space in use, bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
