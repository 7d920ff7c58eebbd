"""Founding a home, the keys: first ceremony, officers' USB keys, the seal's key, custody's policy, trust files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from cli import cast
from cli.home import pin_file
from hardware.driver import open_token
from hardware.opened_token import OpenedToken
from hardware.pin_source import read_pin_file
from hardware.ports import Token, TokenInfo, TokenKey
from signing_service.custody.policy import CustodyPolicy, SealEntry, ServiceEntry, TokenPlace, save_policy
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.blobs import write_atomically
from signing_service.pki.authority import CertificateAuthority
from signing_service.pki.ceremony import CeremonyRecord, hold_ceremony, record_ceremony
from signing_service.pki.ceremony_plan import issuer_urls
from signing_service.pki.first_ceremony import SEAL, Body, first_plan
from signing_service.pki.names import subject_name
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.register import CertificateRegister, Holder
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.settings import Settings

FOUNDER = Actor("init", frozenset({SYSTEM}))
PLAN_TOKENS = {"root": cast.ROOT_TOKEN, "issuing": cast.SEALS_TOKEN, "services": cast.SERVICES_TOKEN}
# custody's service kinds, and the ceremony's name and token of the key behind each
SERVICES = {
    "issuing": ("issuing", "issuing"),
    "simulation_issuing": ("simulation", "issuing"),
    "ocsp": ("ocsp", "services"),
    "simulation_ocsp": ("simulation-ocsp", "services"),
    "tsa": ("tsa", "services"),
    "evidence": ("evidence", "services"),
    "paper_code": ("paper-code", "services"),
    "log": ("log", "services"),
}
SIGNING, AUTHENTICATION = "signing", "authentication"
DATA_KEY_LABEL, DATA_KEY_ID = "data", b"data"


@dataclass(frozen=True, slots=True)
class OfficerCertificates:
    """DER certificates on an officer's USB key."""

    signing: bytes
    authentication: bytes


@dataclass(frozen=True, slots=True)
class Founded:
    """What founding made, public material only."""

    ceremony: CeremonyRecord
    officers: dict[str, OfficerCertificates]
    seal: bytes
    data_public_key: RSAPublicKey


def found_keys(settings: Settings, register: CertificateRegister, tokens: dict[str, TokenInfo]) -> Founded:
    """Hold the first ceremony and certify every key of the cast. Tokens are opened with the PINs of this home."""
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(open_with_pin_file(settings, tokens[label], label))
            for name, label in PLAN_TOKENS.items()
        }
        body = Body(cast.APPROVING.name, cast.APPROVING.code, cast.APPROVING.id)
        plan = first_plan(settings.city, body, settings.base_url, _present())
        ceremony = hold_ceremony(plan, opened, register.clock)
        with register.database.write() as session:
            record_ceremony(register, AuditLog(), session, ceremony, FOUNDER)
        authority = _authority(settings, register, opened["issuing"], ceremony)
        officers = {officer.id: _certify_officer(settings, tokens, authority, officer) for officer in cast.OFFICERS}
        data = opened["services"].generate("rsa3072", label=DATA_KEY_LABEL, id=DATA_KEY_ID, decrypt=True).public_key
    assert isinstance(data, RSAPublicKey)  # noqa: S101  # it was generated as one
    return Founded(ceremony, officers, ceremony.certificate(SEAL), data)


