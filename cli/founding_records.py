"""Founding a home, the records: departments, officers and their roles, a department's API client, the data key."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.data_keys import KeyRing
from cert_registry.licences.holder_vault import KEY_BYTES
from cert_registry.licences.issuers import permit
from cert_registry.sharing.access import ANY, Action
from cert_registry.sharing.grants import grant
from cli import cast
from cli.data_keys import save_ring
from cli.founding_keys import Founded
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.blobs import write_atomically
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people.client_keys import public_jwks
from signing_service.people.oauth import NewClient, add_client
from signing_service.people.officers import AUTHENTICATION, SIGNING
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import Role
from signing_service.settings import Settings

CLIENT_ID = "housing-demo"
ACTOR = "init"
LEGAL_BASIS = "示例市行政审批局职责规定(示例)"


def found_people(database: Database, clock: Clock, founded: Founded) -> None:
    """Departments, officers, their certificates, and the logged bootstrap of roles."""
    register = PeopleRegister(database, clock, AuditLog())
    with database.write() as session:
        for department in cast.DEPARTMENTS:
            register.add_department(session, department.id, department.name, department.code)
        for officer in cast.OFFICERS:
            register.add_officer(session, NewOfficer(officer.id, officer.name, officer.department))
            held = founded.officers[officer.id]
            register.bind_certificate(session, officer.id, held.signing, purpose=SIGNING)
            register.bind_certificate(session, officer.id, held.authentication, purpose=AUTHENTICATION)
        grants = [(officer.id, Role(role)) for officer in cast.OFFICERS for role in officer.roles]
        register.bootstrap(session, grants)


def found_licensing(database: Database, clock: Clock) -> None:
    """The approving department may issue every type of the catalogue; the other one may verify and read each."""
    now, allowed = clock.now(), (Action.VERIFY, Action.READ, Action.FILE)
    with database.write() as session:
        for kind in Catalogue.load():
            permit(session, kind, cast.APPROVING.code, since=now, basis=LEGAL_BASIS, actor="init")
            grant(
                session,
                cast.VERIFYING.id,
                kind.code,
                allowed,
                matters=(ANY,),
                since=now,
                basis=LEGAL_BASIS,
                actor="init",
            )


def found_client(settings: Settings, database: Database, clock: Clock) -> None:
    """The verifying department's API client; its private key in an owner-only file of the demo home."""
    key = ec.generate_private_key(ec.SECP256R1())
    client = NewClient(CLIENT_ID, cast.VERIFYING.id, "演示客户端", public_jwks(key.public_key()))
    with database.write() as session:
        add_client(session, client, clock, AuditLog())
    path = client_key_file(settings)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def found_data_key(settings: Settings, clock: Clock, wrapping_key: RSAPublicKey) -> None:
    """A fresh key for holders' codes, kept only as wrapped by a token's key (RSA-OAEP, SHA-256)."""
    wrapping = wrapping_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    save_ring(settings, KeyRing.first(secrets.token_bytes(KEY_BYTES), wrapping, clock.now()))


def client_key_file(settings: Settings) -> Path:
    return settings.home / "clients" / f"{CLIENT_ID}.pem"
