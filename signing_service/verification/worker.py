"""Judges a file in a process of its own, with limits on memory and time: a hostile file can hurt nothing else.

The child gets the bytes and the policy, and returns a finished report. A policy with a fetcher cannot be sent to
another process; it is judged in this one, by the same engine and its in-process limits.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
from dataclasses import dataclass
from multiprocessing.connection import Connection

from signing_service.verification.policy import Policy
from signing_service.verification.ports import Facts, StatusSource
from signing_service.verification.reasons import REASONS
from signing_service.verification.report import Check, Report


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """seconds: CPU and wall time; memory: bytes of address space besides three times the file."""

    seconds: int = 50
    memory: int = 1 << 30


class _Answered:
    """A status source that already knows its answer, so that it can travel."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def facts(self, ids: object, digest: bytes, at: object) -> Facts:
        return self._facts


def verify_in_worker(
    pdf: bytes,
    policy: Policy,
    status: StatusSource | None = None,
    *,
    file_name: str = "",
    limits: WorkerLimits | None = None,
) -> Report:
    """As `engine.verify`, within limits; what exceeds them is `resource_limit`. `status` is asked in this process."""
    bounds = limits or WorkerLimits()
    from signing_service.verification import engine

    if policy.fetcher is not None:
        return engine.verify(pdf, policy, status, file_name=file_name)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_judge, args=(theirs, pdf, policy, status, file_name, bounds), daemon=True
    )
    child.start()
    theirs.close()
    try:
        report = ours.recv() if ours.poll(bounds.seconds) else None
    except EOFError:
        report = None
    finally:
        ours.close()
        child.kill()
        child.join()
    return report if isinstance(report, Report) else _stopped(pdf, policy, file_name)


def _judge(
    connection: Connection,
    pdf: bytes,
    policy: Policy,
    status: StatusSource | None,
    file_name: str,
    bounds: WorkerLimits,
) -> None:
    from signing_service.verification import engine

    room = bounds.memory + 3 * len(pdf)
    resource.setrlimit(resource.RLIMIT_AS, (_used() + room, _used() + room))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.seconds, bounds.seconds + 1))
    connection.send(engine.verify(pdf, policy, status, file_name=file_name))
    connection.close()


def _used() -> int:
    """Address space in use, bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _stopped(pdf: bytes, policy: Policy, file_name: str) -> Report:
    report = Report(
        file_name, hashlib.sha256(pdf).digest(), policy.at, "resource_limit", REASONS["resource_limit"].usable
    )
    report.checks.append(
        Check("0 reading", "indeterminate", "the checking process reached its limit of time or memory")
    )
    return report
