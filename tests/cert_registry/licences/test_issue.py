"""Issuing on both databases: one case one licence, versions, merging, numbers, what the PDF says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cert_registry.licences.catalogue import Body
from cert_registry.licences.drafts import Actor, Draft, IssueRequest, Registered
from cert_registry.licences.errors import (
    AlreadyIssued,
    FieldsInvalid,
    HolderCodeInvalid,
    LicenceNotFound,
    NotAnIssuer,
    OperationNotAllowed,
    SealedBytesDiffer,
)
from cert_registry.licences.events import events_after, sequence
from cert_registry.licences.from_approval import FromApproval, ReleaseUnreadable
from cert_registry.licences.holders import Holder
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issue import LEASE, Issuing
from cert_registry.licences.merging import NOTICE_TOPIC, AbsorbedType
from cert_registry.licences.metadata import from_keywords
from cert_registry.licences.operations import Change, record
from cert_registry.licences.register import Licence, LicenceHolder, by_identifier
from cert_registry.licences.status_facts import LicenceStatusFacts, standing_of
from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.clock import in_words
from signing_service.kernel.outbox import OutboxMessage
from signing_service.verification.ports import LicenceState
from tests.cert_registry.world import (
    BUREAU,
    CLERK,
    COMPANY,
    PERSON,
    SHOP,
    TRANSPORT,
    SetClock,
    business,
    paper_code,
    seal,
)

Issue = Callable[[IssueRequest], Registered]


def fetch(issuing: Issuing, identifier: str) -> Licence:
    with issuing.database.read() as session:
        found = by_identifier(session, LicenceIdentifier.parse(identifier))
        assert found.holders
        session.expunge_all()
        return found


def pdf_info(content: bytes, folder: Path) -> dict[str, str]:
    path = folder / "licence.pdf"
    path.write_bytes(content)
    lines = subprocess.run(["pdfinfo", str(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_an_issued_licence_is_found_with_its_state_and_its_log(issuing: Issuing, issue: Issue) -> None:
    done = issue(business())
    licence = fetch(issuing, done.identifier)
    now = issuing.clock.now()
    assert (licence.number, licence.digest, licence.issuer_name) == ("示例照202600000001", done.digest, BUREAU.name)
    assert licence.state(now, now).status == "valid"
    assert standing_of(licence, now, now).usable_now == "yes"
    with issuing.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, f"licence:{done.identifier}")]
    assert kinds == ["licence.prepared", "licence.registered"]


def test_the_file_says_what_the_register_says(issuing: Issuing, issue: Issue, tmp_path: Path) -> None:
    done = issue(business(holders=[replace(COMPANY, name="示例市甲,乙 100% 有限公司")]))
    content = issuing.blobs.get(done.digest)
    info = pdf_info(content, tmp_path)
    values = from_keywords(info["Keywords"])
    assert values["ZZBS"] == done.identifier == info["Subject"]
    assert values["CZZT"] == "示例市甲,乙 100% 有限公司"
    assert (values["ZZBH"], values["ZZYXQJZRQ"], values["CZZTDMLXDM"]) == (done.number, "长期", "001")
    text = subprocess.run(["pdftotext", "-", "-"], input=content, check=True, capture_output=True).stdout.decode()
    for shown in (done.number, "甲", COMPANY.code, "建筑工程施工", "2026年11月24日"):
        assert shown in text.replace(" ", "")
    assert b"pdfaid:part>2<" in content


def test_a_persons_number_is_stored_sealed_and_printed_masked(issuing: Issuing, issue: Issue, tmp_path: Path) -> None:
    fields = {
        "shared_ownership": "共同共有", "location": "示例市示例路2号", "unit_number": "990100000001GB00001F00010001",
        "right_type": "国有建设用地使用权", "right_nature": "出让", "usage": "住宅", "area": "88.5㎡",
    }  # fmt: skip
    done = issue(business(type="real-estate-certificate", fields=fields, holders=[PERSON, COMPANY]))
    licence = fetch(issuing, done.identifier)
    assert [holder.code_shown for holder in licence.holders] == ["11**************2X", COMPANY.code]
    assert issuing.vault.open(licence.holders[0].code_sealed, licence.identifier) == PERSON.code
    assert PERSON.code not in pdf_info(issuing.blobs.get(done.digest), tmp_path)["Keywords"]
    text = subprocess.run(["pdftotext", str(tmp_path / "licence.pdf"), "-"], check=True, capture_output=True, text=True)
    assert PERSON.code not in text.stdout
    assert "11**************2X" in text.stdout
    with issuing.database.read() as session:
        stored = session.scalars(select(LicenceHolder.code_sealed)).all()
    assert all(PERSON.code.encode() not in sealed for sealed in stored)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (business(issuer=Body("11990100MB000006XP", "示例市别的机构")), NotAnIssuer),
        (business(holders=[Holder("甲", "91990100MA0000015Y")]), HolderCodeInvalid),
        (business(holders=[COMPANY, SHOP]), FieldsInvalid),
        (business(holders=[PERSON]), FieldsInvalid),
        (business(fields={}), FieldsInvalid),
        (business(operation="suspend"), FieldsInvalid),
        (business(operation="renew"), FieldsInvalid),
        (business(absorbs=["construction-permit"]), FieldsInvalid),
    ],
)
def test_what_cannot_be_issued_leaves_nothing(
    issuing: Issuing, issue: Issue, request_: IssueRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        issue(request_)
    with issuing.database.read() as session:
        assert session.scalars(select(Licence)).all() == []


def test_two_clerks_at_once_give_one_licence_and_one_conflict(issuing: Issuing, issue: Issue) -> None:
    def attempt(_number: int) -> str:
        try:
            return issue(business("case-9")).identifier
        except AlreadyIssued as refusal:
            return refusal.code

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(attempt, range(2)))
    assert sorted(results)[1] == "already_issued"
    assert results.count("already_issued") == 1


def test_eight_writers_get_eight_numbers_and_the_printed_one_is_the_stored_one(
    issuing: Issuing, issue: Issue, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: issue(business(f"case-{n}")), range(8)))
    assert sorted(one.number for one in done) == [f"示例照2026{n:08}" for n in range(1, 9)]
    for one in done[:2]:
        assert from_keywords(pdf_info(issuing.blobs.get(one.digest), tmp_path)["Keywords"])["ZZBH"] == one.number


def test_a_draft_is_nobodys_licence_and_may_be_taken_over_after_its_lease(
    issuing: Issuing, issue: Issue, clock: SetClock
) -> None:
    draft = issuing.prepare(business("case-5"), CLERK)
    with pytest.raises(LicenceNotFound):
        fetch(issuing, draft.identifier)
    with pytest.raises(AlreadyIssued):
        issue(business("case-5"))
    clock.instant += LEASE + timedelta(seconds=1)
    done = issue(business("case-5"))
    assert (done.identifier, done.number) == (draft.identifier, draft.number)
    with pytest.raises(AlreadyIssued):
        issuing.register(draft, b"late", business("case-5"), CLERK)


def test_only_the_rendered_file_sealed_can_be_registered(issuing: Issuing) -> None:
    draft = issuing.prepare(business("case-6"), CLERK)
    rendered = issuing.render(draft, paper_code(draft))
    for other in (rendered, rendered[:-1] + b"x" + b"sealed", b"%PDF-1.7 something else"):
        with pytest.raises(SealedBytesDiffer):
            issuing.register(draft, other, business("case-6"), CLERK)
    assert issuing.register(draft, seal(draft, rendered), business("case-6"), CLERK).identifier == draft.identifier


def test_renewal_raises_the_version_links_both_and_ends_the_old_one(
    issuing: Issuing, issue: Issue, clock: SetClock
) -> None:
    old = issue(business("case-1"))
    clock.instant += timedelta(days=30)
    new = issue(business("case-2", operation="renew", replaces=old.identifier, issued_on=date(2026, 12, 24)))
    first, second = LicenceIdentifier.parse(old.identifier), LicenceIdentifier.parse(new.identifier)
    assert (second.serial, second.version, new.number) == (first.serial, 2, old.number)
    now = clock.now()
    assert fetch(issuing, old.identifier).state(now, now).status == "lapsed"
    assert standing_of(fetch(issuing, old.identifier), now, now).reason == "licence_replaced"
    assert fetch(issuing, new.identifier).replaces == old.identifier
    with pytest.raises(OperationNotAllowed):
        issue(business("case-3", operation="change", replaces=old.identifier))


def test_a_business_licence_absorbs_certificates_for_good(issuing: Issuing, issue: Issue) -> None:
    food = {"legal_representative": "张示例", "place": "示例路", "business_form": "餐饮服务经营者", "items": ["热食"]}
    before = issue(business("case-1", type="food-licence", fields=food))
    assert fetch(issuing, before.identifier).valid_until == date(2031, 11, 23)
    merged = issue(business("case-2", absorbs=["food-licence"]))
    now = issuing.clock.now()
    assert fetch(issuing, before.identifier).state(now, now).entry is not None
    assert fetch(issuing, before.identifier).state(now, now).status == "lapsed"
    with pytest.raises(AbsorbedType, match=merged.identifier):
        issue(business("case-3", type="food-licence", fields=food))
    issue(business("case-4", type="food-licence", fields=food, holders=[SHOP]))
    with issuing.database.read() as session:
        notices = session.scalars(select(OutboxMessage.payload).where(OutboxMessage.topic == NOTICE_TOPIC)).all()
    assert [notice["body"] for notice in notices] == [BUREAU.code]


def test_transfer_in_keeps_the_foreign_identifier_as_a_link(issuing: Issuing, issue: Issue) -> None:
    foreign = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9"
    done = issue(business("case-1", operation="transfer_in", replaces=foreign))
    assert fetch(issuing, done.identifier).replaces == foreign


def test_the_engine_is_told_how_a_licence_stands(issuing: Issuing, issue: Issue, clock: SetClock) -> None:
    done = issue(business())
    source = LicenceStatusFacts(issuing.database, clock)
    digest = bytes.fromhex(done.digest)
    now = clock.now()
    assert source.facts([], b"\0" * 32, now).known is False
    assert source.facts(["not one", done.identifier], b"\0" * 32, now).known is True
    assert source.facts([], digest, now).licence.state is LicenceState.VALID  # type: ignore[union-attr]
    change = Change("forfeit", now, "示例违法行为", "示例条例第1条")
    with issuing.database.write() as session:
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, now + timedelta(hours=1))
    assert source.facts([], digest, now).licence.state is LicenceState.VALID  # type: ignore[union-attr]
    clock.instant += timedelta(hours=2)
    fact = source.facts([], digest, clock.now()).licence
    assert fact is not None
    assert (fact.state, fact.manner) == (LicenceState.ENDED, "吊销")


def test_the_engine_is_told_when_a_licence_begins_and_when_it_ended(
    issuing: Issuing, issue: Issue, clock: SetClock
) -> None:
    """A licence that has not taken effect must not be usable by its file alone; an expired one names its last day."""
    future = issue(business("case-1", valid_from=date(2027, 1, 1)))
    past = issue(business("case-2", valid_until=date(2026, 11, 20)))
    source, now = LicenceStatusFacts(issuing.database, clock), clock.now()
    begins = source.facts([], bytes.fromhex(future.digest), now).licence
    ended = source.facts([], bytes.fromhex(past.digest), now).licence
    assert begins is not None
    assert ended is not None
    assert (begins.state, in_words(begins.since or now)) == (
        LicenceState.NOT_YET_VALID, "2027年01月01日 00:00 (UTC+8)",
    )  # fmt: skip
    assert (ended.state, in_words(ended.since or now)) == (LicenceState.EXPIRED, "2026年11月20日 23:59 (UTC+8)")


def test_events_are_numbered_without_gaps_whoever_commits_first(issuing: Issuing, issue: Issue) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: issue(business(f"case-{n}")), range(6)))
        list(pool.map(lambda _n: sequence(issuing.database), range(4)))
    issue(business("case-last"))
    assert sequence(issuing.database) == 1
    assert sequence(issuing.database) == 0
    with issuing.database.read() as session:
        assert [event.number for event in events_after(session, 0, 99)] == list(range(1, 8))
        assert [event.number for event in events_after(session, 5, 1)] == [6]


def release(approval_id: str = "A-1", **changes: object) -> dict[str, object]:
    payload: dict[str, object] = {
        "approval_id": approval_id, "type": "approval-reply", "issuer": {"code": BUREAU.code, "name": BUREAU.name},
        "holder": {"name": COMPANY.name, "code": COMPANY.code, "code_type": "001"}, "document_digest": "ab" * 32,
        "fields": {"title": "关于示例项目的批复", "content": "同意。", "internal_note": "x"},
        "number": "示例批复〔2026〕7号",
        "parties": [TRANSPORT.code],
    }  # fmt: skip
    return {**payload, **changes}


def test_a_released_approval_becomes_one_licence_even_when_told_twice(issuing: Issuing) -> None:
    reports: list[tuple[str, Registered]] = []
    consumer = FromApproval(issuing, paper_code, seal, lambda approval, done: reports.append((approval, done)))
    consumer("A-1", release())
    consumer("A-1", release())
    assert len(reports) == 2
    assert len({done.identifier for _, done in reports}) == 1
    licence = fetch(issuing, reports[0][1].identifier)
    assert (licence.approval_id, licence.document_digest, licence.number) == ("A-1", "ab" * 32, "示例批复〔2026〕7号")
    assert licence.fields == {"title": "关于示例项目的批复", "content": "同意。"}


def test_a_crash_while_sealing_is_resumed_with_the_same_identifier(issuing: Issuing) -> None:
    seen: list[str] = []

    def seal_once(draft: Draft, pdf: bytes) -> bytes:
        seen.append(draft.identifier)
        if len(seen) == 1:
            raise RuntimeError("token removed")
        return seal(draft, pdf)

    consumer = FromApproval(issuing, paper_code, seal_once, lambda _approval, _done: None)
    with pytest.raises(RuntimeError):
        consumer("A-2", release("A-2"))
    consumer("A-2", release("A-2"))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("missing", ["approval_id", "type", "issuer", "holder", "document_digest"])
def test_an_incomplete_release_names_what_is_missing(issuing: Issuing, missing: str) -> None:
    payload = release()
    del payload[missing]
    consumer = FromApproval(issuing, paper_code, seal, lambda _approval, _done: None)
    with pytest.raises(ReleaseUnreadable, match=missing):
        consumer("A-3", payload)


def test_times_come_back_as_the_same_instant(issuing: Issuing, issue: Issue, clock: SetClock) -> None:
    clock.instant = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    done = issue(business(issued_on=date(2026, 1, 1), valid_until=date(2026, 1, 1)))
    licence = fetch(issuing, done.identifier)
    assert licence.registered_at == clock.instant
    assert licence.operations[0].effective_from == datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
    at = datetime(2026, 1, 1, 15, 59, tzinfo=UTC)
    assert standing_of(licence, at, clock.now()).reason == "passed"
    assert standing_of(licence, at + timedelta(minutes=1), clock.now()).reason == "licence_expired"


def test_an_actor_is_kept_with_each_operation(issuing: Issuing) -> None:
    actor = Actor("officer:9", BUREAU.code, "cd" * 32)
    done = issuing.issue(business(), actor, paper_code=paper_code, seal=seal)
    row = fetch(issuing, done.identifier).operations[0]
    assert (row.actor, row.department, row.certificate) == ("officer:9", BUREAU.code, "cd" * 32)
