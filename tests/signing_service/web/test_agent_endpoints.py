"""The agent against a real server over HTTP: what it accepts, what it refuses by name, how it goes on after trouble."""

import base64
import dataclasses
import hashlib
import json
import re
import threading
from pathlib import Path

import httpx
import pytest

from hardware.errors import PinIncorrect, TokenGone
from signing_service.agent.connection import Connection
from signing_service.agent.errors import (
    NotPaired,
    OrderDiffers,
    ServerKeyDiffers,
    ServerRefused,
    ServerUnreachable,
)
from signing_service.agent.officer_key import PinCancelled
from signing_service.agent.pairing import connect, pair
from signing_service.agent.work import WorkTable
from signing_service.approvals.matter_catalogue import StepPlan
from signing_service.channel.signature_jobs import SignatureJob
from signing_service.kernel.audit_log import AuditEntry
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.people.rules import Role
from signing_service.people.sessions import LoggedIn


@pytest.fixture
def waiting(office):
    """A list of two documents that waits for li; gives the batch."""
    office.open_cases(2)
    li = LoggedIn("li", "审批员甲", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    items = casebook.items(li, "pending")
    return office.desk.delivery.submit_batch([casebook.prepare(li, item.reference, "同意。") for item in items])


@pytest.fixture
def table(office, paired, scripted):
    """Li's PC and its surface."""
    surface = scripted()
    connection = paired("li")
    return WorkTable(connection, office.key_of("li"), surface, office.servers_of("li"), "示例市政印"), surface


def states(office, batch):
    _, jobs = office.desk.delivery.batch("li", batch.id)
    return [(str(job.state), job.failure) for job in jobs]


def altered(office, change):
    """From now on the server lies about the jobs of a list."""
    honest = office.desk.delivery.batch

    def lying(officer, batch_id):
        batch, jobs = honest(officer, batch_id)
        return batch, change(jobs)

    office.desk.delivery.batch = lying
    return honest


def change_each(**changes):
    def change(jobs):
        for job in jobs:
            for name, make in changes.items():
                setattr(job, name, make(job))
        return jobs

    return change


def swapped_hash(job):
    values = json.loads(job.prepared)
    foreign = hashlib.sha256(b"another document").digest()
    values["digest"] = foreign.hex()
    return json.dumps(values)


def foreign_attributes(job):
    values = json.loads(job.prepared)
    foreign = build_signed_attributes(hashlib.sha256(b"another document").digest(), job.certificate)
    values["signed_attributes"] = base64.b64encode(foreign).decode()
    return json.dumps(values)


@pytest.mark.parametrize(
    ("lie", "name"),
    [
        (change_each(prepared=swapped_hash), "digest_differs"),
        (change_each(prepared=foreign_attributes), "attributes_differ"),
        (change_each(spot=lambda job: [0, 10, 10, 60, 30]), "position_differs"),
        (change_each(spot=lambda job: None), "position_differs"),
        (change_each(texts=lambda job: ["不同意。"]), "text_differs"),
        (change_each(document=lambda job: "0" * 64), "document_differs"),
    ],
)
def test_a_server_that_swaps_something_is_refused_by_name(office, waiting, table, lie, name):
    work, surface = table
    honest = altered(office, lie)
    assert work.sign_list(waiting.id) == 0
    office.desk.delivery.batch = honest
    assert states(office, waiting) == [("refused", name)] * 2
    assert surface.pins_asked == 0
    assert len(surface.told) == 2


def test_a_swapped_certificate_is_refused(office, waiting, table):
    work, surface = table
    altered(office, change_each(certificate=lambda job: office.ring["wang"].signing))
    assert work.sign_list(waiting.id) == 0
    assert surface.pins_asked == 0
    assert all("another certificate" in told for told in surface.told)


def test_a_swapped_file_is_refused(office, waiting, table):
    """B24 over the web: a prepared file that is not the one prepared is not signed; the PIN is not even asked for."""
    work, surface = table
    _, (first, second) = office.desk.delivery.batch("li", waiting.id)
    honest = office.desk.delivery.hand_over
    handed = {first.id: honest("li", second.id), second.id: honest("li", first.id)}
    office.desk.delivery.hand_over = lambda officer, job_id: handed[job_id]
    assert work.sign_list(waiting.id) == 0
    assert states(office, waiting) == [("refused", "document_differs")] * 2
    assert surface.pins_asked == 0


def test_a_list_that_changes_after_consent_is_refused(office, waiting, table):
    work, surface = table

    def consent():
        altered(office, lambda jobs: jobs[::-1])
        return True

    surface.consent = consent
    with pytest.raises(OrderDiffers):
        work.sign_list(waiting.id)
    assert surface.pins_asked == 0


def test_a_document_that_was_signed_is_not_signed_again(office, waiting, table):
    work, surface = table
    assert work.sign_list(waiting.id) == 2

    def again(jobs):
        for number, job in enumerate(jobs):
            job.id, job.state = f"{number}" * 32, "prepared"
        return jobs

    _, jobs = office.desk.delivery.batch("li", waiting.id)
    prepared = [office.desk.delivery._prepared(job) for job in jobs]
    altered(office, again)
    office.desk.delivery.hand_over = lambda officer, job_id: dataclasses.make_dataclass("Handed", ["prepared"])(
        prepared[int(job_id[0])]
    )
    office.desk.delivery.original = lambda officer, job_id: office.work.blobs.get(jobs[int(job_id[0])].original)
    refused = []
    office.desk.delivery.refuse = lambda officer, job_id, code, text: refused.append(code)
    assert work.sign_list(waiting.id) == 0
    assert refused == ["job_replayed"] * 2
    assert surface.pins_asked == 1


def test_a_reply_that_the_paired_server_did_not_sign_is_not_used(office, paired):
    connection = paired("li")
    connection.pin(bytes(32))
    with pytest.raises(ServerKeyDiffers):
        connection.get("/agent/v1/work?wait=0")


def test_a_wrong_server_key_stops_pairing_before_the_pin(office, scripted):
    surface = scripted()
    with pytest.raises(ServerKeyDiffers):
        pair(office.origin, office.key_of("li"), surface, office.servers_of("li"), server_key="0000:1111")
    assert surface.pins_asked == 0
    pair(office.origin, office.key_of("li"), surface, office.servers_of("li"), server_key=office.identity.fingerprint)
    assert connect(office.servers_of("li").find(office.origin)).get("/agent/v1/work?wait=0").status == 200


def test_only_an_officer_with_a_valid_log_in_certificate_is_paired(office, scripted):
    office.revoke(office.ring["li"].login)
    with pytest.raises(ServerRefused, match="statement_refused"):
        pair(office.origin, office.key_of("li"), scripted(), office.servers_of("li"))
    with pytest.raises(NotPaired):
        office.servers_of("li").find(office.origin)


def test_an_agent_without_a_common_version_is_told_so(office):
    reply = httpx.post(f"{office.origin}/agent/v1/hello", json={"versions": [99]})
    assert (reply.status_code, reply.json()["code"]) == (422, "version_unsupported")


def test_malformed_messages_are_refused(office, paired):
    headers = {"x-zhengyin-agent": paired("li").credentials}
    for path, content in (
        ("/agent/v1/hello", {"versions": "x"}),
        ("/agent/v1/pairing/proof", {"nonce": "x", "certificate": "!", "signature": "!"}),
        ("/agent/v1/login/proof", {}),
        (f"/agent/v1/jobs/{'0' * 32}/signature", {"certificate": "AA==", "signature": "*"}),
    ):
        reply = httpx.post(office.origin + path, json=content, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (400, "request_invalid"), path
        assert "x-zhengyin-signature" in reply.headers


def test_a_wrong_pin_stops_the_list_with_one_try(office, waiting, table):
    work, surface = table
    surface.pin = "000000"
    with pytest.raises(PinIncorrect):
        work.sign_list(waiting.id)
    assert surface.pins_asked == 1
    assert [state for state, _ in states(office, waiting)] == ["shown", "shown"]
    surface.pin = "246810"
    assert work.sign_list(waiting.id) == 2


def test_cancelling_leaves_everything_open(office, waiting, table):
    work, surface = table
    surface.consent = False
    with pytest.raises(PinCancelled):
        work.sign_list(waiting.id)
    surface.consent, surface.pin = True, None
    with pytest.raises(PinCancelled):
        work.sign_list(waiting.id)
    assert work.next_list(wait=0) == waiting.id


def test_a_key_pulled_in_the_middle_loses_nothing(office, waiting, table, key_ring):
    work, surface = table
    tokens, serial = key_ring[0].folder / "tokens", office.ring["li"].serial
    plugged_in = next(each for each in tokens.iterdir() if each.name.replace("-", "").endswith(serial))
    pulled = key_ring[0].folder / "pulled"
    note = surface.progress

    def pull(job, done, total, outcome):
        note(job, done, total, outcome)
        if done == 1:
            plugged_in.rename(pulled)

    surface.progress = pull
    with pytest.raises(TokenGone):
        work.sign_list(waiting.id)
    assert surface.pins_asked == 1, "nobody is asked for the PIN of a key that is not there"
    pulled.rename(plugged_in)
    surface.progress = note
    assert [state for state, _ in states(office, waiting)] == ["completed", "leased"]
    assert work.sign_list(work.next_list(wait=0)) == 1
    assert [state for state, _ in states(office, waiting)] == ["completed", "completed"]


def test_an_agent_killed_before_the_server_had_the_signature_goes_on(office, waiting, table):
    work, _surface = table
    honest, killed = office.desk.delivery.take_back, []

    def kill(*parts):
        if not killed:
            killed.append(parts)
            raise OSError("the line is cut")
        return honest(*parts)

    office.desk.delivery.take_back = kill
    with pytest.raises(ServerKeyDiffers):
        work.sign_list(waiting.id)
    assert [state for state, _ in states(office, waiting)] == ["leased", "shown"]
    assert work.sign_list(waiting.id) == 2


def test_waiting_for_work_ends_when_there_is_some(office, table):
    work, _ = table
    found = []
    waiter = threading.Thread(target=lambda: found.append(work.next_list(wait=20)))
    waiter.start()
    office.open_cases(1)
    li = LoggedIn("li", "审批员甲", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    [item] = casebook.items(li, "pending")
    batch = office.desk.delivery.submit_batch([casebook.prepare(li, item.reference, "同意。")])
    waiter.join(20)
    assert found == [batch.id]


def test_an_absent_server_is_named(tmp_path):
    with pytest.raises(ServerUnreachable):
        Connection("http://127.0.0.1:9").get("/agent/v1/work?wait=0")


def test_what_the_agent_keeps_is_for_its_owner_alone(office, paired):
    paired("li")
    folder: Path = office.folder / "pc-li"
    assert folder.stat().st_mode & 0o077 == 0
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert "246810" not in file.read_text()
    assert (office.folder / "channel" / "server.key").stat().st_mode & 0o077 == 0


def freeze_all(office, officer):
    who = LoggedIn(officer, "审批员", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    jobs = [casebook.prepare(who, item.reference, "同意。") for item in casebook.items(who, "pending")]
    return office.desk.delivery.submit_batch(jobs)


def test_parallel_signers_wait_for_each_other_and_break_nothing(office, paired, scripted):
    steps = [
        StepPlan(1, title, "approvals", "reviewer", 5, officer=who)
        for title, who in (("会签一", "li"), ("会签二", "wang"))
    ]
    office.open_cases(1, route=steps)
    batches = {officer: freeze_all(office, officer) for officer in ("li", "wang")}
    tables = {}
    for officer in batches:
        surface, servers = scripted(), office.servers_of(officer)
        tables[officer] = WorkTable(paired(officer), office.key_of(officer), surface, servers, "示例"), surface
    _, [job] = office.desk.delivery.batch("li", batches["li"].id)
    office.desk.delivery.hand_over("li", job.id)
    office.desk.delivery.consent("li", job.id)
    work, surface = tables["wang"]
    assert work.sign_list(batches["wang"].id) == 0
    assert "正在签署同一份文件" in surface.outcomes[0][1]
    assert tables["li"][0].sign_list(batches["li"].id) == 1
    assert work.sign_list(batches["wang"].id) == 0
    _, [stale] = office.desk.delivery.batch("wang", batches["wang"].id)
    assert (stale.state, stale.failure) == ("refused", "not_this_document")
    assert work.sign_list(freeze_all(office, "wang").id) == 1


def test_the_log_names_officer_certificate_and_digest(office, waiting, table):
    work, _ = table
    work.sign_list(waiting.id)
    with office.database.read() as session:
        entries = session.query(AuditEntry).filter(AuditEntry.kind == "job.complete").all()
        fingerprint = hashlib.sha256(office.ring["li"].signing).hexdigest()
        assert {(entry.actor, entry.certificate) for entry in entries} == {("li", fingerprint)}
        jobs = session.query(SignatureJob).all()
        assert {entry.digest for entry in entries} == {job.document for job in jobs}
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", waiting.code)
