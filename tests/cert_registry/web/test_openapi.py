"""The OpenAPI document, thrown at the application by schemathesis: no answer is a crash, and all answers fit it."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from cert_registry.sharing.access import GRANTABLE
from tests.cert_registry.web.conftest import HEADERS, Registry
from tests.cert_registry.world import business

ADDRESSES = 24


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_no_input_is_answered_with_a_crash(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", *GRANTABLE)
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", registry.client.app).include(path_regex="^/api/v1/")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(operation.as_strategy())
        @settings(
            max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        def answers_fit(case: schemathesis.Case) -> None:
            if "identifier" in (case.path_parameters or {}) and len(case.path_parameters["identifier"]) % 2:
                case.path_parameters["identifier"] = done.identifier
            reply = case.call(headers={**HEADERS, **(case.headers or {}), "Authorization": "Bearer token-housing"})
            assert reply.status_code < 500, reply.content
            if reply.status_code >= 400:
                assert reply.headers["content-type"] == ["application/problem+json"]
                assert reply.json()["code"]
            elif reply.headers["content-type"] == ["application/json"]:
                case.validate_response(reply, checks=[response_schema_conformance])

        answers_fit()
        tried += 1
    assert tried == ADDRESSES
