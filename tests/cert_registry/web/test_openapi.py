"""The OpenAPI document, thrown at the application by schemathesis: no answer is a crash, and all answers fit it."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from cert_registry.sharing.access import GRANTABLE
from cert_registry.web import api_models
from cert_registry.web.api_keys import KeysBody
from tests.cert_registry.web.conftest import HEADERS, Registry
from tests.cert_registry.world import business

ADDRESSES = 27


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


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_route_is_explained_in_chinese_with_examples_and_refusals(registry: Registry) -> None:
    document = registry.client.get("/api/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        if not path.startswith("/api/v1"):
            continue
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert any("\u4e00" <= sign <= "\u9fff" for sign in operation["summary"]), where
            assert any("\u4e00" <= sign <= "\u9fff" for sign in operation.get("description", "")), where
            assert {"400", "401", "429", "503"} <= operation["responses"].keys(), where
            for status, reply in operation["responses"].items():
                if (status >= "400" and status != "422") or "application/problem+json" in reply.get("content", {}):
                    examples = reply["content"]["application/problem+json"]["examples"]
                    assert all(one["value"]["status"] == int(status) for one in examples.values()), where
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                (example,) = schemas[body["schema"]["$ref"].rpartition("/")[2]]["examples"]
                model = getattr(api_models, body["schema"]["$ref"].rpartition("/")[2], KeysBody)
                assert (
                    model.model_validate(example).model_dump(mode="json", exclude_unset=True).keys() == example.keys()
                )
            success = next(reply for status, reply in operation["responses"].items() if status < "300")
            assert "content" in success or "204" in operation["responses"], where
