"""One case from intake to its licence on a home, in a process that a fault is put into: `python -m bench.fault_job`.

    HOME KEY FAULT N    FAULT: none, count, kill, database, disk, tsa, token, clock; N: at which event of that kind

Run again with the same KEY it goes on where it stopped, as people and the worker would; the case is the same one.
Prints one JSON line: the case, or the code of the named error that stopped it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from cert_registry.licences.from_approval import TOPIC
from cli import cast
from cli.demo_case import CLERK, PROJECT, TWO_DOCUMENTS, CaseRunner
from cli.demo_tokens import demo_tokens
from cli.opened_home import open_home
from cli.own_services import OwnTimestamper
from cli.registry_parts import RegistryDesk
from cli.stage import Stage, open_stage
from hardware.explained import ExplainedError
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.course import begin_review, release
from signing_service.approvals.errors import CaseExists
from signing_service.approvals.intake import CaseRequest, OpenedCase, accept, open_case
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CaseState, StepState
from signing_service.errors import Text
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.outbox import deliver
from signing_service.pki.tsp_client import TimestampUnreachable
from signing_service.seals.recovery import STALE, recover_uses

CLOCK_JUMPS = (timedelta(days=-2), timedelta(minutes=-3), timedelta(hours=9))


class Events:
    """Counts events of one kind and does something at the N-th."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.at, self.act, self.seen = at, act, 0

    def happened(self, *_facts: Any) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.act()


class JumpingClock:
    """The machine's clock until the N-th look; from then on it is wrong by `jump`."""

    def __init__(self, at: int, jump: timedelta) -> None:
        self._at, self._jump, self._seen = at, jump, 0

    def now(self) -> datetime:
        self._seen += 1
        return SystemClock().now() + (self._jump if self._seen >= self._at else timedelta(0))


class FailingTimestamper:
    def __init__(self, inner: OwnTimestamper, events: Events) -> None:
        self._inner, self._events = inner, events

    def timestamp(self, digest: bytes) -> bytes:
        self._events.happened()
        return self._inner.timestamp(digest)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def no_database() -> None:
    raise DBAPIError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))


def no_tsa() -> None:
    raise TimestampUnreachable("http://tsa.example.test/tsa", Text("连接被拒绝。", "Connection refused."))


def put_in(stage: Stage, fault: str, at: int) -> tuple[Stage, Events, Events]:
    """The stage with the fault inside; events of transactions and of timestamps."""
    home = stage.settings.home
    acts: dict[str, Callable[[], None]] = {
        "kill": die, "database": no_database, "disk": lambda: _no_room(home), "token": lambda: _pull(home),
    }  # fmt: skip
    commits = Events(at, acts.get(fault, lambda: None))
    for moment in ("begin", "commit"):  # before anything is written, and before it counts
        event.listen(stage.database.engine, moment, commits.happened)
    stamps = Events(at, no_tsa if fault == "tsa" else lambda: None)
    if fault == "clock":
        clock = JumpingClock(at, CLOCK_JUMPS[at % len(CLOCK_JUMPS)])
        stage = replace(stage, clock=clock, work=replace(stage.work, clock=clock))
    return stage, commits, stamps


def run(home: Path, key: str, fault: str, at: int) -> dict[str, Any]:
    """The whole job, or as far as it comes."""
    plain = open_stage(open_home(home))
    registry_tokens = demo_tokens(plain)
    stage, commits, stamps = put_in(plain, fault, at)
    timestamper = FailingTimestamper(OwnTimestamper(stage.pki.tsa), stamps)
    runner = CaseRunner(stage, replace(registry_tokens, stage=stage), timestamper)
    registry = RegistryDesk(stage, timestamper)
    try:
        case_id = go_on(stage, runner, registry, key)
    except ExplainedError as failure:
        return {"stopped": failure.code, "events": commits.seen}
    except (DBAPIError, OSError) as failure:
        return {"stopped": type(failure).__name__, "events": commits.seen}
    return {"case": case_id, "events": commits.seen, "stamps": stamps.seen}


def go_on(stage: Stage, runner: CaseRunner, registry: RegistryDesk, key: str) -> str:
    """From wherever the case stands to its licence."""
    late = stage.clock.now() + STALE + timedelta(minutes=1)  # as if the worker had come by a quarter of an hour later
    recover_uses(stage.use_book(), stage.custody.was_signed, late)
    opened = opened_case(stage, key)
    state = state_of(stage, opened.case_id)
    if state is CaseState.RECEIVED:
        accept(stage.work, opened.case_id, CLERK)
        state = CaseState.ACCEPTED
    if state is CaseState.ACCEPTED:
        begin_review(stage.work, opened.case_id, CLERK)
    for place, reviewer in enumerate(cast.REVIEWERS):
        if step_state(stage, opened.case_id, place) is not StepState.SIGNED:
            runner.review(opened, reviewer, place)
    if state_of(stage, opened.case_id) is CaseState.APPROVED:
        runner.seal(opened, registry.codes.of_approval)
    if state_of(stage, opened.case_id) is CaseState.SEALED:
        holder = runner.tokens.actor(cast.SEAL_HOLDER)
        release(stage.work, opened.case_id, holder, examine=stage.examine)
    deliver(stage.database, TOPIC, registry.from_approval(), stage.clock.now)
    return opened.case_id


def opened_case(stage: Stage, key: str) -> OpenedCase:
    """The one case of this request; opened now where it is not yet."""
    applicant = Applicant(cast.APPLICANT_NAME, cast.APPLICANT_CODE)
    request = CaseRequest(TWO_DOCUMENTS, applicant, PROJECT, source="platform", source_key=key)
    try:
        return open_case(stage.work, request, CLERK)
    except CaseExists:
        with stage.database.read() as session:
            case = session.scalars(select(ApprovalCase).where(ApprovalCase.source_key == key)).one()
            return OpenedCase(case.id, case.number, "", tuple(step.id for step in case.steps))


def state_of(stage: Stage, case_id: str) -> CaseState:
    with stage.database.read() as session:
        return CaseState(session.get_one(ApprovalCase, case_id).state)


def step_state(stage: Stage, case_id: str, place: int) -> StepState:
    with stage.database.read() as session:
        return StepState(session.get_one(ApprovalCase, case_id).steps[place].state)


def _no_room(home: Path) -> None:
    """No file of this process may grow any more: the limit is where the largest one ends."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))


def _pull(home: Path) -> None:
    """All tokens of the home are gone; whoever started this puts them back."""
    tokens = home / "tokens" / "tokens"
    tokens.rename(tokens.with_name("pulled"))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))))
