"""After a succession of bodies: the licence keeps its issuer and shows today's competent body, which may operate."""

from __future__ import annotations

import uuid
from dataclasses import replace

from fastapi.testclient import TestClient

from cert_registry.app import create_app
from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.world import BUREAU, business

NEW_BODY = "示例市政务服务管理局"


def test_the_successor_is_named_and_competent(registry: Registry) -> None:
    done = registry.issue(business())
    codes = {"housing": frozenset({"11990000MB9900021N", BUREAU.code})}
    parts = replace(
        registry.parts,
        department_codes=lambda _session, department: codes.get(department, frozenset({department})),
        competent_body=lambda _session, code: NEW_BODY if code == BUREAU.code else "",
    )
    with TestClient(create_app(parts)) as client:
        registry.client = client
        body = {**PURPOSE, "identifier": done.identifier}
        answer = registry.call("POST", "/verify/identifier", json=body).json()
        assert (answer["licence"]["issuer_name"], answer["licence"]["competent_body"]) == (BUREAU.name, NEW_BODY)
        assert NEW_BODY in client.post("/v/identifier", data={"identifier": done.identifier}).text
        cancel = {**PURPOSE, "operation": "cancel", "reason": "示例", "legal_basis": "示例"}
        path = f"/licences/{done.identifier}/operations"
        reply = registry.call("POST", path, json=cancel, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert reply.json()["status"] == "cancelled"
