"""GET /api/v1/seals/ID/status: anybody may ask, for any instant, as it is known now; not too often."""

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from signing_service.kernel.audit_log import AuditLog
from signing_service.pki.rate_limit import RateLimit
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import Kind, Why
from signing_service.seals.structures import SealContent, make_seal
from signing_service.web import seal_status_endpoint

_spec = importlib.util.spec_from_file_location("status_holders", Path(__file__).parents[1] / "seals" / "holders.py")
holders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(holders)

BY = Actor("ceremony", frozenset({SYSTEM}))
WHY = Why("设立机构", "示例政发〔2026〕1号")
ADDRESS = "/api/v1/seals/bureau/status"


@pytest.fixture
def register(sqlite, clock):
    return SealRegister(sqlite, clock, AuditLog())


@pytest.fixture
def client(client_of, register, clock):
    return client_of(seal_status_endpoint.router(register, RateLimit(clock, per_second=1, burst=20)))


@pytest.fixture
def active(register, clock):
    """Applied for, made and activated, an hour between each."""
    now, maker = clock.now(), holders.Holder("示例制章单位")
    register.apply(
        Application(
            "bureau", Kind.STATUTORY, "示例市行政审批局", "11990000MB9900013U", "approvals", ("seal-holder",),
            SealDesign("示例市行政审批局"), now, now + timedelta(days=365),
        ),
        BY, WHY,
    )  # fmt: skip
    register.change("bureau", "approve", BY, WHY)
    content = SealContent(
        "bureau", 1, "示例市行政审批局", (maker.certificate,), now, now, now + timedelta(days=365), b"\x89PNG", 42, 42
    )
    clock.advance(hours=1)
    register.make(
        "bureau", make_seal(content, maker=maker.certificate, algorithm_oid="1.2.840.10045.4.3.2", sign=maker.sign), BY
    )
    register.change("bureau", "file", BY, WHY)
    clock.advance(hours=1)
    register.change("bureau", "activate", BY, WHY)
    return clock.now()


def asked(client, at):
    return client.get(ADDRESS, params={"at": at.isoformat()}).json()["state"]


def test_each_instant_has_its_state_and_later_changes_do_not_touch_it(client, register, clock, active):
    clock.advance(hours=5)
    register.change("bureau", "suspend", BY, Why("持有人某某住院"))
    hour = timedelta(hours=1)
    assert [asked(client, active + n * hour) for n in (-3, -2, -1, 0, 4, 5)] == [
        "unknown", "approved", "filed", "active", "active", "suspended",
    ]  # fmt: skip
    answer = client.get(ADDRESS)
    assert answer.json()["known_at"] == answer.json()["at"]
    assert (answer.json()["usable"], answer.json()["owner_code"]) == (False, "11990000MB9900013U")
    assert "住院" not in answer.text  # a reason may name a person


def test_what_was_recorded_later_counts_for_the_time_before(client, register, clock, active):
    """Void from the start: asked today for yesterday, the answer is today's knowledge."""
    assert asked(client, active) == "active"
    clock.advance(days=1)
    register.change("bureau", "void", BY, WHY)
    assert asked(client, active) == "void"


def test_after_its_end_it_is_expired(client, clock, active):
    clock.advance(days=400)
    assert asked(client, clock.now()) == "expired"


@pytest.mark.parametrize("at", ["yesterday", "2026-11-24", "2026-11-24T15:00:00", "2026-13-24T15:00:00Z"])
def test_an_instant_without_zone_or_sense_is_a_named_problem(client, active, at):
    answer = client.get(ADDRESS, params={"at": at})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "request_invalid"


def test_a_plus_that_was_not_escaped_is_understood(client, active):
    local = (active + timedelta(hours=8)).replace(tzinfo=None).isoformat()
    assert client.get(f"{ADDRESS}?at={local}+08:00").json()["state"] == "active"


def test_a_seal_that_was_not_made_is_not_there(client, register, clock):
    register.apply(
        Application(
            "bureau", Kind.STATUTORY, "示例市行政审批局", "11990000MB9900013U", "approvals", ("seal-holder",),
            SealDesign("示例市行政审批局"), clock.now(), clock.now() + timedelta(days=365),
        ),
        BY,
    )  # fmt: skip
    for address in (ADDRESS, "/api/v1/seals/nothing/status"):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_who_asks_too_often_waits(client, clock, active):
    answers = [client.get(ADDRESS).status_code for _ in range(21)]
    assert answers == [200] * 20 + [429]
    refused = client.get(ADDRESS)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "1")
    clock.advance(seconds=1)
    assert client.get(ADDRESS).status_code == 200
