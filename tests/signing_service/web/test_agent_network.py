"""The agent's way through a city's network: a real proxy, a private root CA, a server that does not answer."""

import importlib.util
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from signing_service.agent.connection import Connection
from signing_service.agent.errors import ServerUnreachable
from signing_service.agent.pairing import connect, pair
from signing_service.agent.work import WorkTable

_spec = importlib.util.spec_from_file_location("private_ca", Path(__file__).with_name("private_ca.py"))
private_ca = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(private_ca)

CONFIGURATION = """\
Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 20
Allow 127.0.0.1
LogFile "{log}"
LogLevel Info
ConnectPort {server}
"""


@pytest.fixture
def secure_office(office_of, tmp_path):
    """A running server with TLS, and the root certificate that it can be checked with."""
    root, server = private_ca.make_private_ca(tmp_path)
    return office_of(tls=server), root


@pytest.fixture
def proxy(secure_office, tmp_path, monkeypatch):
    """tinyproxy as the system's proxy; gives its log. It lets through what goes to our server's port alone."""
    port, log = free_port(), tmp_path / "proxy.log"
    configuration = tmp_path / "tinyproxy.conf"
    server = secure_office[0].origin.rpartition(":")[2]
    configuration.write_text(CONFIGURATION.format(port=port, log=log, server=server))
    process = subprocess.Popen(["tinyproxy", "-d", "-c", configuration], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (log.exists() and "Accepting connections" in log.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    yield log
    process.terminate()
    process.wait(10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tunnels(log):
    return log.read_text().count("CONNECT 127.0.0.1")


def test_pairs_and_works_through_the_proxy_with_the_private_root(secure_office, proxy, scripted):
    office, root = secure_office
    key, servers = office.key_of("li"), office.servers_of("li")
    paired = pair(office.origin, key, scripted(), servers, ca_file=root)
    assert WorkTable(connect(paired, ca_file=root), key, scripted(), servers, "示例").next_list(wait=0) is None
    assert tunnels(proxy) > 0


def test_a_server_of_an_unknown_root_is_not_spoken_to(secure_office, proxy):
    with pytest.raises(ServerUnreachable, match="certificate verify failed"):
        Connection(secure_office[0].origin).get("/agent/v1/work?wait=0")


def test_another_name_than_the_certificates_is_not_spoken_to(secure_office):
    office, root = secure_office
    other = office.origin.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(ServerUnreachable, match=r"certificate|127\.0\.0\.2"):
        Connection(other, ca_file=root).get("/agent/v1/work?wait=0")


def test_hosts_that_the_system_leaves_out_are_reached_without_the_proxy(secure_office, proxy, scripted, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    office, root = secure_office
    pair(office.origin, office.key_of("li"), scripted(), office.servers_of("li"), ca_file=root)
    assert tunnels(proxy) == 0


def test_a_proxy_that_is_not_there_or_refuses_is_named(secure_office, proxy, monkeypatch):
    office, root = secure_office
    with pytest.raises(ServerUnreachable, match=r"403|[Tt]unnel"):
        Connection("https://127.0.0.1:9", ca_file=root).get("/agent/v1/work?wait=0")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ServerUnreachable, match=r"[Pp]roxy"):
        Connection(office.origin, ca_file=root).get("/agent/v1/work?wait=0")


def test_a_poll_asks_for_less_than_a_minute_and_gives_up_within_one(office, scripted, paired, monkeypatch):
    """Proxies cut what is silent for 60 seconds."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_origin = f"http://127.0.0.1:{silent.getsockname()[1]}"

        def hear():
            connection, _ = silent.accept()
            asked.append(connection.recv(4096).split(b"\r\n")[0].decode())
            connection.close()

        hearer = threading.Thread(target=hear)
        hearer.start()
        connection = Connection(silent_origin)
        timeouts = []
        request = connection._pool.request
        monkeypatch.setattr(
            connection._pool, "request",
            lambda *parts, **more: timeouts.append(more["timeout"]) or request(*parts, **more),
        )  # fmt: skip
        with pytest.raises(ServerUnreachable):
            WorkTable(connection, office.key_of("li"), scripted(), office.servers_of("li"), "示例").next_list()
        hearer.join(10)
    wait = int(asked[0].partition("wait=")[2].split()[0])
    assert 0 < wait < timeouts[0].read_timeout < 60
