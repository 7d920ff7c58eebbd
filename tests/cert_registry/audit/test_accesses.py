"""Who looked: a holder over all his licences, an auditor over what was refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from cert_registry.audit.accesses import accesses, accesses_of, refused_accesses
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Database

START = datetime(2026, 11, 24, tzinfo=UTC)


def look(session: Session, licence: str, department: str, at: datetime) -> None:
    details = {"purpose": "受理", "matter": "M1", "department_name": f"示例{department}"}
    act = Act("api.read", f"client:{department}", f"licence:{licence}", department, details=details)
    AuditLog().record(session, act, at)


def test_a_holder_sees_all_his_licences_and_an_auditor_what_was_refused(database: Database) -> None:
    log = AuditLog()
    with database.write() as session:
        for place in range(3):
            look(session, f"L{place}", "housing", START + timedelta(minutes=place))
    for minutes, department in ((5, "tax"), (7, "housing")):
        act = Act("api.read", f"client:{department}", "licence:L1", department, details={"purpose": "x"})
        log.refuse(database, act, START + timedelta(minutes=minutes), "grant_missing")
    with database.read() as session:
        mine, more = accesses_of(session, ["L0", "L1"], refusals=False, limit=10)
        assert [(row.licence, row.department) for row in mine] == [("L1", "示例housing"), ("L0", "示例housing")]
        assert more is None
        first, more = accesses_of(session, ["L0", "L1"], refusals=True, limit=3)
        assert [row.result for row in first] == ["refused", "refused", "allowed"]
        rest, _more = accesses_of(session, ["L0", "L1"], refusals=True, limit=3, before=more)
        assert [row.licence for row in rest] == ["L0"]
        assert len(accesses(session, "L1", refusals=False, limit=10)[0]) == 1
        refused, _more = refused_accesses(session, since=START, limit=10)
        assert [row.department for row in refused] == ["housing", "tax"]
        late = START + timedelta(minutes=6)
        assert len(refused_accesses(session, since=late, limit=10)[0]) == 1
        assert refused_accesses(session, since=START, limit=10, department="tax")[0][0].reason == "grant_missing"
