"""Every role x every route: own, in the route of the case, granted, granted for something else, none."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import event

from cert_registry.sharing.access import GRANTABLE, Action
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.departments import Department
from signing_service.people.oauth import NewClient, add_client, public_jwks
from tests.cert_registry.web.conftest import CALLERS, CODE_PREFIX, HEADERS, PURPOSE, Registry
from tests.cert_registry.world import BUREAU, BUSINESS_FIELDS, COMPANY, TRANSPORT, business

ROLES = ("own", "route", "granted", "other_matter", "none", "anonymous")
NEVER = {"own": 201, "route": 403, "granted": 403, "other_matter": 403, "none": 403}
# what each role is answered; routes about one licence hide it from those without any grant
ABOUT_ONE = {"own": 200, "route": 200, "granted": 200, "other_matter": 403, "none": 404}
ROUTES: dict[tuple[str, str], dict[str, int]] = {
    ("POST", "/verify/identifier"): ABOUT_ONE,
    ("POST", "/verify/fields"): ABOUT_ONE,
    ("POST", "/verify/code"): ABOUT_ONE,
    ("POST", "/verify/batch"): dict.fromkeys(ABOUT_ONE, 200),
    ("POST", "/verify/file"): dict.fromkeys(ABOUT_ONE, 200),
    ("POST", "/verify/file/intact"): dict.fromkeys(ABOUT_ONE, 404),  # no PDF has no sealed version
    ("POST", "/verify/file/report"): dict.fromkeys(ABOUT_ONE, 201),
    ("POST", "/verify/report"): dict.fromkeys(ABOUT_ONE, 404),
    ("POST", "/licences/search"): dict.fromkeys(ABOUT_ONE, 200),
    ("GET", "/licences/{identifier}"): ABOUT_ONE,
    ("GET", "/licences/{identifier}/file"): ABOUT_ONE,
    ("GET", "/licences/{identifier}/history"): ABOUT_ONE,
    ("GET", "/licences/{identifier}/accesses"): {**ABOUT_ONE, "route": 404, "granted": 403},
    ("POST", "/licences/{identifier}/copies"): {**ABOUT_ONE, "own": 201, "route": 404, "granted": 201},
    ("POST", "/licences/{identifier}/operations"): {**ABOUT_ONE, "route": 404, "granted": 403},
    ("POST", "/licences"): NEVER,
    ("GET", "/whoami"): dict.fromkeys(ABOUT_ONE, 200),
    ("GET", "/grants"): dict.fromkeys(ABOUT_ONE, 200),
    ("GET", "/events"): dict.fromkeys(ABOUT_ONE, 200),
    ("GET", "/events/digest"): dict.fromkeys(ABOUT_ONE, 200),
    ("GET", "/keys"): dict.fromkeys(ABOUT_ONE, 200),
    ("PUT", "/keys"): dict.fromkeys(ABOUT_ONE, 422),  # without proof of a new key
    ("GET", "/subscriptions"): dict.fromkeys(ABOUT_ONE, 200),
    ("POST", "/subscriptions"): {"own": 403, "route": 403, "granted": 201, "other_matter": 403, "none": 403},
    ("POST", "/subscriptions/{subscription_id}/replay"): dict.fromkeys(ABOUT_ONE, 404),
    ("DELETE", "/subscriptions/{subscription_id}"): dict.fromkeys(ABOUT_ONE, 404),
    ("GET", "/copies/{copy_id}/file"): dict.fromkeys(ABOUT_ONE, 404),
}
KEY = public_jwks(ec.generate_private_key(ec.SECP256R1()).public_key())["keys"][0]
WHO = {"own": "bureau", "route": "transport", "granted": "housing", "other_matter": "stranger", "none": "none"}


def register_clients(registry: Registry) -> None:
    """The callers as registered clients, for the calls about their keys."""
    database, clock = registry.parts.database, registry.clock
    with database.write() as session:
        for caller in CALLERS.values():
            session.add(
                Department(id=caller.department_id, code=caller.client_id[:18], name="x", valid_from=clock.now())
            )
            session.flush()
            client = NewClient(caller.client_id, caller.department_id, "示例", {"keys": [KEY]})
            add_client(session, client, clock, AuditLog())


def send(registry: Registry, method: str, path: str, who: str, identifier: str) -> int:
    until = (registry.clock.now() + timedelta(days=1)).isoformat()
    issue = {
        **PURPOSE, "approval_id": uuid.uuid4().hex, "type": "business-licence", "fields": BUSINESS_FIELDS,
        "issuer": {"code": BUREAU.code, "name": BUREAU.name}, "issued_on": "2026-11-24",
        "holders": [{"name": COMPANY.name, "code": COMPANY.code}],
    }  # fmt: skip
    bodies: dict[str, dict[str, Any]] = {
        "/verify/identifier": {"identifier": identifier},
        "/verify/fields": {"identifier": identifier},
        "/verify/code": {"code": CODE_PREFIX + identifier},
        "/verify/batch": {"identifiers": [identifier]},
        "/verify/report": {"number": "none", "code": "none"},
        "/licences/search": {"holder": {"code": COMPANY.code}},
        "/licences/{identifier}/operations": {"operation": "transfer_out"},
        "/licences/{identifier}/copies": {"until": until},
        "/licences": issue,
        "/keys": {"keys": [KEY], "proof": "none"},
        "/subscriptions": {"url": "https://housing.example.cn/hook"},
    }
    address = path.format(identifier=identifier, copy_id="0" * 20, subscription_id="0" * 32)
    headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
    if who == "anonymous":
        headers["Authorization"] = ""
    if path == "/events/digest":
        address += "?until=1"
    if path.startswith("/verify/file"):
        reply = registry.call("POST", address, who, data=PURPOSE, files={"file": ("a.pdf", b"x")}, headers=headers)
    else:
        has_body = path in bodies and method != "GET"
        body = {"json": {**PURPOSE, **bodies[path]}} if has_body else {}
        headers = headers if has_body else {**HEADERS, **headers}
        reply = registry.call(method, address, who, headers=headers, **body)
    assert "x-powered-by" not in reply.headers
    return int(reply.status_code)


def test_the_matrix_names_every_route(registry: Registry) -> None:
    paths = registry.client.get("/api/openapi.json").json()["paths"]
    there = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1")
    }
    assert there == set(ROUTES)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_on_each_route(registry: Registry, role: str) -> None:
    road = {"address": "示例路3号", "business_scope": ["普通货运"]}
    done = registry.issue(business(parties=[TRANSPORT.code]))
    registry.issue(business("case-2", type="road-transport-licence", fields=road, issuer=TRANSPORT))
    registry.grant("housing", *GRANTABLE)
    registry.grant("stranger", *GRANTABLE, matters=["M2"])
    register_clients(registry)
    for (method, path), expected in ROUTES.items():
        wanted = 401 if role == "anonymous" else expected[role]
        who = WHO.get(role, role)
        assert (method, path, send(registry, method, path, who, done.identifier)) == (method, path, wanted)


def test_a_call_never_waits_for_a_second_connection(registry: Registry) -> None:
    """Forty calls that each hold one and want another wait for one another for ever (seen under load)."""
    done = registry.issue(business(parties=[TRANSPORT.code]))
    registry.grant("housing", *GRANTABLE)
    register_clients(registry)
    out, most = 0, 0

    def taken(*_arguments: object) -> None:
        nonlocal out, most
        out += 1
        most = max(most, out)

    def given_back(*_arguments: object) -> None:
        nonlocal out
        out -= 1

    event.listen(registry.parts.database.engine, "checkout", taken)
    event.listen(registry.parts.database.engine, "checkin", given_back)
    for who in ("bureau", "transport", "housing", "none"):
        for method, path in ROUTES:
            most = 0
            send(registry, method, path, who, done.identifier)
            assert (method, path, most <= 1) == (method, path, True)


def test_what_a_batch_a_search_or_the_feed_shows_is_cut_to_what_is_granted(registry: Registry) -> None:
    done = registry.issue(business())
    for who, reason in (("bureau", "passed"), ("none", "not_found_here")):
        body = {**PURPOSE, "identifiers": [done.identifier]}
        items = registry.call("POST", "/verify/batch", who, json=body).json()["items"]
        assert [item["reason"] for item in items] == [reason]
    registry.grant("stranger", Action.SEARCH, matters=["M2"])
    body = {**PURPOSE, "holder": {"code": COMPANY.code}}
    assert registry.call("POST", "/licences/search", "stranger", json=body).json()["items"] == []
