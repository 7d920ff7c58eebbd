"""The main job with a fault at every step: nothing lost, double or half-released. `python -m bench.faults [RUNS]`.

Each run takes a fresh case on one home, puts one fault in at one event (a transaction begins or commits, a timestamp is
asked for, the clock is looked at), looks at what was left, lets the job go on without the fault, and looks again.
Prints a report; the exit code is 1 when anything was lost, doubled or half-released.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from cert_registry.licences.register import Licence
from cli import cast
from cli.demo_tokens import demo_tokens
from cli.evidence_log import home_checkpoints, keep_evidence
from cli.init import SQLITE_URL, STEPS, make_home
from cli.opened_home import open_home
from cli.own_services import OwnTimestamper
from cli.progress import Progress
from cli.registry_parts import COPY_ORDER, RegistryDesk
from cli.restored_checks import check_log
from cli.sealing import give_standing_order
from cli.stage import Stage, open_stage
from signing_service.approvals.register import ApprovalCase, RouteStep, StepSignature
from signing_service.approvals.rules import CaseState
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.outbox import OutboxMessage
from signing_service.seals.seal_tables import SealUse
from signing_service.seals.use_book import UseState

KINDS = ("kill", "database", "disk", "token", "tsa", "clock")
EVENTS, STAMPS, LOOKS = 60, 4, 80
"""How far the events of a kind are worth going: a whole job has about so many."""
RELEASED = (CaseState.DELIVERED,)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `wrong`: what was found broken, empty when all is well; `left`: the state in which the fault left it."""

    kind: str
    at: int
    left: str
    wrong: tuple[str, ...]


def make_faulty_home(folder: Path) -> Path:
    """A home with the holder's standing orders, so that a job needs nobody else."""
    settings = make_home(folder / "home", SQLITE_URL, Progress(STEPS, "en"))
    stage = open_stage(settings)
    registry = RegistryDesk(stage, OwnTimestamper(stage.pki.tsa))
    with demo_tokens(stage).opened(cast.SEAL_HOLDER) as holder:
        for name in [*(kind.key for kind in registry.catalogue), COPY_ORDER]:
            give_standing_order(stage.order_book(), stage.custody, holder, name, stage.clock.now())
    stage.close()
    return settings.home


