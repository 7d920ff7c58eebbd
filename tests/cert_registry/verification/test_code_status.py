"""What a paper code is worth today: each state its own answer; copies; sightings counted as a hint."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest

from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from cert_registry.verification.code_status import CodeStanding, Register, standing_of_code
from cert_registry.verification.lookup import CodeFacts, OtherIssuer, OtherRegistry
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CaseState
from signing_service.kernel.database import Database
from signing_service.printing.issued_codes import IssuedCode
from signing_service.printing.ledger import PrintLedger
from tests.cert_registry.world import BUREAU, CLERK, SetClock, business


@pytest.fixture
def judge(database: Database, catalogue: Catalogue, clock: SetClock):
    others: dict[str, OtherRegistry] = {}

    def ask(subject: str, kind: str = "licence", **details: str) -> CodeStanding:
        with database.write() as session:
            facts = CodeFacts(subject, {"kind": kind, **details})
            return standing_of_code(session, Register(catalogue, others), facts, clock.now())

    ask.others = others  # type: ignore[attr-defined]
    return ask


def case(database: Database, clock: SetClock, state: CaseState, **values: Any) -> str:
    """A case row as it stands in that state."""
    made = ApprovalCase(
        id=secrets.token_hex(16), number=secrets.token_hex(6), source="window", source_key=secrets.token_hex(6),
        matter="project-plan", title="示例产业园方案的批复", document_mode="two", state=state, department="approvals",
        issuer_code=BUREAU.code, issuer_name=BUREAU.name, applicant_name="示例建设有限公司", applicant_code="x",
        applicant_code_type="001", content={}, received_at=clock.now(), **values,
    )  # fmt: skip
    with database.write() as session:
        session.add(made)
        return made.id


@pytest.mark.parametrize(
    ("operation", "reason", "word"),
    [("", "passed", "有效"), ("suspend", "licence_suspended", "暂扣"), ("revoke", "licence_ended", "撤销")],
)
def test_a_licence_as_it_stands(
    judge, issue, database: Database, clock: SetClock, operation: str, reason: str, word: str
):
    done = issue(business())
    if operation:
        with database.write() as session:
            change = Change(operation, clock.now(), "示例", "示例条例")
            record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, clock.now())
    found = judge(done.identifier)
    assert (found.reason, found.usable_now) == (reason, "no" if operation else "yes")
    assert word in found.sentence.zh
    assert found.subject == f"licence:{done.identifier}"


def test_a_recalled_simulated_approval_names_the_formal_document(judge, database: Database, clock: SetClock):
    formal = case(database, clock, CaseState.DELIVERED, document_number="示审批〔2026〕9号")
    recalled = case(
        database, clock, CaseState.RECALLED, simulated=True, ended_at=clock.now(), formal_case=formal
    )  # fmt: skip
    found = judge(recalled, "approval")
    assert (found.reason, found.usable_now) == ("recalled", "no")
    assert "示审批〔2026〕9号" in found.sentence.zh
    assert "2026年11月24日" in found.sentence.zh


def test_a_simulated_approval_is_never_usable(judge, database: Database, clock: SetClock):
    found = judge(case(database, clock, CaseState.DELIVERED, simulated=True), "approval")
    assert (found.reason, found.usable_now) == ("simulated", "no")


@pytest.mark.parametrize(
    ("state", "usable"),
    [(CaseState.DELIVERED, "yes"), (CaseState.SUPERSEDED, "no"), (CaseState.IN_REVIEW, "no"), (CaseState.LAPSED, "no")],
)
def test_an_approval_without_a_licence_stands_by_its_case(
    judge, database: Database, clock: SetClock, state: CaseState, usable: str
):
    found = judge(case(database, clock, state), "approval")
    assert (found.usable_now, found.subject.startswith("case:")) == (usable, True)


def test_an_approvals_licence_answers_for_it(judge, issue, database: Database, clock: SetClock):
    made = case(database, clock, CaseState.DELIVERED)
    done = issue(business(approval_id=made))
    with database.write() as session:
        change = Change("revoke", clock.now(), "示例", "示例条例")
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, clock.now())
    found = judge(made, "approval")
    assert (found.reason, found.subject) == ("licence_ended", f"case:{made}")


def test_a_void_copy_is_worth_nothing_however_valid_its_licence(judge, issue, database: Database, clock: SetClock):
    done, ledger = issue(business()), PrintLedger(database, clock)
    ledger.allow(done.identifier, 3, "officer")
    void, good, never = (ledger.reserve(done.identifier, "code:1").serial for _ in range(3))
    for serial in (void, good):
        ledger.rendered(serial, "code:1", "ab" * 32)
        ledger.confirm(serial, "code:1")
    ledger.void(void, "code:1", "卡纸,张示例的联系电话不公开")
    answers = {name: judge(done.identifier, copy_serial=name) for name in (void, good, never, "UNKNOWN")}
    assert [answers[name].reason for name in (void, good, never, "UNKNOWN")] == [
        "copy_voided", "passed", "copy_reserved", "passed",
    ]  # fmt: skip
    assert "张示例" not in answers[void].sentence.zh


def test_each_look_is_counted_and_the_next_one_is_told(judge, issue, database: Database, clock: SetClock):
    done = issue(business())
    with database.write() as session:
        session.add(IssuedCode(short_code="X", payload="P", subject=done.identifier, issued_at=clock.now()))
    first = judge(done.identifier, short_code="X")
    clock.instant += timedelta(days=1)
    second = judge(done.identifier, short_code="X")
    assert first.seen_before is None
    assert second.seen_before is not None
    assert "此前核验过1次,最近一次2026年11月24日" in second.seen_before.zh
    assert second.usable_now == "yes"


def test_unknown_and_foreign(judge):
    unknown = str(LicenceIdentifier("11990000MB0000019F001", BUREAU.code, "0" * 20, 1))
    with pytest.raises(LicenceNotFound):
        judge(unknown)
    judge.others[BUREAU.code] = OtherRegistry("示例省登记局", "https://other.example.cn/v")
    with pytest.raises(OtherIssuer):
        judge(unknown)
    with pytest.raises(LicenceNotFound):
        judge("0" * 32, "approval")
