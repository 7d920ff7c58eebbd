"""A vendor module in a process of its own: a crash is a named error and a restart, a hang ends in bounded time.

The owner's process never loads vendor code. The host is spawned, never forked; after a crash the next call
starts a new one, in which nobody is logged in.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from .errors import ModuleCrashed, ModuleTimeout
from .host_child import PACKED, read_message, write_message
from .module_port import OPERATIONS, SECONDS, ModulePort
from .wire import encode, open_answer

SLOW_SECONDS = 180.0
START_SECONDS = 30.0
_SLOW = frozenset({"generate", "init_token", "try_mechanisms"})


class ModuleHost:
    """One host process and the pipe to it. One call at a time; `_lock` guards process and pipe."""

    def __init__(self, path: str, *, environment: Mapping[str, str] | None = None, seconds: float = SECONDS) -> None:
        self.path = path
        self.starts = 0
        self._environment = dict(environment or {})
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Each operation of `ModulePort`, carried out in the host."""
        if name not in OPERATIONS:
            raise AttributeError(name)
        return lambda *arguments: self._operate(name, arguments)

    def _operate(self, operation: str, arguments: tuple[object, ...]) -> Any:
        seconds = max(self._seconds, SLOW_SECONDS) if operation in _SLOW else self._seconds
        with self._lock:
            process = self._running()
            try:
                write_message(cast(BinaryIO, process.stdin), encode([operation, list(arguments)]))
            except OSError as error:
                self._end()
                raise ModuleCrashed(module=self.path) from error
            return self._receive(seconds)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._answers = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [*_host_command(), self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._child_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.starts += 1
        threading.Thread(target=_collect, args=(self._process.stdout, self._answers), daemon=True).start()
        self._receive(START_SECONDS)
        return self._process

    def _child_environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parent.parent)
        known = os.environ.get("PYTHONPATH")
        paths = os.pathsep.join([root, known] if known else [root])
        return {**os.environ, **self._environment, "PYTHONPATH": paths}

    def _receive(self, seconds: float) -> Any:
        try:
            message = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._end()
            raise ModuleTimeout(module=self.path, detail=f"{seconds:g} s") from None
        if message is None:
            code = self._end(grace=2.0)
            raise ModuleCrashed(module=self.path, detail=f"exit {code}")
        try:
            return open_answer(message)
        except ValueError as error:
            self._end()
            raise ModuleCrashed(module=self.path, detail=str(error)) from error

    def _end(self, *, grace: float = 0.0) -> int | None:
        """Kills the host unless it ends by itself within `grace` seconds; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            return process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def abort(self) -> None:
        """Ends the host in the middle of a call, which then raises ModuleCrashed in its own thread."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Ends the host; waits for a call that is under way."""
        with self._lock:
            self._end()


def _host_command() -> list[str]:
    """A packed program (PyInstaller) has no `python -m`: it starts itself, which `host_child.serve_if_host` answers."""
    return [sys.executable, PACKED] if getattr(sys, "frozen", False) else [sys.executable, "-m", "hardware.host_child"]


def _collect(stream: BinaryIO, answers: queue.SimpleQueue[bytes | None]) -> None:
    """Moves messages from the pipe into the queue; None at its end."""
    with stream:
        while (message := read_message(stream)) is not None:
            answers.put(message)
    answers.put(None)


def host(path: str, *, environment: Mapping[str, str] | None = None, seconds: float = SECONDS) -> ModulePort:
    """A module in a host of its own; started at the first call."""
    return cast(ModulePort, ModuleHost(path, environment=environment, seconds=seconds))
