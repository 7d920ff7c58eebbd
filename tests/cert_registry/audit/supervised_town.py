"""Cases, uses of a seal and log entries for supervision to look at, with the pages over them on a real server."""

from __future__ import annotations

import hashlib
import socket
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from cert_registry.app import SUPERVISION, WEB
from cert_registry.audit.supervision_orders import SupervisionBook
from cert_registry.web.statuses import install
from cert_registry.web.supervision_act_pages import make_supervision_acts
from cert_registry.web.supervision_pages import make_supervision
from cert_registry.web.supervision_parts import DueRow, SupervisionParts
from signing_service import app as service
from signing_service.approvals import intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import Casework
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.material_notices import ask_material, supplement
from signing_service.approvals.matter_catalogue import MatterCatalogue
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import Actor
from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.blobs import LocalBlobs
from signing_service.kernel.database import Database
from signing_service.people.officers import OfficerCertificate, RoleGrant
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import GrantState, Role
from signing_service.people.sessions import ACTIVE, OfficerSession, Sessions
from signing_service.seals.seal_tables import SealRow, SealUse
from signing_service.settings import Settings
from signing_service.web.browser_session import BrowserSessions

CLERK = Actor("clerk", "approvals", frozenset({"clerk"}))
AUDITOR, OFFICER, STRANGER = "auditor", "li", "zhao"
_TABLES = (OfficerCertificate,)


class SetClock:
    def __init__(self, now: datetime) -> None:
        self.instant = now

    def now(self) -> datetime:
        return self.instant


class Town:
    """`now`: a working day in the city."""

    def __init__(self, database: Database, folder: Path, now: datetime) -> None:
        self.database, self.folder, self.clock, self.audit = database, folder, SetClock(now), AuditLog()
        self.work = Casework(database, LocalBlobs(folder / "blobs"), self.clock, MatterCatalogue.read())
        self.sessions = Sessions(database, self.clock, self.audit, lambda _certificate: True)
        self.book = SupervisionBook(database, self.clock, self.audit)
        self.due: list[DueRow] = []
        self._found(now)

    def case(self, name: str, days_ago: int) -> str:
        """Accepted so many days ago; its id."""
        now, self.clock.instant = self.clock.instant, self.clock.instant - timedelta(days=days_ago)
        fields = {"project_name": name, "location": "示例区滨河路", "content": "新建综合楼一栋"}
        request = CaseRequest("project-plan", Applicant("示例建设有限公司", "91990000MA990001X2"), fields)
        opened = intake.open_case(self.work, request, CLERK)
        intake.accept(self.work, opened.case_id, CLERK)
        self.clock.instant = now
        return opened.case_id

    def troubled_case(self) -> str:
        """Two notices, one of them for material that the list does not have; sealed unsigned, with yesterday's date."""
        fields = {"project_name": "老桥加固", "location": "示例区", "content": "加固"}
        request = CaseRequest("project-plan", Applicant("示例建设有限公司", "91990000MA990001X2"), fields)
        opened = intake.open_case(self.work, request, CLERK)
        for items in (["申请书"], ["无犯罪记录证明"]):
            ask_material(self.work, opened.case_id, CLERK, items)
            supplement(self.work, opened.case_id, CLERK)
        with self.database.write() as session:
            row = session.get_one(ApprovalCase, opened.case_id)
            row.document_date = (self.clock.instant - timedelta(days=1)).date()
        self.use(opened.case_id, self.clock.instant)
        return opened.case_id

    def use(self, reference: str, at: datetime, actor: str = "seal-holder") -> None:
        with self.database.write() as session:
            session.add(
                SealUse(
                    seal_id="default", reference=reference, document_type="批复", digest="ab" * 32, state="released",
                    actor=actor, day=at.date(), reserved_at=at,
                )
            )  # fmt: skip

    def log(self, kind: str, reason: str = "", **facts: Any) -> None:
        act = Act(kind, facts.pop("actor", "client:housing"), facts.pop("subject", "licence:X"), details=facts)
        if reason:
            self.audit.refuse(self.database, act, self.clock.now(), reason)
        else:
            with self.database.write() as session:
                self.audit.record(session, act, self.clock.now())

    def cookie(self, officer: str) -> str:
        """Of a log-in that stands."""
        value, now = f"cookie-of-{officer}", self.clock.now()
        with self.database.write() as session:
            session.merge(
                OfficerSession(
                    id=hashlib.sha256(value.encode()).hexdigest(), officer_id=officer, agent="pc", state=ACTIVE,
                    created_at=now, active_since=now, seen_at=now,
                )
            )  # fmt: skip
        return value

    def app(self, origin: str) -> FastAPI:
        browsers = BrowserSessions(self.sessions, origin)
        parts = SupervisionParts(current=browsers.current, work=self.work, book=self.book, due=lambda: self.due)
        settings = Settings(self.folder, "demo", str(self.database.url), "", "示例市", origin, frozenset())
        made = service.create_app(
            settings,
            service.Parts(
                database=self.database, clock=self.clock, templates=[WEB / "templates"], links=[SUPERVISION],
                routers=[make_supervision_acts(parts), make_supervision(parts)],
            ),
        )  # fmt: skip
        install(made)
        return made

    def _found(self, now: datetime) -> None:
        people = PeopleRegister(self.database, self.clock, self.audit)
        with self.database.write() as session:
            people.add_department(session, "approvals", "示例市行政审批局", "11990000MB9900013U")
            people.add_department(session, "housing", "示例市住房和城乡建设局", "11990000MB9900021N")
            for officer, department, role in (
                (AUDITOR, "housing", Role.AUDITOR), (OFFICER, "approvals", Role.REVIEWER),
                (STRANGER, "housing", Role.REVIEWER),
            ):  # fmt: skip
                people.add_officer(session, NewOfficer(officer, f"{officer} 示例", department))
                session.flush()
                session.add(
                    RoleGrant(
                        officer_id=officer, role=role, state=GrantState.ACTIVE, proposed_by="test", proposed_at=now,
                        reason="test",
                    )
                )  # fmt: skip
            session.add(
                SealRow(
                    id="default", kind="official", name="示例市行政审批局电子印章", owner_name="示例市行政审批局",
                    owner_code="11990000MB9900013U", department="approvals", state="active", applicant="test",
                    holders=["seal-holder"], design={}, conditions={}, valid_from=now, valid_until=now,
                )
            )  # fmt: skip


class Served:
    """The pages of a town on a free port, while the block lasts."""

    def __init__(self, town: Town) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(16)
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(town.app(self.origin), log_level="error", access_log=False))

    def __enter__(self) -> Served:
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join()


def due(count: int) -> DueRow:
    return DueRow(Text("时间戳需要续期的文件", "documents whose timestamp is to be renewed"), count, "2027-01-01")
