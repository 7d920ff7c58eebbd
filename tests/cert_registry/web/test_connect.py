"""/connect: a developer registers a sandbox client alone; a production home offers no sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi.testclient import TestClient

from cert_registry.app import create_app
from cert_registry.licences.samples import make_samples
from cert_registry.web.connect_pages import FILES, REGISTRATIONS_A_MINUTE
from cli.sandbox import HomeSandbox
from signing_service.kernel.audit_log import entries_about
from signing_service.people.api_clients import ApiClient
from signing_service.people.departments import Department
from signing_service.people.social_credit_code import require_valid
from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.world import BUREAU

HTML = {"Accept": "text/html"}
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def sandbox(registry: Registry) -> Iterator[TestClient]:
    """The same registry as a demo home, which is a sandbox."""
    home = replace(
        registry.parts.settings.home,
        database_url=registry.parts.database.url.render_as_string(hide_password=False),
    )
    made = HomeSandbox(home, registry.parts.database, registry.clock)
    with TestClient(create_app(replace(registry.parts, sandbox=made)), headers=HTML) as client:
        yield client


def test_a_developer_registers_a_client_with_grants_for_a_month(registry: Registry, sandbox: TestClient) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    page = sandbox.post("/connect/clients", data={"name": "示例市档案局", "public_key": pem(key)}).text
    found = re.search(r"<code>(sandbox-[0-9a-f]{12})</code>", page)
    assert found
    with registry.parts.database.read() as session:
        row = session.get_one(ApiClient, found[1])
        department = session.get_one(Department, found[1])
        assert (row.name, department.name) == ("示例市档案局", "示例市档案局(沙箱)")
        assert require_valid(department.code)
        assert row.jwks["keys"][0]["kid"] in page
        assert entries_about(session, f"client:{found[1]}")[-1].kind == "client.add"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
    ],
)
def test_what_is_no_good_public_key_is_refused_and_kept_typed(
    registry: Registry, sandbox: TestClient, text: str
) -> None:
    reply = sandbox.post("/connect/clients", data={"name": "示例单位", "public_key": text})
    assert (reply.status_code, 'value="示例单位"' in reply.text) == (422, True)
    assert "sandbox-" not in reply.text


def test_registrations_are_counted_by_address(registry: Registry, sandbox: TestClient) -> None:
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    codes = [
        sandbox.post("/connect/clients", data={"name": "示例单位", "public_key": key}).status_code
        for _ in range(REGISTRATIONS_A_MINUTE + 1)
    ]
    assert codes == [200] * REGISTRATIONS_A_MINUTE + [429]


def test_the_licences_in_every_state_are_listed_with_what_verifying_answers(
    registry: Registry, sandbox: TestClient
) -> None:
    assert "一分钟后出现" in sandbox.get("/connect").text
    make_samples(registry.parts.issuing, BUREAU, registry.parts.paper_code, registry.parts.seal)
    page = sandbox.get("/connect").text
    for reason in (
        "licence_suspended",
        "licence_ended",
        "licence_expired",
        "licence_replaced",
        "licence_not_yet_valid",
    ):
        assert f"<code>{reason}</code>" in page


def test_a_production_home_registers_nobody_and_still_hands_out_samples(registry: Registry) -> None:
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    reply = registry.client.post("/connect/clients", data={"name": "示例单位", "public_key": key}, headers=HTML)
    assert (reply.status_code, "不能自助登记" in reply.text, "<form" in reply.text) == (404, True, False)
    for name in FILES:
        assert registry.client.get(f"/connect/samples/{name}").status_code == 200
    assert registry.client.get("/connect/samples/..%2Fconnect_pages.py", headers=HTML).status_code == 404
    assert registry.client.get("/connect/root.pem").text.startswith("-----BEGIN CERTIFICATE-----")
    assert registry.client.get("/connect/evidence.pem").text.startswith("-----BEGIN CERTIFICATE-----")
