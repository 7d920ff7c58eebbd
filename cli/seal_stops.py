"""What the register stops, custody stops too: a seal not yet active, suspended or ended there is frozen here.

Freezing goes over custody's socket from anywhere. Lifting takes custody's own folder (ADR 0042): a process that may
not open it says so, and what to run there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cli.seal_making import MAKER
from signing_service.custody.core import Custody
from signing_service.custody.errors import CustodyError
from signing_service.custody.ledger import REGISTER
from signing_service.custody.ports import CustodyPort
from signing_service.errors import ExplainedError, Text
from signing_service.pki.rules import Actor
from signing_service.seals.errors import CustodyBehind
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import STATE_NAMES, State, Status, Why
from signing_service.seals.seal_tables import SealRow
from signing_service.settings import Settings

BEGUN = "启用日已到"
_LOG = logging.getLogger(__name__)
STOPPED = (State.MADE, State.FILED, State.SUSPENDED, State.REPLACED, State.CANCELLED, State.VOID, State.EXPIRED)


class StopStands(CustodyBehind):
    """The register was changed; custody's stop could not be lifted from here."""

    code = "seal_stop_stands"

    def __init__(self, seal_id: str) -> None:
        super().__init__(
            Text("印章已在登记中启用,但密钥保管进程仍然停用它。", "It is active on record; custody still stops it."),
            why=Text("只有保管主机上的保管账户可以解除。", "Only custody's own account on its machine lifts a stop."),
            advice=Text(
                f"请在保管主机上运行:zhengyin seals thaw {REGISTER}{seal_id} --reason 理由 --as 管理员",
                f"On custody's machine run: zhengyin seals thaw {REGISTER}{seal_id} --reason WHY --as OFFICER",
            ),
        )


class StopNotPut(CustodyBehind):
    """The register was changed; custody could not be told yet."""

    code = "seal_stop_not_put"

    def __init__(self, cause: str) -> None:
        super().__init__(
            Text("印章已在登记中停用,密钥保管进程暂时联系不上。", "It is stopped on record; custody was not reached."),
            why=Text(f"原因:{cause}。", f"Cause: {cause}."),
            advice=Text(
                "后台每分钟重试;文件放行前仍会核对登记状态。如情况紧急,请到保管主机执行 zhengyin seals freeze。",
                "The worker tries again each minute, and the register is asked before any file leaves.",
            ),
        )


@dataclass(frozen=True, slots=True)
class SealStops:
    """Keeps custody's stops in step with one home's register."""

    settings: Settings
    register: SealRegister
    custody: CustodyPort

    def change(self, seal_id: str, move: str, actor: Actor, why: Why) -> SealRow:
        """A move in the register, then custody told. Raises what the move raises; StopNotPut, StopStands after it."""
        row = self.register.change(seal_id, move, actor, why)
        self.follow(seal_id, actor, why.reason)
        return row

    def follow(self, seal_id: str, actor: Actor, reason: str) -> None:
        """Put or lift custody's stop as the seal's present state wants it. Idempotent."""
        with self.register.database.read() as session:
            status = self.register.status(session, seal_id, self.register.clock.now())
        try:
            stands = f"{REGISTER}{seal_id}" in self._standing()
            if status.state in STOPPED and not stands:
                self._put(seal_id, status, actor.id, reason)
        except CustodyError as trouble:
            raise StopNotPut(trouble.code) from trouble
        if status.usable and stands:
            self._lift(seal_id, actor, reason)

    def agree(self) -> int:
        """Put every stop that is missing; returns how many. For the worker, each minute.

        It lifts none but the maker's, of a seal whose day has come; a suspension's is for whoever resumes (ADR 45).
        """
        standing, now, put = self._standing(), self.register.clock.now(), 0
        with self.register.database.read() as session:
            states = {row.id: self.register.status(session, row.id, now) for row in self.register.all(session)}
        for seal_id, status in states.items():
            if status.state in STOPPED and f"{REGISTER}{seal_id}" not in standing:
                self._put(seal_id, status, "seal-register", status.reason)
                put += 1
            elif status.usable and standing.get(f"{REGISTER}{seal_id}") == MAKER:
                self._begin(seal_id)
        return put

    def _begin(self, seal_id: str) -> None:
        try:
            self._lift(seal_id, Actor("seal-register"), BEGUN)
        except StopStands as stands:
            _LOG.warning("%s", stands.explain("en"))

    def _standing(self) -> dict[str, str]:
        """The scopes that are stopped, and who stopped each."""
        return {stop.scope: stop.actor for stop in self.custody.frozen()}

    def _put(self, seal_id: str, status: Status, actor: str, reason: str) -> None:
        words = reason or STATE_NAMES[status.state].zh
        self.custody.freeze(f"{REGISTER}{seal_id}", actor=actor, reason=words)

    def _lift(self, seal_id: str, actor: Actor, reason: str) -> None:
        try:
            own = Custody(self.settings.custody)
        except (ExplainedError, OSError) as closed:
            _LOG.warning("the stop of seal %s stands: %s", seal_id, closed)
            raise StopStands(seal_id) from closed
        try:
            own.thaw(f"{REGISTER}{seal_id}", actor=actor.id, reason=reason)
        finally:
            own.close()
