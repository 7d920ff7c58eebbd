"""Child processes of one home: started as `zhengyin …` commands, known to be ready by one JSON line, always stopped."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signing_service.errors import SigningServiceError, Text

READY_SECONDS = 60.0
_TIED = "ZHENGYIN_ENDS_WITH_PARENT"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_SECONDS = 10.0


class ProcessNotReady(SigningServiceError):
    code = "process_not_ready"

    def __init__(self, name: str, log: Path) -> None:
        last = _last_line(log)
        super().__init__(
            Text(f"进程 {name} 没有启动成功。", f"The process {name} did not start."),
            why=Text(f"它最后报告:{last}", f"Its last words: {last}"),
            advice=Text(f"详见 {log}。", f"See {log}."),
        )


@contextmanager
def running(home: Path, *arguments: str, log: Path) -> Iterator[dict[str, Any]]:
    """Run `zhengyin --home HOME ARGUMENTS` until leaving the block; gives the JSON line that it prints when ready.

    What it prints to stderr goes to the file `log`. Raises ProcessNotReady.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cli", "--home", str(home), *arguments]
    with log.open("ab") as errors:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, _TIED: "1"}
        )
    try:
        yield _wait_until_ready(child, arguments[0], log)
    finally:
        _stop(child)


def end_with_parent() -> None:
    """The child's side, first thing: where `running` started it, the kernel ends it when its parent is gone (Linux)."""
    if os.environ.pop(_TIED, "") and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def announce_ready(**facts: Any) -> None:
    """The child's side: one JSON line on stdout."""
    print(json.dumps({"ready": True, **facts}), flush=True)


def _wait_until_ready(child: subprocess.Popen[bytes], name: str, log: Path) -> dict[str, Any]:
    assert child.stdout is not None  # noqa: S101  # it was asked for as a pipe
    readable, _, _ = select.select([child.stdout], [], [], READY_SECONDS)
    line = child.stdout.readline() if readable else b""
    try:
        facts: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        raise ProcessNotReady(name, log) from None
    return facts


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(STOP_SECONDS)
    if child.poll() is None:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "-"
