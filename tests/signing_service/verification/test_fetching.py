"""Fetching revocation data: real servers, of which only the allowed are asked, and none can hold a verdict up."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from pdf_bytes import document
from pki_world import Revoked, end_entity, revocation_list
from sealed_files import sign

from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.verification.engine import verify
from signing_service.verification.http_fetcher import HttpFetcher
from signing_service.verification.worker import verify_in_worker

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


class Serving(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.seen: list[str] = []
        self.crl = b""
        self.stopping = threading.Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Serving

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", f"http://{self.server.host}/ca.crl")
            self.end_headers()
        elif self.path.startswith("/drip"):
            self._drip(self.path == "/drip-headers")
        else:
            huge = self.path == "/huge"
            body = b"\x30" * (3 << 20) if huge else self.server.crl
            self.send_response(200 if self.server.crl else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _drip(self, headers: bool) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"" if headers else b"Content-Length: 100000\r\n\r\n"))
        while not self.server.stopping.wait(0.05):
            try:
                self.wfile.write(b"X: 1\r\n" if headers else b"\x30")
            except OSError:
                return

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Serving]:
    with Serving() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield serving
        serving.stopping.set()
        serving.shutdown()


def fetcher(server: Serving, *hosts: str, seconds: float = 5, most: int = 20, size: int = 1 << 20) -> HttpFetcher:
    """Private addresses are open to it (this is a loopback server); `hosts` are the allowed ones."""
    policy = OutboundPolicy(frozenset({server.host, "localhost"}), timeout_seconds=seconds, max_bytes=size)
    return HttpFetcher(Outbound(policy), hosts or (server.host,), most=most, seconds=seconds)


def naming(world, *urls: str):
    """A seal whose certificate names these places for its CRL."""
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    return end_entity("示例市行政审批专用章", world.seals, extra=(x509.CRLDistributionPoints(points), False))


def offline(world, make_policy):
    """Everything is known but the seal CA's list."""
    return make_policy(crls=world.crls(NOW - timedelta(hours=1))[1:])


def test_the_list_of_an_allowed_host_decides(server, world, make_policy):
    party = naming(world, f"http://{server.host}/ca.crl")
    pdf = sign(document(), world, party)
    policy = offline(world, make_policy)
    assert verify(pdf, policy).reason == "revocation_unknown"
    server.crl = revocation_list(world.seals, NOW - timedelta(minutes=5))
    assert verify(pdf, replace(policy, fetcher=fetcher(server))).reason == "passed"
    server.crl = revocation_list(world.seals, NOW, Revoked(party, datetime(2026, 5, 1, tzinfo=UTC)))
    assert verify_in_worker(pdf, replace(policy, fetcher=fetcher(server))).reason == "revoked_before_signing"
    assert server.seen == ["/ca.crl", "/ca.crl"]


def test_a_stale_or_foreign_list_is_not_believed(server, world, make_policy):
    pdf = sign(document(), world, naming(world, f"http://{server.host}/ca.crl"))
    policy = offline(world, make_policy)
    for crl in (
        revocation_list(world.seals, datetime(2026, 4, 1, tzinfo=UTC), days=7),
        revocation_list(world.officers, NOW - timedelta(minutes=5)),
        b"\x30\x03\x02\x01\x00",
    ):
        server.crl = crl
        assert verify(pdf, replace(policy, fetcher=fetcher(server))).reason == "revocation_unknown"


@pytest.mark.parametrize("host", ["elsewhere.example.cn", "localhost", "127.0.0.1:1"])
def test_a_host_that_only_the_document_names_is_never_asked(host, server, world, make_policy):
    server.crl = revocation_list(world.seals, NOW - timedelta(minutes=5))
    pdf = sign(document(), world, naming(world, f"http://{server.host}/ca.crl"))
    assert (
        verify(pdf, replace(offline(world, make_policy), fetcher=fetcher(server, host))).reason == "revocation_unknown"
    )
    assert server.seen == []


def test_an_allowed_name_that_resolves_to_a_private_address_is_refused(server):
    """DNS rebinding: the name is allowed, where it leads is not."""
    strict = HttpFetcher(Outbound(OutboundPolicy(timeout_seconds=5)), ["localhost"])
    assert strict.crl(f"http://localhost:{server.server_port}/ca.crl") is None
    assert server.seen == []


def test_a_redirect_is_not_followed(server, world):
    server.crl = revocation_list(world.seals, NOW)
    assert fetcher(server).crl(f"http://{server.host}/redirect") is None
    assert server.seen == ["/redirect"]


def test_a_huge_answer_is_dropped(server, world):
    server.crl = revocation_list(world.seals, NOW)
    assert fetcher(server).crl(f"http://{server.host}/huge") is None


@pytest.mark.parametrize("path", ["/drip", "/drip-headers"])
def test_a_server_that_drips_is_left(path, server):
    """It would send for hours; the whole request has one deadline."""
    asked = fetcher(server, seconds=0.5)
    started = time.monotonic()
    assert asked.crl(f"http://{server.host}{path}") is None
    assert asked.crl(f"http://{server.host}/ca.crl") is None
    assert server.seen == [path]
    assert time.monotonic() - started < 30


def test_a_thousand_places_in_one_document_cost_twenty_requests(server):
    asked = fetcher(server, most=20)
    for number in range(1000):
        asked.crl(f"http://{server.host}/{number}")
        asked.crl(f"http://{server.host}/{number}")
    assert len(server.seen) == 20


def test_a_certificate_with_a_thousand_places_costs_three(server, world, make_policy):
    pdf = sign(document(), world, naming(world, *(f"http://{server.host}/{number}" for number in range(1000))))
    report = verify(pdf, replace(offline(world, make_policy), fetcher=fetcher(server)))
    assert report.reason == "revocation_unknown"
    assert server.seen == ["/0", "/1", "/2"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ldap://127.0.0.1/", "http://[::1", "http://user@127.0.0.1/", "gopher://x"]
)
def test_other_schemes_are_nothing(url, server):
    assert fetcher(server, "127.0.0.1", "").crl(url) is None
