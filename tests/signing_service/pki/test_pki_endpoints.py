"""The public addresses over real HTTP: openssl's own client, wrong bodies, and our timestamp client against good and
bad servers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import urllib3
import uvicorn
from asn1crypto import cms
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.x509 import ocsp
from fastapi import FastAPI
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.fetchers.requests_fetchers import RequestsFetcherBackend

from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.ceremony_plan import issuer_urls
from signing_service.pki.names import subject_name
from signing_service.pki.ocsp import request_for
from signing_service.pki.rate_limit import RateLimit
from signing_service.pki.register import CertificateRegister, Holder
from signing_service.pki.rules import OPERATOR, Actor
from signing_service.pki.timestamp_response import TimestampRefused, TimestampWrong
from signing_service.pki.tsp_client import (
    FallbackTimestamper,
    HttpTimestamper,
    NoTimestamp,
    TimestampHttpError,
    TimestampUnreachable,
)
from signing_service.web.pki_endpoints import router

DIGEST = hashlib.sha256(b"document").digest()


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(OutboundPolicy(hosts=frozenset({"127.0.0.1"}), timeout_seconds=0.5))


def serve(app: FastAPI, listener: socket.socket | None = None) -> Iterator[str]:
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def server(services: PkiServices) -> Iterator[str]:
    app = FastAPI()
    app.include_router(router(services.tsa, services.ocsp, services.crls))
    yield from serve(app)


@pytest.fixture
def at_home(register: CertificateRegister, ceremony: Any) -> Iterator[tuple[str, PkiServices]]:
    """A server whose certificates and CRLs name its own address."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    services = assemble(register, lambda row: ceremony.key(row.owner), url)
    app = FastAPI()
    app.include_router(router(services.tsa, services.ocsp, services.crls))
    for served in serve(app, listener):
        yield served, services


@pytest.fixture
def answering() -> Iterator[Callable[[bytes | None], str]]:
    """A server that answers every connection with the given bytes, or with nothing at all, until the test ends."""
    listeners: list[socket.socket] = []

    def start(reply: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer_all, args=(listener, reply), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/tsa"

    yield start
    for listener in listeners:
        listener.close()


def _answer_all(listener: socket.socket, reply: bytes | None) -> None:
    kept = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        kept.append(connection)
        if reply is not None:
            connection.recv(65536)
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)


