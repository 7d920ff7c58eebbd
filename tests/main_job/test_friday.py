"""By Friday: on a running demo home a developer registers, tries every state; a clerk issues a file of licences."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cert_registry.licences.samples import SAMPLES
from cert_registry.web.connect_pages import SAMPLES as FOLDER
from cli import cast
from cli.processes import running
from tests.main_job.conftest import Demo, zhengyin

PURPOSE, MOST_SECONDS = "沙箱试用", 240
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Receiver(HTTPServer):
    """A department's server for notices of changes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[bytes] = []
        self.address = f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def served(demo: Demo, receiver: Receiver) -> Iterator[str]:
    """The demo's home on a free port that its settings name, as an operator would serve it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
    settings = demo.home / "settings.toml"
    before = settings.read_text(encoding="utf-8")
    changed = re.sub(r'(?m)^base_url = "[^"]*"', f'base_url = "{base}"', before)
    changed = re.sub(r"(?m)^outbound_hosts = \[", f'outbound_hosts = ["{receiver.address}", ', changed)
    settings.write_text(changed, encoding="utf-8")
    with running(demo.home, "serve", "--json", log=demo.home / "logs" / "friday.log"):
        yield base
    settings.write_text(before, encoding="utf-8")


@pytest.fixture(scope="module")
def library() -> ModuleType:
    spec = importlib.util.spec_from_file_location("friday_client", FOLDER / "zhengyin_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def until(done: Callable[[], Any]) -> Any:
    """Look again until something is there; the worker's rounds take what they take."""
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.5)
    raise AssertionError("it never came")


@pytest.fixture(scope="module")
def browser(served: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served, headers={"Accept": "text/html"}, trust_env=False, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def client(served: str, browser: httpx.Client, library: ModuleType) -> Any:
    """Registered on the page, as a developer does it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    page = browser.post("/connect/clients", data={"name": "示例市档案局", "public_key": public})
    assert page.status_code == 200
    client_id = re.search(r"<code>(sandbox-[0-9a-f]+)</code>", page.text)
    assert client_id
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return library.Client(served, client_id[1], pem, "sandbox")


def test_a_developer_connects_a_system_alone(browser: httpx.Client, client: Any, library: ModuleType) -> None:
    rows = r'<code>(1\.2\.156\.[0-9A-Z.]+)</code></td><td data-label="reason"><code>([a-z_]+)</code>'

    def every_state() -> list[tuple[str, str]]:
        found = re.findall(rows, browser.get("/connect").text)
        return found if len(found) == len(SAMPLES) else []

    licences = until(every_state)
    for identifier, reason in licences:
        assert client.verify_identifier(identifier, PURPOSE)["reason"] == reason
        verdict = client.verify_file(client.download(identifier, PURPOSE), PURPOSE)
        assert (verdict["verdict"], verdict["usable_now"] == "yes") == ("passed", reason == "passed")
    evidence = browser.get("/connect/evidence.pem").content
    place = client.verify_identifier(licences[0][0], PURPOSE)["licence"]["status_list"]
    assert client.status(place, evidence) == library.VALID
    events = until(lambda: list(client.events(0, PURPOSE)))  # numbered by the worker
    last = {event["identifier"]: event["number"] for event in events if event["visible"]}
    assert client.rebuilt_equally(last, events[-1]["number"], PURPOSE)
    root = x509.load_pem_x509_certificate(browser.get("/connect/root.pem").content)
    chain = x509.load_pem_x509_certificates(evidence)
    chain[0].verify_directly_issued_by(chain[1])
    assert any(_issued_by(one, root) for one in chain)


def _issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    if certificate.issuer != root.subject:
        return False
    certificate.verify_directly_issued_by(root)
    return True


def test_a_file_of_licences_is_issued_by_the_worker_and_told_to_who_subscribed(
    demo: Demo, browser: httpx.Client, client: Any, library: ModuleType, receiver: Receiver, tmp_path: Path
) -> None:
    asked = {"url": f"http://{receiver.address}/hook", "types": ["food-licence"]}
    client._post("/api/v1/subscriptions", asked, PURPOSE)
    head = "holder_name,holder_code,legal_representative,place,business_form,items\n"
    row = "示例市丙食品店,92990100MA0000023M,张示例,示例路,餐饮服务经营者,热食;冷食\n"
    file = tmp_path / "rows.csv"
    options = (
        "--issuer", cast.APPROVING.code, "--issuer-name", cast.APPROVING.name, "--as", "reviewer-2", "--department",
        cast.APPROVING.id, "--json",
    )  # fmt: skip
    file.write_text(head + row + row.replace("92990100MA0000023M", "1"), encoding="utf-8")
    refused = zhengyin(demo.home, "licences", "bulk", "start", str(file), "food-licence", *options)
    assert (refused.returncode, [one["row"] for one in json.loads(refused.stdout)["problems"]]) == (1, [2])
    file.write_text(head + row.replace("92990100MA0000023M", "91990000MA990001X2") * 3, encoding="utf-8")
    started = zhengyin(demo.home, "licences", "bulk", "start", str(file), "food-licence", *options)
    assert started.returncode == 0, started.stderr
    job = json.loads(started.stdout)["job"]

    def issued() -> Any:
        found = json.loads(zhengyin(demo.home, "licences", "bulk", "show", job, "--json").stdout)
        assert found["failed"] == 0, found
        return found if found["issued"] == 3 else None

    assert until(issued)["waiting"] == 0
    again = zhengyin(demo.home, "licences", "bulk", "run", job, "--json")
    assert (again.returncode, json.loads(again.stdout)["issued"]) == (0, 3)
    evidence = browser.get("/connect/evidence.pem").content

    def told() -> list[dict[str, Any]]:
        """Of the file's three licences; what the sandbox made may be told too."""
        events = [library.opened(each.decode(), evidence, "zhengyin-event+jwt")["event"] for each in receiver.received]
        issued = [event for event in events if event["kind"] == "issue"]
        return issued if len(issued) >= 3 else []

    numbers = [event["number"] for event in until(told)]
    assert numbers == sorted(set(numbers))
