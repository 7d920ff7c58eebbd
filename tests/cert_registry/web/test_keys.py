"""A client rotates its own keys: proven, without a gap, and the old key stops at once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from signing_service.kernel.audit_log import entries_about
from signing_service.people.client_keys import client_assertion, public_jwks
from tests.cert_registry.web.conftest import HEADERS, PURPOSE, Registry
from tests.cert_registry.web.live_server import CLIENT, serving, with_tokens
from tests.cert_registry.web.test_nginx import listening

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
OLD, NEW = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def keys_of(*keys: ec.EllipticCurvePrivateKey) -> list[dict[str, Any]]:
    return list(public_jwks(*(key.public_key() for key in keys))["keys"])


def test_keys_are_replaced_without_a_gap_and_only_with_proof(registry: Registry) -> None:
    with listening() as (bound, base):
        audience = f"{base}/oauth2/token"

        def token(key: ec.EllipticCurvePrivateKey) -> httpx.Response:
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form = {
                "grant_type": "client_credentials", "client_assertion_type": kind,
                "client_assertion": client_assertion(CLIENT, audience, key),
            }  # fmt: skip
            return httpx.post(audience, data=form, trust_env=False)

        with serving(with_tokens(registry.parts, {"keys": keys_of(OLD)}, base), [bound]):
            bearer = {"Authorization": f"Bearer {token(OLD).json()['access_token']}"}

            def put(keys: list[dict[str, Any]], proof: str) -> httpx.Response:
                body = {**PURPOSE, "keys": keys, "proof": proof}
                return httpx.put(f"{base}/api/v1/keys", json=body, headers=bearer, trust_env=False)

            assert token(NEW).status_code == 401
            unproven = put(
                keys_of(OLD, NEW), client_assertion(CLIENT, audience, ec.generate_private_key(ec.SECP256R1()))
            )
            assert (unproven.status_code, unproven.json()["code"]) == (422, "key_not_proven")
            foreign = put(keys_of(OLD, NEW), client_assertion("another", audience, NEW))
            assert foreign.json()["code"] == "key_not_proven"
            proof = client_assertion(CLIENT, audience, NEW)
            assert put(keys_of(OLD, NEW), proof).status_code == 200
            assert put(keys_of(NEW), proof).json()["code"] == "key_not_proven"  # an assertion works once
            assert (token(OLD).status_code, token(NEW).status_code) == (200, 200)
            assert put(keys_of(NEW), client_assertion(CLIENT, audience, NEW)).status_code == 200
            assert (token(OLD).status_code, token(NEW).status_code) == (401, 200)
            mine = httpx.get(f"{base}/api/v1/keys", headers={**bearer, **HEADERS}, trust_env=False).json()
            assert mine["kids"] == [keys_of(NEW)[0]["kid"]]
            leaked = put([{**keys_of(NEW)[0], "d": "AA"}], client_assertion(CLIENT, audience, NEW))
            assert leaked.json()["code"] == "key_set_refused"
    with registry.parts.database.read() as session:
        found = [(one.kind, one.result) for one in entries_about(session, f"client:{CLIENT}")]
    assert found.count(("client.keys", "allowed")) == 2
    assert found.count(("api.keys_replaced", "refused")) == 4