def write_custody_policy(settings: Settings, founded: Founded, tokens: dict[str, TokenInfo]) -> None:
    """Which key is which service's and the seal's, who holds it. A demo home allows direct sealing; others never do."""
    ceremony = founded.ceremony
    issuing, root = ceremony.certificate("issuing"), ceremony.certificate("root")
    chains = {"issuing": (root,), "simulation": (), "simulation-ocsp": (ceremony.certificate("simulation"),)}
    key_ids = {made.planned.name: made.key_id for made in ceremony.certificates}
    services = {
        kind: ServiceEntry(token, key_ids[name], ceremony.certificate(name), chains.get(name, (issuing, root)))
        for kind, (name, token) in SERVICES.items()
    }
    holder = founded.officers[cast.SEAL_HOLDER.id].signing
    appointed = tuple(founded.officers[officer.id].signing for officer in (cast.SEAL_ADMIN_1, cast.SEAL_ADMIN_2))
    places = {
        name: TokenPlace(settings.token_module, tokens[label].serial, f"../pins/{label}.pin")
        for name, label in PLAN_TOKENS.items()
        if name != "root"
    }
    policy = CustodyPolicy(
        profile=settings.profile,
        direct_sealing=settings.is_demo,
        tokens=places,
        seals={
            cast.DEFAULT_SEAL: SealEntry(
                "issuing", founded.seal, cast.APPROVING.id, (holder,), (issuing, root), appointed
            )
        },
        services={**services, "data": ServiceEntry("services", DATA_KEY_ID)},
    )
    save_policy(settings.custody, policy)


def write_trust(settings: Settings, ceremony: CeremonyRecord) -> None:
    """The home's own anchors by purpose, and the first CRLs, for `zhengyin verify` without a server."""
    root = x509.load_der_x509_certificate(ceremony.certificate("root")).public_bytes(Encoding.PEM)
    for purpose in ("officers", "seals", "timestamps"):
        _write(settings.trust / purpose / "root.pem", root)
    simulation = x509.load_der_x509_certificate(ceremony.certificate("simulation")).public_bytes(Encoding.PEM)
    _write(settings.trust / "simulated" / "simulation.pem", simulation)
    (settings.trust / "outside").mkdir(exist_ok=True)
    for crl in ceremony.crls:
        _write(settings.trust / "crls" / f"{crl.issuer_name}.crl", crl.der)


def open_with_pin_file(settings: Settings, info: TokenInfo, label: str) -> OpenedToken:
    """A token of this home, logged in with the PIN that the home keeps for it."""
    path = pin_file(settings, label)
    return open_token(settings.token_module, serial=info.serial, pin=lambda: read_pin_file(path), write=True)


def _present() -> dict[str, str]:
    return {cast.PKI_OPERATOR.name: "操作", cast.SEAL_ADMIN_1.name: "见证", cast.AUDITOR.name: "监察"}


def _authority(
    settings: Settings, register: CertificateRegister, token: Token, ceremony: CeremonyRecord
) -> CertificateAuthority:
    certificate, root = ceremony.certificate("issuing"), ceremony.certificate("root")
    key = CertifiedKey(token.key(certificate=certificate), certificate, (root,))
    return CertificateAuthority(key, issuer_urls(settings.base_url, "issuing", has_ocsp=True), register)


def _certify_officer(
    settings: Settings, tokens: dict[str, TokenInfo], authority: CertificateAuthority, officer: cast.OfficerRole
) -> OfficerCertificates:
    """Two keys made on the officer's USB key, certified, written back."""
    info = tokens[officer.token]
    with open_with_pin_file(settings, info, officer.token) as token:
        made = {
            use: _certify(authority, token, token.generate("p256", label=use, id=use.encode()), use, officer, info)
            for use in (SIGNING, AUTHENTICATION)
        }
    return OfficerCertificates(made[SIGNING], made[AUTHENTICATION])


def _certify(
    authority: CertificateAuthority, token: Token, key: TokenKey, use: str, officer: cast.OfficerRole, info: TokenInfo
) -> bytes:
    department = next(entry for entry in cast.DEPARTMENTS if entry.id == officer.department)
    subject = subject_name(officer.name, organization=department.name, identifier=officer.id)
    holder = Holder(officer.id, department.id, info.serial)
    made = authority.issue(f"officer-{use}", subject, key.public_key, holder, FOUNDER)  # type: ignore[arg-type]
    token.store_certificate(made, label=use, id=key.id)
    return made


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
