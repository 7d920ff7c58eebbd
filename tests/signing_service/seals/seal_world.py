"""A register with seals in it, for the tests of this room: a clock to be put forward, officers, finished seals."""

from datetime import UTC, datetime, timedelta

from signing_service.kernel.audit_log import AuditLog
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import UseRequest
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import ADMINISTRATOR, Kind, Why
from signing_service.seals.structures import SealContent, make_seal

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = Actor("seal-admin-1", frozenset({ADMINISTRATOR}), "aa" * 32)
SECOND = Actor("seal-admin-2", frozenset({ADMINISTRATOR}), "bb" * 32)
CLERK = Actor("reviewer-1")
HOLDER = Actor("seal-holder")
OWNER = "11990000MB9900013U"
ECDSA = "1.2.840.10045.4.3.2"


class Clock:
    def __init__(self):
        self.instant = NOW

    def now(self):
        return self.instant


class World:
    """`add` brings a seal as far as is asked: requested, approved, made, filed or active."""

    def __init__(self, database, holders):
        self.clock = Clock()
        self.register = SealRegister(database, self.clock, AuditLog())
        self.maker, self.key = holders.Holder("示例制章单位"), holders.Holder("示例印章")

    def add(self, seal_id="bureau", *, until="active", name="示例市行政审批局", **changed):
        given = {
            "id": seal_id, "kind": Kind.STATUTORY, "owner_name": name, "owner_code": OWNER, "department": "approvals",
            "holders": ("seal-holder",), "design": SealDesign(name), "valid_from": NOW - DAY,
            "valid_until": NOW + 365 * DAY, **changed,
        }  # fmt: skip
        self.register.apply(Application(**given), FIRST, Why("设立机构", "示例政发〔2026〕1号"))
        steps = {
            "approved": lambda: self.register.change(seal_id, "approve", SECOND),
            "made": lambda: self.register.make(seal_id, self.structure(seal_id, name), FIRST),
            "filed": lambda: self.register.change(seal_id, "file", FIRST, Why("", "备案 2026-0001")),
            "active": lambda: self.register.change(seal_id, "activate", FIRST),
        }
        for state, step in steps.items():
            if until == "requested":
                break
            step()
            if state == until:
                break

    def structure(self, seal_id, name):
        content = SealContent(seal_id, 1, name, (self.key.certificate,), NOW, NOW, NOW + DAY, b"\x89PNG", 42, 42)
        return make_seal(content, maker=self.maker.certificate, algorithm_oid=ECDSA, sign=self.maker.sign)

    def state(self, seal_id, at=None):
        with self.register.database.read() as session:
            return self.register.status(session, seal_id, at or self.clock.instant).state


def request(number, **changed):
    return UseRequest(f"case-{number}", "批复", f"{number:064x}", "reviewer-1", **changed)
