"""TSA and OCSP responder follow a rotation, a revocation and custody while they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.ocsp import load_der_ocsp_response

from hardware.errors import TokenError
from signing_service.errors import Text
from signing_service.kernel.audit_log import entries_about
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.current_services import LOOK_EVERY
from signing_service.pki.errors import KeyNotAllowed
from signing_service.pki.ocsp import request_for
from signing_service.pki.register import CertificateRegister, Why, fingerprint
from signing_service.pki.rotation import (
    RotationRefused,
    checked_overlap,
    logged_rotation,
    make_successor,
    record_successor,
)
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor, MoveNotAllowed
from signing_service.pki.timestamp_response import Asked, TimestampRefused, certificates_of_token, checked_token
from signing_service.pki.tsp_client import timestamp_query

OPERATOR_A = Actor("OF-1", frozenset({OPERATOR, SYSTEM}))
DIGEST = b"\x22" * 32


@dataclass
class Held:
    """Custody as `assemble` sees it: by certificate, a key or None; it may be out of reach."""

    keys: dict[bytes, Any]
    out_of_reach: bool = False
    asked: list[str] = field(default_factory=list)

    def __call__(self, row: Any) -> Any:
        self.asked.append(row.profile)
        if self.out_of_reach:
            raise TokenError(Text("离线", "offline"))
        return self.keys.get(row.der)


@pytest.fixture
def held(ceremony: Any) -> Held:
    names = ("issuing", "simulation", "ocsp", "simulation-ocsp", "tsa")
    return Held({ceremony.record.certificate(name): ceremony.key(name) for name in names})


@pytest.fixture
def running(register: CertificateRegister, held: Held) -> PkiServices:
    return assemble(register, held, "http://pki.example.test")


def stamped(running: PkiServices) -> bytes:
    """The certificate behind a timestamp that is given now."""
    reply = running.tsa.respond(timestamp_query(DIGEST, 5))
    return certificates_of_token(checked_token(reply, Asked("tsa", DIGEST, 5)), "tsa")[0]


def responded(running: PkiServices, ceremony: Any) -> bytes:
    """The responder's certificate in an OCSP answer that is given now."""
    leaf, issuer = ceremony.record.certificate("evidence"), ceremony.record.certificate("issuing")
    answer = load_der_ocsp_response(running.ocsp.respond(request_for(leaf, issuer)))
    answer.certificates[0].verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    return fingerprint_of(answer.certificates[0])


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256())


def successor(running: PkiServices, register: CertificateRegister, ceremony: Any, profile: str) -> tuple[bytes, Any]:
    """Its certificate, on record, and its key, of which custody does not know yet."""
    authority, token = running.authorities["issuing"], ceremony.tokens["services"]
    old, label = ceremony.record.certificate(profile), f"{profile}-{len(token.keys())}"
    made = make_successor(authority, token, old, profile, key_kind="p256", label=label)
    record_successor(register, authority.key.certificate, old, made, profile, token.info.serial, OPERATOR_A)
    return made.certificate, token.key(certificate=made.certificate)


@pytest.mark.parametrize("profile", ["tsa", "ocsp"])
def test_a_successor_is_taken_up_when_custody_has_its_key(
    running: PkiServices, register: CertificateRegister, held: Held, ceremony: Any, clock: Any, profile: str
) -> None:
    now = (lambda: x509.load_der_x509_certificate(stamped(running))) if profile == "tsa" else None

    def used() -> bytes:
        return fingerprint_of(now()) if now else responded(running, ceremony)

    old = fingerprint_of(x509.load_der_x509_certificate(ceremony.record.certificate(profile)))
    assert used() == old
    certificate, key = successor(running, register, ceremony, profile)
    clock.advance(seconds=LOOK_EVERY.total_seconds())
    assert used() == old  # on record, but its key is not at hand
    held.keys[certificate] = key
    clock.advance(seconds=LOOK_EVERY.total_seconds())
    clock.advance(minutes=6)  # an OCSP answer that was kept has ended
    assert used() == fingerprint_of(x509.load_der_x509_certificate(certificate))
    with register.database.read() as session:
        assert register.find(session, fingerprint(ceremony.record.certificate(profile))).state == "active"


def test_a_revoked_tsa_stamps_no_more(
    running: PkiServices, register: CertificateRegister, ceremony: Any, clock: Any
) -> None:
    register.change(fingerprint(ceremony.record.certificate("tsa")), "revoke", OPERATOR_A, Why("key lost"))
    clock.advance(seconds=LOOK_EVERY.total_seconds())
    with pytest.raises(TimestampRefused, match="system_failure"):
        stamped(running)


def test_while_custody_cannot_be_asked_the_last_choice_stands(
    running: PkiServices, held: Held, ceremony: Any, clock: Any
) -> None:
    held.out_of_reach = True
    clock.advance(seconds=LOOK_EVERY.total_seconds())
    assert stamped(running) == ceremony.record.certificate("tsa")


def test_custody_is_asked_once_in_a_while_and_not_for_each_request(
    running: PkiServices, held: Held, clock: Any
) -> None:
    held.asked.clear()
    for _ in range(5):
        stamped(running)
    assert held.asked == []
    clock.advance(seconds=LOOK_EVERY.total_seconds())
    stamped(running)
    assert held.asked == ["tsa"]


def test_no_key_is_made_that_its_profile_does_not_allow(running: PkiServices, ceremony: Any) -> None:
    token = ceremony.tokens["services"]
    before = len(token.keys())
    with pytest.raises(KeyNotAllowed):
        make_successor(
            running.authorities["issuing"], token, ceremony.record.certificate("paper-code"), "paper-code",
            key_kind="rsa3072", label="x",
        )  # fmt: skip
    assert len(token.keys()) == before


def test_a_rotation_and_its_refusal_are_logged(register: CertificateRegister) -> None:
    with logged_rotation(register, "service:tsa", OPERATOR_A) as record:
        record.details["new"] = "x"
    with pytest.raises(MoveNotAllowed), logged_rotation(register, "service:tsa", Actor("OF-7")):
        raise AssertionError("it was let in")
    with register.database.read() as session:
        entries = entries_about(session, "service:tsa")
        assert [(entry.kind, entry.result, entry.actor) for entry in entries] == [
            ("pki.rotate", "allowed", "OF-1"), ("pki.rotate", "refused", "OF-7"),
        ]  # fmt: skip


@pytest.mark.parametrize("days", [0, 0.001, 401])
def test_an_overlap_has_bounds(days: float) -> None:
    with pytest.raises(RotationRefused):
        checked_overlap(days)
