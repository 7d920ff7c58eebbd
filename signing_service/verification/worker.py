"""Judges a file in a process of its own, with limits on memory and time: a hostile file can hurt nothing else.

The child has the bytes and the policy and no way to the world; what it needs of the policy's fetcher and of the status
source it asks for over the pipe, and the calling process answers.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from signing_service.verification.policy import Policy
from signing_service.verification.ports import Facts, StatusSource
from signing_service.verification.reasons import REASONS
from signing_service.verification.report import Check, Report

_ENGINE = "signing_service.verification.engine"


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """seconds: of CPU and of wall time; memory: bytes of address space besides three times the file's size."""

    seconds: float = 50
    memory: int = 1 << 30


class _RemoteStatus:
    """The calling process's status source, seen from the child."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        self._connection.send(("facts", (tuple(ids), digest, at)))
        found: Facts = self._connection.recv()
        return found


class _RemoteFetcher:
    """The calling process's fetcher, seen from the child."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def crl(self, url: str) -> bytes | None:
        return self._ask("crl", url)

    def ocsp(self, url: str, request: bytes) -> bytes | None:
        return self._ask("ocsp", url, request)

    def _ask(self, method: str, *arguments: str | bytes) -> bytes | None:
        self._connection.send((method, arguments))
        found: bytes | None = self._connection.recv()
        return found


def verify_in_worker(
    pdf: bytes,
    policy: Policy,
    status: StatusSource | None = None,
    *,
    file_name: str = "",
    limits: WorkerLimits | None = None,
) -> Report:
    """As `engine.verify`, within limits; what exceeds them is `resource_limit`. Ports are called in this process, and
    what they raise is raised here."""
    bounds = limits or WorkerLimits()
    context = _context()
    ours, theirs = context.Pipe()
    plain = replace(policy, fetcher=None)
    wanted = (theirs, pdf, plain, policy.fetcher is not None, status is not None, file_name, bounds)
    child = context.Process(target=_judge, args=wanted, daemon=True)
    child.start()
    theirs.close()
    try:
        report = _serve(ours, policy, status, time.monotonic() + bounds.seconds)
    finally:
        ours.close()
        child.kill()
        child.join()
    return report or _stopped(pdf, policy, file_name)


def _context() -> Any:
    """Forking is quickest, and safe only while this process has one thread."""
    if threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_ENGINE])
    return context


def _serve(connection: Connection, policy: Policy, status: StatusSource | None, deadline: float) -> Report | None:
    """Answer the child's questions until it reports; None when time is up or it died."""
    ports: dict[str, Any] = {}
    if status is not None:
        ports["facts"] = status.facts
    if policy.fetcher is not None:
        ports |= {"crl": policy.fetcher.crl, "ocsp": policy.fetcher.ocsp}
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while connection.poll(max(0.0, deadline - time.monotonic())):
            message = connection.recv()
            if isinstance(message, Report):
                return message
            method, arguments = message
            connection.send(ports[method](*arguments))
    return None


def _judge(
    connection: Connection, pdf: bytes, policy: Policy, fetches: bool, asks: bool, file_name: str, bounds: WorkerLimits
) -> None:
    """The child's whole life."""
    from signing_service.verification import engine

    used = _used()
    room = used + bounds.memory + 3 * len(pdf)
    seconds = max(1, int(bounds.seconds))
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if fetches:
        policy = replace(policy, fetcher=_RemoteFetcher(connection))
    status = _RemoteStatus(connection) if asks else None
    connection.send(engine.verify(pdf, policy, status, file_name=file_name))
    connection.close()


def _used() -> int:
    """Address space in use, bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _stopped(pdf: bytes, policy: Policy, file_name: str) -> Report:
    digest = hashlib.sha256(pdf).digest()
    report = Report(file_name, digest, policy.at, "resource_limit", REASONS["resource_limit"].usable)
    report.checks.append(
        Check("0 reading", "indeterminate", "the checking process reached its limit of time or memory")
    )
    return report