def plan(runs: int) -> Iterator[tuple[str, int]]:
    """Fault and event of each run, spread over all kinds; killing has most of them."""
    most = {"tsa": STAMPS, "clock": LOOKS}
    for number in range(runs):
        kind = KINDS[0] if number % 2 == 0 else KINDS[1 + number // 2 % (len(KINDS) - 1)]
        span = most.get(kind, EVENTS)
        yield kind, 1 + (number * 7919) % span


def run_once(home: Path, key: str, kind: str, at: int) -> Run:
    """The job with the fault, then without it."""
    _job(home, key, kind, at)
    pulled = home / "tokens" / "pulled"
    if pulled.exists():
        pulled.rename(home / "tokens" / "tokens")
    stage = open_stage(open_home(home))
    try:
        left, half = _left(stage, key), _half_released(stage, key)
    finally:
        stage.close()
    said = _job(home, key, "none", 0)
    stage = open_stage(open_home(home))
    try:
        wrong = [*half, *([f"did not go on: {said['stopped']}"] if "stopped" in said else []), *_wrong(stage, key)]
    finally:
        stage.close()
    return Run(kind, at, left, tuple(wrong))


def check_evidence(home: Path) -> list[str]:
    """The log over all runs holds, and every entry has its place."""
    stage = open_stage(open_home(home))
    try:
        keep_evidence(stage.database, home_checkpoints(stage, OwnTimestamper(stage.pki.tsa)))
        outcome = check_log(stage, None)
        return [] if outcome is not None and outcome.holds else ["the log does not hold"]
    finally:
        stage.close()


def report(runs: Sequence[Run]) -> str:
    """A table by kind of fault, then what went wrong."""
    lines = ["| fault | runs | left behind | wrong |", "|---|---|---|---|"]
    for kind in KINDS:
        mine = [run for run in runs if run.kind == kind]
        if mine:
            left = ", ".join(f"{state} {count}" for state, count in sorted(Counter(r.left for r in mine).items()))
            lines.append(f"| {kind} | {len(mine)} | {left} | {sum(bool(run.wrong) for run in mine)} |")
    lines += [f"{run.kind} at {run.at}, left {run.left}: {'; '.join(run.wrong)}" for run in runs if run.wrong]
    return "\n".join(lines)


def _job(home: Path, key: str, fault: str, at: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.fault_job", str(home), key, fault, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == -9 and fault == "kill":
        return {"stopped": "killed"}
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"stopped": f"not by name: {done.stderr.strip()[-300:]}"}
    return said


def _case(stage: Stage, key: str) -> ApprovalCase | None:
    with stage.database.read() as session:
        return session.scalar(select(ApprovalCase).where(ApprovalCase.source_key == key))


def _left(stage: Stage, key: str) -> str:
    case = _case(stage, key)
    return "nothing" if case is None else str(case.state)


def _half_released(stage: Stage, key: str) -> list[str]:
    """What may never be seen, at no moment: released without a stored, sealed document, or a licence before release."""
    case = _case(stage, key)
    if case is None:
        return []
    with stage.database.read() as session:
        licences = session.scalar(
            select(func.count()).where(Licence.approval_id == case.id, Licence.digest.is_not(None))
        )
        message = session.scalar(select(OutboxMessage).where(OutboxMessage.key == case.id))
        entries = session.scalars(select(AuditEntry.kind).where(AuditEntry.subject == f"case:{case.id}")).all()
    state, found = CaseState(case.state), []
    if (state in RELEASED) != (message is not None) or (state in RELEASED) != ("case.release" in entries):
        found.append(f"half-released: {state}")
    if licences and state not in RELEASED:
        found.append("a licence of a case that is not released")
    return found


def _wrong(stage: Stage, key: str) -> list[str]:
    """After the job went on: one case, one signature a step, one use of the seal, one licence, all of it readable."""
    with stage.database.read() as session:
        cases = session.scalars(select(ApprovalCase).where(ApprovalCase.source_key == key)).all()
        if len(cases) != 1 or CaseState(cases[0].state) not in RELEASED:
            return [f"{len(cases)} cases, {[str(case.state) for case in cases]}"]
        case, found = cases[0], []
        steps = select(RouteStep.id).where(RouteStep.case_id == case.id)
        signatures = session.scalar(select(func.count()).where(StepSignature.step_id.in_(steps)))
        found += [] if signatures == len(cast.REVIEWERS) else [f"{signatures} signatures"]
        uses = select(func.count()).where(SealUse.reference == case.id, SealUse.state == UseState.RELEASED)
        found += [] if session.scalar(uses) == 1 else [f"{session.scalar(uses)} released uses of the seal"]
        licences = session.scalars(select(Licence).where(Licence.approval_id == case.id)).all()
        outward = [version.digest for version in case.versions if version.kind == "reply" and version.signatures]
    if len(licences) != 1 or not licences[0].digest or case.licence != licences[0].identifier:
        return [*found, f"{len(licences)} licences, the case names {case.licence or 'none'}"]
    for digest in (outward[-1] if outward else "", licences[0].digest):
        verdict = stage.judge(stage.blobs.get(digest)).as_json()["verdict"] if digest else "none stored"
        found += [] if verdict == "passed" else [f"a document is {verdict}"]
    return found


def main(runs: int) -> int:
    with tempfile.TemporaryDirectory(prefix="zhengyin-faults-") as folder:
        home, done = make_faulty_home(Path(folder)), []
        for number, (kind, at) in enumerate(plan(runs)):
            done.append(run_once(home, f"request-{number}", kind, at))
            print(f"{number + 1}/{runs} {kind} {at} {done[-1].left} {'; '.join(done[-1].wrong)}", file=sys.stderr)
        wrong = check_evidence(home)
    print(report(done))
    print("\n".join(wrong))
    return 1 if wrong or any(run.wrong for run in done) else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
