"""Webhooks to a real HTTP server: signed, retried, given up, replayed, and stopped when the grant ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwk, jws

from cert_registry.licences.issue import Issuing
from cert_registry.sharing.access import Action
from cert_registry.sharing.grants import grant, withdraw
from cert_registry.sharing.subscriptions import (
    AddressRefused,
    Subscription,
    SubscriptionNotFound,
    dead_letters,
    replay,
    subscribe,
    unsubscribe,
)
from cert_registry.sharing.webhooks import EVENT_TYPE, Webhooks
from cert_registry.web.evidence import evidence_signer
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.people.deliveries import WAITS
from tests.cert_registry.world import BUREAU, CLERK, SetClock, business, paper_code, seal

KEY = ec.generate_private_key(ec.SECP256R1())


class Receiver(HTTPServer):
    """A department's system; `answer` is the status it gives, `received` what it got."""

    answer = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[bytes] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def webhooks(issuing: Issuing, clock: SetClock, receiver: Receiver) -> Webhooks:
    sign = evidence_signer(b"certificate", lambda content: KEY.sign(content, ec.ECDSA(hashes.SHA256())))
    outbound = Outbound(OutboundPolicy(hosts=frozenset({receiver.address}), timeout_seconds=5))
    return Webhooks(issuing.database, outbound, sign, clock, "https://zw.example.cn")


def begin(webhooks: Webhooks, url: str, issuers: tuple[str, ...] = ()) -> str:
    with webhooks.database.write() as session:
        wanted = Subscription(
            client_id="client-housing", department="housing", matter="M1", url=url, types=[], issuers=list(issuers)
        )
        return subscribe(session, wanted, "client:client-housing", webhooks.clock.now())


def allow(webhooks: Webhooks) -> str:
    with webhooks.database.write() as session:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        return grant(
            session, "housing", "*", [Action.EVENTS], matters=["M1"], since=since, basis="示例", actor="officer:1"
        )


def issue(issuing: Issuing, case: str) -> str:
    return issuing.issue(business(case), CLERK, paper_code=paper_code, seal=seal).identifier


def test_an_event_arrives_signed_and_once(webhooks: Webhooks, issuing: Issuing, receiver: Receiver) -> None:
    allow(webhooks)
    begin(webhooks, f"http://{receiver.address}/hook")
    identifier = issue(issuing, "case-1")
    assert (webhooks.run(), webhooks.run()) == (1, 0)
    token = jws.deserialize_compact(receiver.received[0], jwk.ECKey.import_key(KEY.public_key()), algorithms=["ES256"])
    claims = json.loads(token.payload)
    assert token.headers()["typ"] == EVENT_TYPE
    assert (claims["aud"], claims["event"]["identifier"], claims["event"]["number"]) == (
        "client-housing",
        identifier,
        1,
    )


def test_what_fails_is_tried_again_later_then_given_up_and_can_be_replayed(
    webhooks: Webhooks, issuing: Issuing, receiver: Receiver, clock: SetClock
) -> None:
    allow(webhooks)
    subscription = begin(webhooks, f"http://{receiver.address}/hook")
    issue(issuing, "case-1")
    receiver.answer = 503
    assert (webhooks.run(), webhooks.run()) == (1, 0)
    for wait in WAITS:
        clock.instant += wait
        assert webhooks.run() == 1
    clock.instant += timedelta(days=9)
    assert webhooks.run() == 0
    with webhooks.database.write() as session:
        assert dead_letters(session, subscription) == [(1, "HTTP 503")]
        with pytest.raises(SubscriptionNotFound):
            replay(session, subscription, "stranger", clock.now())
        assert replay(session, subscription, "housing", clock.now()) == 1
    receiver.answer = 204
    assert webhooks.run() == 1
    with webhooks.database.read() as session:
        assert dead_letters(session, subscription) == []


def test_an_address_inside_is_refused_at_every_send(webhooks: Webhooks, issuing: Issuing, receiver: Receiver) -> None:
    allow(webhooks)
    other = HTTPServer(("127.0.0.1", 0), _Handler)
    begin(webhooks, f"http://127.0.0.1:{other.server_port}/hook")
    other.server_close()
    issue(issuing, "case-1")
    assert webhooks.run() == 1
    assert receiver.received == []


@pytest.mark.parametrize("url", ["ftp://x/y", "https://user:pin@x/", "https:///x", "https://x/#part", "javascript:1"])
def test_an_address_that_is_none_is_refused_at_once(webhooks: Webhooks, url: str) -> None:
    with pytest.raises(AddressRefused):
        begin(webhooks, url)


def test_only_what_was_asked_for_and_is_still_granted_is_sent(
    webhooks: Webhooks, issuing: Issuing, receiver: Receiver, clock: SetClock
) -> None:
    begin(webhooks, f"http://{receiver.address}/before-any-grant")
    issue(issuing, "case-0")
    assert webhooks.run() == 0
    given = allow(webhooks)
    subscription = begin(webhooks, f"http://{receiver.address}/here", (BUREAU.code[:8],))
    begin(webhooks, f"http://{receiver.address}/elsewhere", ("12345678",))
    issue(issuing, "case-1")
    assert webhooks.run() == 2  # the first subscription, granted since, and the one of this area
    receiver.answer = 500
    issue(issuing, "case-2")
    webhooks.run()
    with webhooks.database.write() as session:
        withdraw(session, given, at=clock.now(), reason="示例", actor="officer:1")
    clock.instant += timedelta(hours=1)
    sent = len(receiver.received)
    webhooks.run()
    assert len(receiver.received) == sent
    with webhooks.database.write() as session:
        assert [why for _, why in dead_letters(session, subscription)] == ["not allowed any more"]
        unsubscribe(session, subscription, "housing", "client:x", clock.now())
        with pytest.raises(SubscriptionNotFound):
            unsubscribe(session, subscription, "housing", "client:x", clock.now())
