"""Outbound calls go to checked addresses alone, follow nothing, and are bounded. Real loopback sockets."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundPolicy, OutboundRefused


class Answers(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/target")
            self.end_headers()
            return
        body = b"x" * (2000 if self.path == "/large" else 5)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    Answers.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_private_address_is_refused_unless_it_is_listed(server: str) -> None:
    with pytest.raises(OutboundRefused, match="private network"):
        Outbound(OutboundPolicy()).request("GET", f"http://{server}/")
    assert Answers.seen == []
    assert Outbound(OutboundPolicy(frozenset({server}))).request("GET", f"http://{server}/").body == b"xxxxx"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/", "http://user@127.0.0.1/", "http:///x"])
def test_only_plain_web_addresses_are_called(url: str) -> None:
    with pytest.raises(OutboundRefused):
        Outbound(OutboundPolicy(frozenset({"127.0.0.1"}))).request("GET", url)


def test_a_redirect_is_an_answer_and_not_followed(server: str) -> None:
    reply = Outbound(OutboundPolicy(frozenset({server}))).request("GET", f"http://{server}/redirect")
    assert reply.status == 302
    assert Answers.seen == ["/redirect"]


def test_a_reply_over_the_limit_is_refused(server: str) -> None:
    with pytest.raises(OutboundFailed, match="larger than 1000 bytes"):
        Outbound(OutboundPolicy(frozenset({server}), max_bytes=1000)).request("GET", f"http://{server}/large")
