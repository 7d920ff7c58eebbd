"""The certificate's life: who may move it, what the log keeps, and enrolment on a real token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import select

from hardware.ports import Mechanism, Token
from signing_service.kernel.audit_log import AuditEntry, entries_about
from signing_service.kernel.outbox import deliver
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.certificates import CertificateChange
from signing_service.pki.crl import Reason
from signing_service.pki.csr import build_request
from signing_service.pki.current_services import ServiceCertificateMissing
from signing_service.pki.enrolment import ActivationRefused, Enrolment, activation_statement, check_activation
from signing_service.pki.expiry import TOPIC, announce_endings, ending_soon, step_due
from signing_service.pki.names import subject_name
from signing_service.pki.register import CertificateRegister, CertificateUnknown, Holder, KeyAlreadyCertified, Why
from signing_service.pki.rules import (
    APPROVER,
    MOVES,
    OPERATOR,
    SYSTEM,
    Actor,
    MoveNotAllowed,
    State,
    decide,
)  # fmt: skip
from signing_service.pki.usb_enrolment import activate_with, issue_onto

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
CLERK = Actor("OF-1", frozenset({OPERATOR}))
SECOND = Actor("OF-2", frozenset({APPROVER}))
OFFICER = Actor("OF-9", frozenset({"reviewer"}), "ab" * 32, "D-1")
STRANGER = Actor("OF-8", frozenset({"reviewer"}))
HOLDER = Holder("OF-9", "D-1")
SUBJECT = subject_name("经办员甲", organization="示例市自然资源局", identifier="OF-9")
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def enrolment(register: CertificateRegister, services: PkiServices) -> Enrolment:
    return Enrolment(register, services.authorities["issuing"])


@pytest.fixture(scope="module")
def usb_key(new_token: Callable[[str], Token]) -> Token:
    return new_token("pki-usb-key")


def approved(enrolment: Enrolment, **more: Any) -> str:
    reference = enrolment.request("officer-signing", HOLDER, SUBJECT, CLERK, **more)
    enrolment.approve(reference, SECOND)
    return reference


def enrolled(enrolment: Enrolment, key: Any, **more: Any) -> tuple[str, bytes]:
    reference = approved(enrolment, **more)
    made = enrolment.issue(reference, build_request(key, key.public_key, SUBJECT), CLERK)
    signature = key.sign(activation_statement(reference, made), Mechanism.ECDSA_SHA256)
    enrolment.activate(reference, made, signature, OFFICER)
    return reference, made


@pytest.mark.parametrize("name", MOVES)
def test_every_move_names_its_states_and_roles(name: str) -> None:
    """From every state that is not listed, and for a stranger in every state, the move is refused."""
    move = MOVES[name]
    able = Actor("OF-7", frozenset({OPERATOR, APPROVER, SYSTEM}))
    for state in State:
        if state in move.before:
            assert decide(move, state, able, owner="OF-9", requested_by="OF-1", reason="因") == move.after
        else:
            with pytest.raises(MoveNotAllowed, match="state"):
                decide(move, state, able, owner="OF-9", requested_by="OF-1", reason="因")
        with pytest.raises(MoveNotAllowed):
            decide(move, state, STRANGER, owner="OF-9", requested_by="OF-1", reason="因")


@pytest.mark.parametrize("name", [move.name for move in MOVES.values() if move.needs_reason])
def test_a_reason_is_needed(name: str) -> None:
    able = Actor("OF-7", frozenset({OPERATOR, APPROVER}))
    with pytest.raises(MoveNotAllowed, match="reason"):
        decide(MOVES[name], next(iter(MOVES[name].before)), able, owner="OF-9", requested_by="OF-1", reason="  ")


def test_nothing_leads_out_of_the_end() -> None:
    for state in (State.REFUSED, State.REVOKED, State.SUPERSEDED):
        assert not [move.name for move in MOVES.values() if state in move.before]


@pytest.mark.parametrize(
    "actor", [Actor("OF-1", frozenset({OPERATOR})), Actor("OF-9", frozenset({APPROVER})), STRANGER]
)
def test_approval_needs_a_second_person_with_a_role(
    enrolment: Enrolment, register: CertificateRegister, actor: Actor
) -> None:
    reference = enrolment.request("officer-signing", HOLDER, SUBJECT, CLERK)
    with pytest.raises(MoveNotAllowed):
        enrolment.approve(reference, actor)
    with register.database.read() as session:
        assert register.find(session, reference).state == State.REQUESTED
        refused = [entry.reason for entry in entries_about(session, f"certificate:{reference}") if entry.reason]
    assert refused == ["move_not_allowed"]


@BOTH
def test_a_key_is_made_on_the_token_and_taken_over_by_its_officer(
    enrolment: Enrolment, register: CertificateRegister, services: PkiServices, usb_key: Token, ceremony: Any
) -> None:
    reference = approved(enrolment)
    made = issue_onto(enrolment, reference, usb_key, CLERK, label="signing", key_kind="p256")
    issuing = ceremony.record.certificate("issuing")
    serial = x509.load_der_x509_certificate(made).serial_number
    assert services.ocsp is not None
    assert register.status(issuing, serial).reason is Reason.CERTIFICATE_HOLD
    activate_with(enrolment, reference, usb_key, made, OFFICER)
    assert register.status(issuing, serial).revoked_at is None
    assert made in usb_key.certificates()
    with register.database.read() as session:
        row = register.find(session, reference)
        moves = list(session.scalars(select(CertificateChange.move).where(CertificateChange.certificate_id == row.id)))
        logged = [entry.kind for entry in entries_about(session, f"certificate:{reference}")]
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (last.actor, last.certificate) == ("OF-9", "ab" * 32)
        assert row.token_serial == usb_key.info.serial
    assert moves == ["request", "approve", "issue", "activate"]
    assert logged == [f"certificate.{move}" for move in moves]


def test_only_the_officer_activates(enrolment: Enrolment, memory_key: Any) -> None:
    key = memory_key()
    reference = approved(enrolment)
    made = enrolment.issue(reference, build_request(key, key.public_key, SUBJECT), CLERK)
    signature = key.sign(activation_statement(reference, made), Mechanism.ECDSA_SHA256)
    with pytest.raises(MoveNotAllowed):
        enrolment.activate(reference, made, signature, CLERK)


def test_activation_wants_the_same_certificate_and_its_key(
    enrolment: Enrolment, memory_key: Any, ceremony: Any
) -> None:
    key, other = memory_key(), memory_key()
    reference = approved(enrolment)
    made = enrolment.issue(reference, build_request(key, key.public_key, SUBJECT), CLERK)
    statement = activation_statement(reference, made)
    good = key.sign(statement, Mechanism.ECDSA_SHA256)
    with pytest.raises(ActivationRefused, match="another certificate"):
        check_activation(reference, made, ceremony.record.certificate("tsa"), good)
    with pytest.raises(ActivationRefused, match="not made with"):
        check_activation(reference, made, made, other.sign(statement, Mechanism.ECDSA_SHA256))
    with pytest.raises(ActivationRefused, match="not made with"):
        check_activation("0" * 32, made, made, good)
    with pytest.raises(ActivationRefused):
        check_activation(reference, b"", b"", good)


def test_nothing_is_issued_before_approval_or_twice(enrolment: Enrolment, memory_key: Any) -> None:
    key = memory_key()
    request = build_request(key, key.public_key, SUBJECT)
    reference = enrolment.request("officer-signing", HOLDER, SUBJECT, CLERK)
    with pytest.raises(MoveNotAllowed, match="requested"):
        enrolment.issue(reference, request, CLERK)
    enrolment.approve(reference, SECOND)
    enrolment.issue(reference, request, CLERK)
    with pytest.raises(MoveNotAllowed, match="issued"):
        enrolment.issue(reference, request, CLERK)


def test_the_subject_is_the_approved_one_whatever_the_csr_wishes(enrolment: Enrolment, memory_key: Any) -> None:
    key = memory_key()
    wish = subject_name("市长", organization="别处")
    made = enrolment.issue(approved(enrolment), build_request(key, key.public_key, wish), CLERK)
    assert x509.load_der_x509_certificate(made).subject == SUBJECT


@BOTH
def test_one_key_serves_one_person(enrolment: Enrolment, memory_key: Any) -> None:
    key = memory_key()
    enrolled(enrolment, key)
    reference = enrolment.request("officer-signing", Holder("OF-5"), SUBJECT, CLERK)
    enrolment.approve(reference, SECOND)
    with pytest.raises(KeyAlreadyCertified):
        enrolment.issue(reference, build_request(key, key.public_key, SUBJECT), CLERK)


@BOTH
def test_a_renewal_supersedes_the_old_one_when_it_is_activated(
    enrolment: Enrolment, register: CertificateRegister, memory_key: Any, ceremony: Any
) -> None:
    first, old = enrolled(enrolment, memory_key())
    second, _ = enrolled(enrolment, memory_key(), replaces=first)
    with register.database.read() as session:
        assert [row.reference for row in register.active(session, "OF-9", "officer-signing")] == [second]
    serial = x509.load_der_x509_certificate(old).serial_number
    assert register.status(ceremony.record.certificate("issuing"), serial).reason is Reason.SUPERSEDED


def test_nobody_renews_anothers_certificate(enrolment: Enrolment, memory_key: Any) -> None:
    first, _ = enrolled(enrolment, memory_key())
    with pytest.raises(MoveNotAllowed):
        enrolment.request("officer-signing", Holder("OF-5"), SUBJECT, CLERK, replaces=first)


def test_an_officer_may_revoke_his_own_and_nobody_elses(
    enrolment: Enrolment, register: CertificateRegister, memory_key: Any
) -> None:
    reference, _ = enrolled(enrolment, memory_key())
    with pytest.raises(MoveNotAllowed):
        register.change(reference, "revoke", STRANGER, Why("丢失"))
    lost = register.clock.now() - timedelta(days=1)
    row = register.change(reference, "revoke", OFFICER, Why("丢失", Reason.KEY_COMPROMISE, invalid_from=lost))
    assert (row.state, row.reason, row.invalid_from) == (State.REVOKED, Reason.KEY_COMPROMISE, lost)


def test_an_unknown_certificate_is_named(register: CertificateRegister) -> None:
    with pytest.raises(CertificateUnknown, match="f" * 64):
        register.change("f" * 64, "revoke", CLERK, Why("x"))


@pytest.mark.parametrize(
    ("left", "step"),
    [(timedelta(days=31), None), (timedelta(days=30), 30), (timedelta(days=7), 7), (timedelta(hours=23), 1),
     (timedelta(0), 0), (timedelta(days=-3), 0)],
)  # fmt: skip
def test_warnings_come_at_thirty_seven_and_one_day(left: timedelta, step: int | None) -> None:
    assert step_due(NOW + left, NOW) == step


@BOTH
def test_what_ends_soon_is_listed_until_it_is_renewed(
    enrolment: Enrolment, register: CertificateRegister, memory_key: Any, clock: Any
) -> None:
    first, _ = enrolled(enrolment, memory_key())
    clock.advance(days=1090)
    with register.database.read() as session:
        found = [(entry.reference, entry.step) for entry in ending_soon(session, clock.now()) if entry.owner == "OF-9"]
    assert found == [(first, 7)]
    enrolled(enrolment, memory_key(), replaces=first)
    with register.database.read() as session:
        assert not [entry for entry in ending_soon(session, clock.now()) if entry.owner == "OF-9"]


@BOTH
def test_each_warning_goes_out_once(
    enrolment: Enrolment, register: CertificateRegister, memory_key: Any, clock: Any
) -> None:
    reference, _ = enrolled(enrolment, memory_key())
    told: list[tuple[str, int]] = []
    for days in (1070, 10, 10, 5.5, 1):
        clock.advance(days=days)
        announce_endings(register.database, clock.now())
        assert announce_endings(register.database, clock.now()) == 0
    deliver(register.database, TOPIC, lambda key, payload: told.append((key, payload["days"])), clock.now)
    own = [entry for entry in told if entry[0].startswith(reference)]
    assert own == [(f"{reference}:{step}", step) for step in (30, 7, 1, 0)]


def test_services_are_missing_without_a_ceremony(database: Any, clock: Any) -> None:
    from signing_service.kernel.audit_log import AuditLog

    with pytest.raises(ServiceCertificateMissing, match="tsa"):
        assemble(CertificateRegister(database, clock, AuditLog()), lambda row: None, "http://pki.example.test")
