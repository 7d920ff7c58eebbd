import contextlib
import threading

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from signing_service.app import Parts, Task, create_app, create_worker
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.problems import MEDIA_TYPE
from signing_service.people.errors import GrantRefused
from signing_service.web.middleware import MOST_BODY_BYTES

HTML = {"accept": "text/html,application/xhtml+xml"}


class Odd(SigningServiceError):
    code = "odd"

    def __init__(self):
        super().__init__(Text("奇怪。", "Odd."), why=Text("原因。", "Cause."), advice=Text("请重试。", "Try again."))


@pytest.fixture
def client(client_of, failing):
    @failing.get("/odd")
    def odd():
        raise Odd

    @failing.get("/refused")
    def refused():
        raise GrantRefused(Text("规则。", "Rule."))

    return client_of(failing, statuses={Odd: 418})


def test_a_named_error_is_a_problem_document(client):
    reply = client.get("/odd")
    assert reply.status_code == 418
    assert reply.headers["content-type"] == MEDIA_TYPE
    body = reply.json()
    assert (body["code"], body["title"], body["detail"]) == ("odd", "奇怪。", "原因。请重试。")
    assert body["request_id"] == reply.headers["x-request-id"]


def test_and_a_page_where_a_page_was_asked_for(client):
    reply = client.get("/odd", headers={**HTML, "accept-language": "en"})
    assert reply.status_code == 418
    assert "<h1>" in reply.text
    assert "Odd." in reply.text
    assert reply.headers["x-request-id"] in reply.text


def test_statuses_come_from_the_nearest_class(client):
    assert client.get("/refused").status_code == 409


def test_an_error_without_a_name_does_not_tell_its_cause(client, caplog):
    reply = client.get("/unnamed")
    assert reply.status_code == 500
    assert reply.json()["code"] == "internal_error"
    assert "secret" not in reply.text
    assert reply.json()["request_id"] in caplog.text


def test_unknown_addresses_methods_and_values(client):
    assert client.get("/nowhere").json()["code"] == "not_found"
    assert client.get("/nowhere", headers=HTML).status_code == 404
    wrong_method = client.post("/odd")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET")
    invalid = client.get("/number/x")
    assert (invalid.status_code, invalid.json()["code"]) == (400, "request_invalid")
    assert "value" in invalid.json()["detail"]


def test_security_headers_are_on_every_answer(client):
    for address in ("/healthz", "/nowhere", "/static/zhengyin.css", "/unnamed"):
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers


def test_bodies_over_the_limit_are_refused_however_they_come(client):
    announced = client.post("/size", content=b"x", headers={"content-length": str(MOST_BODY_BYTES + 1)})
    assert (announced.status_code, announced.json()["code"]) == (413, "file_too_large")
    block = bytes(2**20)
    streamed = client.post("/size", content=(block for _ in range(66)))
    assert (streamed.status_code, streamed.json()["code"]) == (413, "file_too_large")
    assert client.post("/size", content=b"four").json() == 4


def test_readiness_tells_what_failed_and_asks_again_after_a_while(client_of, clock):
    broken = [True]

    def tsa():
        if broken[0]:
            raise OSError("no route to the authority")

    client = client_of(checks={"tsa": tsa})
    first = client.get("/readyz")
    assert first.status_code == 503
    assert first.json()["checks"] == {"database": "ok", "tsa": "failed"}
    assert "route" not in first.text
    broken[0] = False
    assert client.get("/readyz").status_code == 503
    clock.advance(seconds=10)
    assert client.get("/readyz").status_code == 200


def test_resources_are_opened_at_start_and_closed_at_the_end(settings, sqlite, clock):

    events = []

    @contextlib.contextmanager
    def resource(name):
        events.append(f"open {name}")
        yield
        events.append(f"close {name}")

    resources = [lambda: resource("a"), lambda: resource("b")]
    app = create_app(settings, Parts(database=sqlite, clock=clock, resources=resources))
    assert events == []
    with TestClient(app):
        assert events == ["open a", "open b"]
    assert events == ["open a", "open b", "close b", "close a"]


def test_the_worker_runs_the_tasks_it_was_made_with(settings):

    arrived = threading.Event()
    worker = create_worker(settings, [Task("outbox", arrived.set, every_minute=True)])
    worker.jobs.wake("outbox")
    worker.start()
    assert arrived.wait(20)
    worker.close()


def test_routers_of_others_are_included(client_of):
    other = APIRouter()

    @other.get("/v/hello")
    def hello():
        return "hello"

    assert client_of(other).get("/v/hello").json() == "hello"