def http(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_openssl_asks_over_http(server: str, ceremony: Any, openssl: Any, pem: Any, tmp_path: Path) -> None:
    issuing, root = (ceremony.record.certificate(name) for name in ("issuing", "root"))
    (tmp_path / "issuing.pem").write_bytes(pem(issuing))
    (tmp_path / "tsa.pem").write_bytes(pem(ceremony.record.certificate("tsa")))
    (tmp_path / "trusted.pem").write_bytes(pem(root) + pem(issuing))
    said = openssl("ocsp", "-url", f"{server}/ocsp", "-issuer", "issuing.pem", "-cert", "tsa.pem",
                   "-CAfile", "trusted.pem")  # fmt: skip
    assert "Response verify OK" in said
    assert "tsa.pem: good" in said


def test_get_takes_base64_with_and_without_percent_encoding(server: str, ceremony: Any) -> None:
    request = request_for(ceremony.record.certificate("tsa"), ceremony.record.certificate("issuing"))
    encoded = base64.b64encode(request).decode()
    for path in (quote(encoded, safe=""), quote(encoded, safe="/+="), encoded.rstrip("=")):
        reply = urllib3.request("GET", f"{server}/ocsp/{path}", redirect=False)
        assert reply.headers["Content-Type"] == "application/ocsp-response"
        assert reply.headers["Cache-Control"] == "no-store"
        assert ocsp.load_der_ocsp_response(reply.data).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_crl_and_ca_certificate_are_served(server: str, ceremony: Any) -> None:
    crl = urllib3.request("GET", f"{server}/crl/issuing.crl")
    assert crl.headers["Content-Type"] == "application/pkix-crl"
    issuing = x509.load_der_x509_certificate(ceremony.record.certificate("issuing"))
    assert x509.load_der_x509_crl(crl.data).is_signature_valid(issuing.public_key())
    certificate = urllib3.request("GET", f"{server}/ca/issuing.cer")
    assert certificate.headers["Content-Type"] == "application/pkix-cert"
    assert certificate.data == ceremony.record.certificate("issuing")


def test_every_address_in_a_certificate_answers(server: str, ceremony: Any) -> None:
    """CDP, OCSP and caIssuers of a certificate, at this server instead of the fictional host."""
    tsa = x509.load_der_x509_certificate(ceremony.record.certificate("tsa"))
    points = tsa.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = tsa.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    urls = [points[0].full_name[0].value, *(entry.access_location.value for entry in access)]
    assert len(urls) == 3
    for url in urls:
        path = url.removeprefix("http://pki.example.test")
        method = "POST" if path == "/ocsp" else "GET"
        assert urllib3.request(method, server + path).status == 200


def test_pyhankos_fetchers_find_ocsp_and_crl(
    at_home: tuple[str, PkiServices], ceremony: Any, memory_key: Any, clock: Any
) -> None:
    """A certificate whose addresses are this server's: pyHanko fetches for itself, and must find it not revoked. The
    CRL is a partial one."""
    server, services = at_home
    urls = issuer_urls(server, "issuing", has_ocsp=True)
    root, issuing = (asn1_x509.Certificate.load(ceremony.record.certificate(name)) for name in ("root", "issuing"))
    root_crl = asn1_crl.CertificateList.load(services.crls.crl("root"))
    for without in ("crl", "ocsp"):
        authority = replace(services.authorities["issuing"], urls=replace(urls, **{without: ""}))
        subject = subject_name("示例局印章", organization="示例市")
        operator = Actor("OF-1", frozenset({OPERATOR}))
        seal = authority.issue("seal", subject, memory_key().public_key, Holder(f"SL-{without}"), operator)
        context = ValidationContext(
            trust_roots=[root], crls=[root_crl], revocation_mode="require", allow_fetching=True,
            fetchers=RequestsFetcherBackend().get_fetchers(), moment=clock.now(),
        )  # fmt: skip
        validator = CertificateValidator(
            asn1_x509.Certificate.load(seal), intermediate_certs=[issuing], validation_context=context
        )
        asyncio.run(validator.async_validate_usage({"digital_signature"}))


@pytest.mark.parametrize("path", ["/crl/nobody.crl", "/crl/issuing-delta.crl", "/ca/nobody.cer", "/crl/..%2froot.crl"])
def test_what_is_not_there_is_404(server: str, path: str) -> None:
    assert urllib3.request("GET", server + path).status == 404


@pytest.mark.parametrize("path", ["/tsa", "/ocsp"])
@pytest.mark.parametrize("body", [b"", b"garbage", b"\x30\x80\x00\x00"])
def test_wrong_bodies_get_a_protocol_answer(server: str, path: str, body: bytes) -> None:
    reply = urllib3.request("POST", server + path, body=body)
    assert reply.status == 200
    assert reply.headers["Content-Type"] in ("application/timestamp-reply", "application/ocsp-response")
    assert reply.data


@pytest.mark.parametrize("path", ["/tsa", "/ocsp"])
def test_an_oversized_body_is_413(server: str, path: str) -> None:
    assert urllib3.request("POST", server + path, body=b"\x30" * 20_000).status == 413


def test_wrong_base64_is_malformed(server: str) -> None:
    reply = urllib3.request("GET", f"{server}/ocsp/not*base64")
    answer = ocsp.load_der_ocsp_response(reply.data)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_fault_of_ours_is_told_in_the_protocol(services: PkiServices) -> None:
    class Broken:
        def respond(self, request: bytes) -> bytes:
            raise RuntimeError("a fault")

    app = FastAPI()
    app.include_router(router(Broken(), Broken(), services.crls))
    for url in serve(app):
        answer = ocsp.load_der_ocsp_response(urllib3.request("POST", f"{url}/ocsp", body=b"x").data)
        assert answer.response_status is ocsp.OCSPResponseStatus.INTERNAL_ERROR
        assert urllib3.request("POST", f"{url}/tsa", body=b"x").headers["Content-Type"] == "application/timestamp-reply"


def test_a_client_that_asks_too_often_is_told_to_wait(services: PkiServices, clock: Any) -> None:
    app = FastAPI()
    limit = RateLimit(clock, per_second=1, burst=2)
    app.include_router(router(services.tsa, services.ocsp, services.crls, limit=limit))
    for url in serve(app):
        assert [urllib3.request("POST", f"{url}/tsa", body=b"").status for _ in range(3)] == [200, 200, 429]
        clock.advance(seconds=1)
        assert [urllib3.request("POST", f"{url}/tsa", body=b"").status for _ in range(2)] == [200, 429]


def test_our_client_gets_a_token_from_our_server(server: str, outbound: Outbound) -> None:
    token = cms.ContentInfo.load(HttpTimestamper(f"{server}/tsa", outbound).timestamp(DIGEST))
    info = token["content"]["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == DIGEST


def test_a_refusal_is_passed_on_with_its_reason(server: str, outbound: Outbound) -> None:
    with pytest.raises(TimestampRefused, match=r"rejection unaccepted_policy This policy is not offered"):
        HttpTimestamper(f"{server}/tsa", outbound, policy_oid="1.2.3.4").timestamp(DIGEST)


def test_an_old_answer_or_one_for_other_data_is_refused(
    services: PkiServices, outbound: Outbound, answering: Callable[[bytes | None], str]
) -> None:
    """A proxy that replays: right shape, right signature, wrong nonce; then right nonce, other digest."""
    recorded: list[bytes] = []

    class Recording:
        def respond(self, request: bytes) -> bytes:
            recorded.append(services.tsa.respond(request))
            return recorded[-1]

    app = FastAPI()
    app.include_router(router(Recording(), services.ocsp, services.crls))
    for url in serve(app):
        HttpTimestamper(f"{url}/tsa", outbound).timestamp(DIGEST)
    replay = answering(http("200 OK", "application/timestamp-reply", recorded[0]))
    with pytest.raises(TimestampWrong, match="nonce"):
        HttpTimestamper(replay, outbound).timestamp(DIGEST)
    with pytest.raises(TimestampWrong, match="other data"):
        HttpTimestamper(replay, outbound).timestamp(hashlib.sha256(b"other").digest())


def test_a_token_with_a_broken_signature_is_refused(services: PkiServices, outbound: Outbound) -> None:
    class Broken:
        def respond(self, request: bytes) -> bytes:
            answer = bytearray(services.tsa.respond(request))
            answer[-1] ^= 1
            return bytes(answer)

    app = FastAPI()
    app.include_router(router(Broken(), services.ocsp, services.crls))
    for url in serve(app):
        with pytest.raises(TimestampWrong, match="signature does not hold"):
            HttpTimestamper(f"{url}/tsa", outbound).timestamp(DIGEST)


@pytest.mark.parametrize(
    ("status", "kind"), [("200 OK", "text/html"), ("502 Bad Gateway", "text/html"), ("404 Not Found", "")]
)
def test_a_proxys_answer_names_status_and_endpoint(
    outbound: Outbound, answering: Callable[[bytes | None], str], status: str, kind: str
) -> None:
    url = answering(http(status, kind, b"<html>login</html>"))
    with pytest.raises(TimestampHttpError) as caught:
        HttpTimestamper(url, outbound).timestamp(DIGEST)
    assert status[:3] in str(caught.value)
    assert url in str(caught.value)


def test_a_server_that_hangs_is_given_up(outbound: Outbound, answering: Callable[[bytes | None], str]) -> None:
    url = answering(None)
    with pytest.raises(TimestampUnreachable, match="timed out") as caught:
        HttpTimestamper(url, outbound).timestamp(DIGEST)
    assert url in str(caught.value)


def test_garbage_with_the_right_type_is_refused(outbound: Outbound, answering: Callable[[bytes | None], str]) -> None:
    url = answering(http("200 OK", "application/timestamp-reply", b"\x30\x03\x02\x01\x00"))
    with pytest.raises(TimestampWrong):
        HttpTimestamper(url, outbound).timestamp(DIGEST)


def _closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/tsa"


def test_a_refused_connection_is_named(outbound: Outbound) -> None:
    with pytest.raises(TimestampUnreachable, match="refused"):
        HttpTimestamper(_closed(), outbound).timestamp(DIGEST)


def test_a_private_address_that_is_not_listed_is_not_contacted() -> None:
    with pytest.raises(TimestampUnreachable, match="private network"):
        HttpTimestamper("http://127.0.0.1:1/tsa", Outbound(OutboundPolicy())).timestamp(DIGEST)


def test_the_second_server_is_asked_when_the_first_fails(
    server: str, outbound: Outbound, answering: Callable[[bytes | None], str]
) -> None:
    broken = HttpTimestamper(answering(http("502 Bad Gateway", "text/html", b"")), outbound)
    good = HttpTimestamper(f"{server}/tsa", outbound)
    assert FallbackTimestamper([broken, good]).timestamp(DIGEST)
    with pytest.raises(NoTimestamp) as caught:
        FallbackTimestamper([broken, HttpTimestamper(_closed(), outbound)]).timestamp(DIGEST)
    assert [failure.code for failure in caught.value.failures] == ["timestamp_http_error", "timestamp_unreachable"]
