"""One ceremony on real SoftHSM tokens for the whole room, and a fresh database with it for each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from hardware.driver import open_token
from hardware.ports import Mechanism, Token
from hardware.softhsm import SoftHsmStore
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.database import Database
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.ceremony import CeremonyRecord, hold_ceremony, record_ceremony
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.first_ceremony import Body, first_plan
from signing_service.pki.register import CertificateRegister
from signing_service.pki.rules import SYSTEM, Actor

BASE_URL = "http://pki.example.test"
CEREMONY = Actor("ceremony", frozenset({SYSTEM}))
PIN, SO_PIN = "73510284", "91827364"


class MovedClock:
    """A clock that stands still, and is put forward or back by the test."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def advance(self, **span: float) -> None:
        self.instant += timedelta(**span)


class MemoryKey:
    """A key in memory with a token key's way of signing, where a token would only cost time."""

    def __init__(self, kind: str = "p256") -> None:
        if kind == "ed25519":
            self.private: object = ed25519.Ed25519PrivateKey.generate()
        elif kind.startswith("rsa"):
            self.private = rsa.generate_private_key(65537, int(kind[3:]))
        else:
            self.private = ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])
        self.public_key = self.private.public_key()
        self.signed: list[bytes] = []

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        self.signed.append(data)
        if mechanism is Mechanism.RSA_PKCS1_SHA256:
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if mechanism is Mechanism.ED25519:
            return self.private.sign(data)
        return self.private.sign(
            data, ec.ECDSA(hashes.SHA384() if mechanism is Mechanism.ECDSA_SHA384 else hashes.SHA256())
        )


CHILD = Path(__file__).with_name("command_child.py")
PROJECT = Path(__file__).parents[3]


class Zhengyin:
    """`zhengyin --home HOME …` in a process of its own, since SoftHSM knows one store per process."""

    def __init__(self, home: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "SOFTHSM2_CONF"}
        environment |= {"LANG": "en", "PYTHONPATH": str(PROJECT)}
        self._home = home
        self._child = subprocess.Popen(
            [sys.executable, str(CHILD)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, *arguments: str, code: int = 0, given: str = "", stream: str = "") -> str:
        """stdout, or stderr where another exit code than 0 is expected, unless the stream is named."""
        self._child.stdin.write(
            json.dumps({"arguments": ["--home", str(self._home), *arguments], "given": given}) + "\n"
        )
        self._child.stdin.flush()
        answer = json.loads(self._child.stdout.readline())
        assert answer["code"] == code, answer
        return answer[stream or ("err" if code else "out")]

    def close(self) -> None:
        self._child.stdin.close()
        self._child.wait(30)
        self._child.stdout.close()


@dataclass(frozen=True)
class HeldCeremony:
    record: CeremonyRecord
    tokens: Mapping[str, Token]
    at: datetime

    def key(self, name: str) -> object:
        """The token's key behind a certificate of the ceremony."""
        made = next(entry for entry in self.record.certificates if entry.planned.name == name)
        return self.tokens[made.planned.token].key(certificate=made.der)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> SoftHsmStore:
    store = SoftHsmStore(tmp_path_factory.mktemp("pki-tokens"))
    store.activate()
    return store


@pytest.fixture(scope="session")
def new_token(store: SoftHsmStore) -> Iterator[Callable[[str], Token]]:
    opened: list[Token] = []

    def make(label: str) -> Token:
        info = store.create(label, user_pin=PIN, so_pin=SO_PIN)
        opened.append(open_token(store.module, serial=info.serial, pin=PIN, write=True))
        return opened[-1]

    yield make
    for token in opened:
        token.close()


@pytest.fixture(scope="session")
def ceremony(new_token: Callable[[str], Token]) -> HeldCeremony:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    tokens = {name: new_token(f"pki-{name}") for name in ("root", "issuing", "services")}
    plan = first_plan("示例市", Body("示例市政务服务和数据管理局"), BASE_URL, {"示例甲": "主持", "示例乙": "见证"})
    return HeldCeremony(hold_ceremony(plan, tokens, MovedClock(at)), tokens, at)


@pytest.fixture
def clock(ceremony: HeldCeremony) -> MovedClock:
    return MovedClock(ceremony.at + timedelta(minutes=1))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, unless the test asks for both (`parametrize("database_url", …, indirect=True)`): what a database could do
    otherwise is tried on both, what openssl says of an answer on one."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'pki.db'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def register(database: Database, clock: MovedClock, ceremony: HeldCeremony) -> CertificateRegister:
    """A register that knows the ceremony's certificates."""
    audit = AuditLog()
    register = CertificateRegister(database, clock, audit)
    with database.write() as session:
        record_ceremony(register, audit, session, ceremony.record, CEREMONY)
    return register


@pytest.fixture
def services(register: CertificateRegister, ceremony: HeldCeremony) -> PkiServices:
    def signer_for(row: CertificateRow) -> object:
        return ceremony.key(row.owner)

    return assemble(register, signer_for, BASE_URL)


@pytest.fixture(scope="session")
def memory_key() -> type[MemoryKey]:
    return MemoryKey


@pytest.fixture(scope="session")
def pem() -> Callable[[bytes], bytes]:
    """DER certificate to PEM."""
    return lambda certificate: x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


@pytest.fixture
def openssl(tmp_path: Path) -> Callable[..., str]:
    """Run openssl in the test's folder; its output, or an assertion with its complaint."""

    def run(*arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0 or not check, said
        return said

    return run


@pytest.fixture(scope="session")
def zhengyin() -> Iterator[Callable[[Path], Zhengyin]]:
    """Commands on a home, in a process for each call of this."""
    started: list[Zhengyin] = []

    def start(home: Path) -> Zhengyin:
        started.append(Zhengyin(home))
        return started[-1]

    yield start
    for each in started:
        each.close()
