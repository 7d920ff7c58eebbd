"""mTLS through a real nginx with the sample configuration: certificates reach us over the Unix socket alone."""

from __future__ import annotations

import base64
import getpass
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cert_registry.sharing.access import Action
from cli.listening import listen_for_proxy
from signing_service.people.client_keys import client_assertion, public_jwks
from signing_service.web.behind_proxy import read_client_cert
from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.web.live_server import CLIENT, serving, with_tokens
from tests.cert_registry.world import business

SAMPLE = Path(__file__).parents[3] / "docs" / "nginx"
FORM = {"grant_type": "client_credentials", "client_id": CLIENT}
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound, f"http://127.0.0.1:{bound.getsockname()[1]}"


class Identity:
    """A self-signed certificate and its key as files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(subject, subject, self.key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        self.certificate = made.sign(self.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.pem_file, self.key_file = folder / f"{name}.pem", folder / f"{name}.key"
        self.pem_file.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self.key_file.write_bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, upstream: Path) -> Iterator[int]:
    """The sample configuration with its paths and port put into `folder`; skips where nginx or njs is missing."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists() or not Path("/usr/lib/nginx/modules/ngx_http_js_module.so").exists():
        pytest.skip("nginx with njs is not installed: apt install nginx libnginx-mod-http-js")
    port = free_port()
    shutil.copy(SAMPLE / "client_cert.js", folder)
    text = (SAMPLE / "nginx.conf").read_text(encoding="utf-8")
    changes = {
        "listen 443": f"listen 127.0.0.1:{port}", "/run/zhengyin/web.sock": str(upstream),
        "/etc/nginx/zhengyin": str(folder), "/run/nginx.pid": str(folder / "pid"),
        "/var/log/nginx/error.log": str(folder / "error.log"),
        "user www-data;": "user root;" if getpass.getuser() == "root" else "",
        "worker_processes auto;": "worker_processes 1; daemon off;",
    }  # fmt: skip
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    child = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)
    try:
        _until_open(child, port)
        yield port
    finally:
        child.terminate()
        child.communicate()


def _until_open(child: subprocess.Popen[bytes], port: int) -> None:
    while child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(child.communicate()[1].decode())


def client(server: Identity, own: Identity | None = None) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(server.pem_file))
    if own is not None:
        context.load_cert_chain(own.pem_file, own.key_file)
    return httpx.Client(verify=context, trust_env=False)


def test_a_token_works_only_with_the_certificate_that_it_was_got_with(registry: Registry, tmp_path: Path) -> None:
    server, own, other = (Identity(tmp_path, name) for name in ("server", "own", "other"))
    done = registry.issue(business())
    registry.grant("housing", Action.VERIFY, since=datetime(2020, 1, 1, tzinfo=UTC))
    upstream = tmp_path / "web.sock"
    with listening() as (bound, direct), listen_for_proxy(upstream) as behind, nginx(tmp_path, upstream) as port:
        parts = with_tokens(registry.parts, public_jwks(own.key.public_key()), direct)
        base, body = f"https://localhost:{port}", {**PURPOSE, "identifier": done.identifier}
        with serving(parts, [bound, behind]), client(server, own) as mine:
            given = mine.post(f"{base}/oauth2/token", data=FORM)
            assert given.status_code == 200, given.text
            bearer = {"Authorization": f"Bearer {given.json()['access_token']}"}
            answer = mine.post(f"{base}/api/v1/verify/identifier", json=body, headers=bearer)
            assert (answer.status_code, answer.json()["usable_now"]) == (200, "yes")

            forged = {**bearer, "Client-Cert": f":{base64.b64encode(own.der).decode()}:"}
            with client(server) as bare, client(server, other) as stranger:
                for caller, headers in ((bare, bearer), (bare, forged), (stranger, bearer), (stranger, forged)):
                    assert caller.get(f"{base}/api/v1/whoami", headers=headers).status_code == 401
                assert stranger.post(f"{base}/oauth2/token", data=FORM).json()["error"] == "invalid_client"
                assert bare.post(f"{base}/oauth2/token", data=FORM, headers=forged).status_code == 401
            with httpx.Client(trust_env=False) as straight:
                assert straight.get(f"{direct}/api/v1/whoami", headers=forged).status_code == 401
                assert straight.post(f"{direct}/oauth2/token", data=FORM, headers=forged).status_code == 401
                unbound = straight.post(f"{direct}/oauth2/token", data=assertion(own, direct)).json()["access_token"]
                headers = {"Authorization": f"Bearer {unbound}"}
                assert straight.get(f"{direct}/api/v1/whoami", headers=headers).status_code == 200


def assertion(own: Identity, base: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": client_assertion(CLIENT, f"{base}/oauth2/token", own.key),
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b":AQID:", b"\1\2\3"),
        (b"AQID", b""),
        (b":AQ ID:", b""),
        (b"::", b""),
        (b"", b""),
        (b":%s:" % (b"A" * 9000), b""),
    ],
)
def test_the_header_is_one_byte_sequence(database: object, value: bytes, read: bytes) -> None:
    assert read_client_cert(value) == read
