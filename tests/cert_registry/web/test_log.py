"""Evidence of a call leads into the log: whoever holds it gets the proof of its leaf over HTTP."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cert_registry.sharing.access import Action
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import opened
from signing_service.evidence.log_checkpoints import LogCheckpoints, LogSigner
from signing_service.evidence.log_tree import sequence_entries
from signing_service.kernel.database import Database
from tests.cert_registry.world import business

from .conftest import PURPOSE, Registry

KEY = Ed25519PrivateKey.generate()


def checkpoint(registry: Registry) -> None:
    database: Database = registry.parts.database
    sequence_entries(database)
    signer = LogSigner("log.example.test", KEY.public_key(), KEY.sign, lambda digest: digest)
    LogCheckpoints(database, registry.parts.clock, signer).issue()


def unpacked(hashes: list[str]) -> list[bytes]:
    return [base64.b64decode(one) for one in hashes]


def test_an_answer_is_proven_in_the_log(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY)
    checkpoint(registry)
    body = {"identifier": done.identifier, **PURPOSE}
    answer = registry.call("POST", "/verify/identifier", json=body).json()
    claims = registry.open_evidence(answer["evidence"])
    earlier = opened(claims["checkpoint"], KEY.public_key())
    leaf = claims["log"]["leaf"]
    assert registry.client.get("/log/proof", params={"leaf": leaf}).json()["code"] == "not_in_log_yet"
    checkpoint(registry)
    proof = registry.client.get("/log/proof", params={"leaf": leaf, "old": earlier.size}).json()
    now = opened(proof["checkpoint"], KEY.public_key())
    assert now.size > earlier.size
    hashed = merkle.leaf_hash(bytes.fromhex(leaf))
    assert merkle.root_of_inclusion(hashed, proof["index"], now.size, unpacked(proof["inclusion"])) == now.root
    consistency = unpacked(proof["consistency"])
    assert merkle.is_consistent(earlier.size, now.size, earlier.root, now.root, consistency)
    assert registry.client.get("/log/checkpoint").text == proof["checkpoint"]


def test_the_checkpoint_in_answers_follows_within_seconds(registry: Registry) -> None:
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY)
    body = {"identifier": done.identifier, **PURPOSE}

    def told() -> str:
        answer = registry.call("POST", "/verify/identifier", json=body).json()
        return str(registry.open_evidence(answer["evidence"])["checkpoint"])

    assert told() == ""
    checkpoint(registry)
    registry.clock.instant += timedelta(seconds=11)
    assert opened(told(), KEY.public_key()).size > 0


@pytest.mark.parametrize("query", ["leaf=", "leaf=zz", f"leaf={'0' * 64}&old=-1", "", f"leaf={'A' * 64}"])
def test_a_malformed_question_is_refused(registry: Registry, query: str) -> None:
    assert registry.client.get(f"/log/proof?{query}").status_code == 400


def test_a_leaf_of_another_log_is_not_found(registry: Registry) -> None:
    checkpoint(registry)
    reply = registry.client.get("/log/proof", params={"leaf": "0" * 64})
    assert (reply.status_code, reply.json()["code"]) == (404, "not_in_log_yet")
