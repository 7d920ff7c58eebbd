"""The public PKI addresses under invented input: whatever is sent, a protocol answer or a refusal, never a 500."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from asn1crypto import tsp
from cryptography.x509 import ocsp
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signing_service.pki import der
from signing_service.pki.assembly import PkiServices
from signing_service.pki.ocsp import request_for
from signing_service.pki.ocsp_request import NONCE
from signing_service.pki.timestamp_request import STRONG_DIGESTS
from signing_service.web.pki_endpoints import router

LIGHTLY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)

leaves = st.one_of(
    st.integers(0, 1 << 1700).map(der.integer),
    st.binary(max_size=80).map(der.octet_string),
    st.sampled_from([der.oid(dotted) for dotted in (*STRONG_DIGESTS, NONCE, "1.3.14.3.2.26", "2.5.4.3")]),
    st.booleans().map(der.boolean),
    st.binary(max_size=20),
    st.just(der.tlv(der.NULL, b"")),
)
structures = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA2]), st.lists(inner, max_size=5)).map(
        lambda made: der.tlv(made[0], b"".join(made[1]))
    ),
    max_leaves=25,
)


@pytest.fixture
def client(services: PkiServices) -> TestClient:
    app = FastAPI()
    app.include_router(router(services.tsa, services.ocsp, services.crls))
    return TestClient(app, raise_server_exceptions=True)


def certificate_ids(serial: int, digest: str, name: bytes, key: bytes) -> bytes:
    return der.sequence(
        der.sequence(der.sequence(der.oid(digest)), der.octet_string(name), der.octet_string(key), der.integer(serial))
    )


@LIGHTLY
@given(structures)
def test_invented_structures_get_a_protocol_answer(client: TestClient, body: bytes) -> None:
    asked = client.post("/ocsp", content=body)
    assert asked.status_code == 200
    ocsp.load_der_ocsp_response(asked.content)
    stamped = client.post("/tsa", content=body)
    assert stamped.status_code == 200
    assert tsp.PKIStatusInfo.load(der.read(stamped.content).children()[0].encoded)["status"].native in (
        "granted",
        "rejection",
    )


@LIGHTLY
@given(st.integers(0, 1 << 1600), st.sampled_from(["1.3.14.3.2.26", "1.2.3"]), st.binary(max_size=40), st.booleans())
def test_invented_certificates_of_known_and_unknown_issuers_are_told_apart(
    client: TestClient, ceremony: Any, serial: int, digest: str, junk: bytes, known: bool
) -> None:
    """A known issuer's unknown serial is `unknown`; anything else is unauthorized; none of it is good."""
    tsa, issuing = ceremony.record.certificate("tsa"), ceremony.record.certificate("issuing")
    real = ocsp.load_der_ocsp_request(request_for(tsa, issuing))
    name, key = (real.issuer_name_hash, real.issuer_key_hash) if known else (junk, junk)
    body = der.sequence(der.sequence(der.sequence(certificate_ids(serial, digest, name, key))))
    answer = ocsp.load_der_ocsp_response(client.post("/ocsp", content=body).content)
    if known and digest == "1.3.14.3.2.26":
        assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    else:
        assert answer.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@LIGHTLY
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60))
def test_invented_addresses_are_not_found(client: TestClient, name: str) -> None:
    for address in (f"/crl/{quote(name, safe='')}.crl", f"/ca/{quote(name, safe='')}.cer"):
        assert client.get(address).status_code == 404
    reply = client.get(f"/ocsp/{quote(name, safe='')}x")
    assert reply.status_code == 200
    ocsp.load_der_ocsp_response(reply.content)


def test_an_oversized_question_in_an_address_is_malformed(client: TestClient) -> None:
    answer = ocsp.load_der_ocsp_response(client.get("/ocsp/" + base64.b64encode(b"\x30" * 20_000).decode()).content)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("digest", ["1.2.840.113549.2.5", "1.3.14.3.2.26", "1.2.3.4.5"])
def test_an_unknown_or_weak_digest_is_bad_alg(client: TestClient, digest: str) -> None:
    imprint = der.sequence(der.sequence(der.oid(digest)), der.octet_string(b"\0" * 20))
    reply = client.post("/tsa", content=der.sequence(der.integer(1), imprint))
    status = tsp.PKIStatusInfo.load(der.read(reply.content).children()[0].encoded)
    assert status["status"].native == "rejection"
    assert status["fail_info"].native == {"bad_alg"}
