"""One SoftHSM with the service tokens and the holders' USB keys for the whole room; a fresh custody folder a test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware.driver import open_token
from hardware.pin_source import write_pin_file
from hardware.ports import Mechanism
from hardware.private_keys import as_private_key
from hardware.softhsm import SoftHsmStore
from signing_service.custody.core import Custody
from signing_service.custody.policy import CustodyPolicy, SealEntry, ServiceEntry, TokenPlace, save_policy
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.seals.authorisation import authorise_digests
from signing_service.seals.holder_signature import sign_authorisation

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
PINS = {"seals": "60718293", "online": "51627384", "holder": "246802", "deputy": "135791"}
SEAL = "seal-approval-bureau"
OTHER_SEAL = "seal-other-bureau"
SERVICES = {
    "tsa": "p256", "ocsp": "p256", "evidence": "p256", "paper_code": "p256", "log": "ed25519", "data": "rsa2048",
}  # fmt: skip


class StillClock:
    """Stands still until it is put forward."""

    def __init__(self, instant=NOW):
        self.instant = instant

    def now(self):
        return self.instant


def certify(key, name, **validity):
    """A self-signed certificate of a token's key, kept on no token."""
    since = validity.get("since", NOW - timedelta(days=1))
    until = validity.get("until", NOW + timedelta(days=365))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key, x509.random_serial_number(), since, until)
    private = as_private_key(key)
    algorithm = None if "Ed25519" in type(private).__name__ else hashes.SHA256()
    return builder.sign(private, algorithm).public_bytes(Encoding.DER)


@dataclass
class Vault:
    """What was made once: the store, each USB key's place and certificate, the policy."""

    store: SoftHsmStore
    places: dict[str, TokenPlace]
    holder: bytes
    deputy: bytes
    policy: CustodyPolicy

    def open(self, name):
        place = self.places[name]
        return open_token(place.module, serial=place.serial, pin=PINS[name])


@pytest.fixture(scope="session")
def vault(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vault")
    store = SoftHsmStore(folder / "softhsm")
    store.activate()
    places = {}
    for name, pin in PINS.items():
        info = store.create(f"示例市 {name}", user_pin=pin, so_pin="97531864")
        write_pin_file(folder / f"{name}.pin", pin)
        places[name] = TokenPlace(store.module, info.serial, str(folder / f"{name}.pin"))
    made = {}
    kinds = {
        "seals": {SEAL: "rsa2048", OTHER_SEAL: "p256", "issuing": "p256"},
        "online": SERVICES,
        "holder": {"holder": "p256"},
        "deputy": {"deputy": "p256"},
    }
    for name, keys in kinds.items():
        with open_token(store.module, serial=places[name].serial, pin=PINS[name], write=True) as token:
            for label, kind in keys.items():
                key_id = hashlib.sha256(label.encode()).digest()[:8]
                key = token.generate(kind, label=label, id=key_id, decrypt=label == "data")
                made[label] = (key.id, certify(key, f"示例 {label}"))
    bureaus = {SEAL: "approval-bureau", OTHER_SEAL: "other-bureau"}
    holder, deputy = made["holder"][1], made["deputy"][1]
    seals = {
        seal: SealEntry("seals", made[seal][1], bureau, (holder,), (), (holder, deputy))
        for seal, bureau in bureaus.items()
    }
    services = {
        kind: ServiceEntry("online", made[kind][0], made[kind][1] if kind in ("tsa", "ocsp", "evidence") else b"")
        for kind in SERVICES
    }
    services["issuing"] = ServiceEntry("seals", *made["issuing"])
    tokens = {name: places[name] for name in ("seals", "online")}
    policy = CustodyPolicy("production", tokens=tokens, seals=seals, services=services)
    return Vault(store, places, holder, deputy, policy)


@pytest.fixture(autouse=True)
def our_store(vault, tmp_path, monkeypatch):
    """This room's store, also after another room's tests used theirs; no PIN marker in the account's own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    vault.store.activate()


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def folder(vault, tmp_path) -> Path:
    made = tmp_path / "custody"
    save_policy(made, vault.policy)
    return made


@pytest.fixture
def custody(folder, clock):
    opened = Custody(folder, clock)
    yield opened
    opened.close()


@pytest.fixture
def holder(vault):
    """(key, certificate, mechanism) of the seal holder's USB key."""
    with vault.open("holder") as token:
        yield token.key(label="holder"), vault.holder, Mechanism.ECDSA_SHA256


@pytest.fixture
def deputy(vault):
    with vault.open("deputy") as token:
        yield token.key(label="deputy"), vault.deputy, Mechanism.ECDSA_SHA256


@dataclass
class Ask:
    """A document to be sealed: its digest, its signed attributes, and who may authorise it."""

    vault: Vault
    holder: tuple

    def attributes(self, text, seal=SEAL):
        certificate = self.vault.policy.seals[seal].certificate
        return build_signed_attributes(hashlib.sha256(text.encode()).digest(), certificate)

    def authorise(self, *texts, seal=SEAL, until=NOW + timedelta(hours=1), signers=None):
        digests = {hashlib.sha256(text.encode()).hexdigest() for text in texts}
        content = authorise_digests(seal, digests, not_before=NOW - timedelta(hours=1), until=until)
        return sign_authorisation(content, *(signers or [self.holder]))

    def policy(self, **changes):
        return replace(self.vault.policy, **changes)


@pytest.fixture
def ask(vault, holder):
    return Ask(vault, holder)
