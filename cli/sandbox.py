"""The sandbox of a demo home: developers of other departments register their own clients; licences in every state.

A demo home holds fictional data and seals that bear 示例; a production home has no sandbox.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import func, select

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.catalogue import Body
from cert_registry.licences.samples import make_samples
from cert_registry.sharing.access import ANY, GRANTABLE
from cert_registry.sharing.grants import grant
from cert_registry.web.parts import SandboxClient
from cli import cast
from cli.registry_parts import RegistryDesk
from cli.stage import Stage
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.jobs import Jobs
from signing_service.people.api_clients import ApiClient
from signing_service.people.client_keys import public_jwks
from signing_service.people.errors import KeySetRefused
from signing_service.people.oauth import NewClient, add_client
from signing_service.people.register import PeopleRegister
from signing_service.people.social_credit_code import body_check_character, check_character
from signing_service.settings import Settings

SAMPLES = "sandbox.samples"
PREFIX = "sandbox-"
LIFE, MOST_CLIENTS = timedelta(days=30), 1000
BASIS = "沙箱自助登记(示例)"


class SandboxRefused(RegistryError):
    code = "sandbox_refused"

    def __init__(self, what: Text, advice: Text) -> None:
        super().__init__(what, advice=advice)


@dataclass(frozen=True, slots=True)
class HomeSandbox:
    """Each client gets a department of its own, so that nobody sees another's copies and subscriptions."""

    settings: Settings
    database: Database
    clock: Clock

    def register(self, name: str, public_key: str) -> SandboxClient:
        """Raises SandboxRefused, KeySetRefused."""
        if not name or any(ord(sign) < 32 for sign in name):
            what = Text("请填写单位名称。", "Give your department's name.")
            raise SandboxRefused(what, Text("一行文字。", "One line of text."))
        jwks, now = public_jwks(_public_key(public_key)), self.clock.now()
        client_id, until = PREFIX + secrets.token_hex(6), now + LIFE
        with self.database.write() as session:
            query = select(func.count()).select_from(ApiClient).where(ApiClient.id.startswith(PREFIX))
            if (session.scalar(query) or 0) >= MOST_CLIENTS:
                what = Text("沙箱客户端已满。", "The sandbox is full of clients.")
                raise SandboxRefused(what, Text("请联系证照管理部门清理。", "Ask the registry office to clear it."))
            people = PeopleRegister(self.database, self.clock, AuditLog())
            people.add_department(session, client_id, f"{name}(沙箱)", _free_code())
            add_client(session, NewClient(client_id, client_id, name, jwks), self.clock, AuditLog())
            grant(
                session, client_id, ANY, sorted(GRANTABLE), matters=(ANY,), since=now, until=until, basis=BASIS,
                actor="sandbox",
            )  # fmt: skip
        self._wake()
        return SandboxClient(client_id, jwks["keys"][0]["kid"], client_id, until)

    def _wake(self) -> None:
        """The worker makes the licences in every state, unless they are there."""
        jobs = Jobs(self.settings.database_url)
        jobs.task(SAMPLES, lambda *_rows: None)
        jobs.wake(SAMPLES)
        jobs.close()


def make_sandbox_samples(registry: RegistryDesk) -> None:
    """What the worker does when it is woken for the sandbox."""
    issuer = Body(cast.APPROVING.code, cast.APPROVING.name)
    make_samples(registry.issuing, issuer, registry.codes.of_licence, registry.seal)


def sandbox_of(stage: Stage) -> HomeSandbox | None:
    """Only a demo home has one."""
    return HomeSandbox(stage.settings, stage.database, stage.clock) if stage.settings.is_demo else None


def _public_key(pem: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """Raises KeySetRefused, also for a private key sent by mistake."""
    if "PRIVATE" in pem:
        raise KeySetRefused("这是私钥,私钥应留在本单位。", "This is a private key; it stays with you. Make a new one.")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeySetRefused("不是 PEM 格式的公钥。", "It is not a public key in PEM.") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key
    raise KeySetRefused("公钥类型或长度不符合要求。", "The key is of another kind, or too short.")


def _free_code() -> str:
    """A fictional unified social credit code that passes its checks (GB 32100), from a region that does not exist."""
    body = "MB" + f"{secrets.randbelow(10**6):06}"
    first = f"11990000{body}{body_check_character(body)}"
    return first + check_character(first)
