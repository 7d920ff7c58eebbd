"""Rotation of a service's key: a successor on the same token, certified like the old one, which stays valid.

What custody is told of it, and until when the old key signs, is the caller's (`custody` lies above this room).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from hardware.errors import ExplainedError
from hardware.ports import Token
from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.pki.authority import CertificateAuthority
from signing_service.pki.ceremony import CertificateNotWritten
from signing_service.pki.errors import KeyNotAllowed, PkiError
from signing_service.pki.profiles import profile_named
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import OPERATOR, Actor, MoveNotAllowed

SHORTEST_OVERLAP, LONGEST_OVERLAP = timedelta(minutes=10), timedelta(days=400)
"""An OCSP answer and a checkout of a key by a process live at most ten minutes; a certificate at most about a year."""


class RotationRefused(PkiError):
    """Nothing was changed."""

    code = "rotation_refused"

    def __init__(self, zh: str, en: str, advice: Text | None = None) -> None:
        super().__init__(
            Text("没有轮换,任何密钥都未改动。", "Nothing was rotated; no key was touched."),
            why=Text(zh, en),
            advice=advice or Text("请用 zhengyin pki rotate status 查看现状。", "See zhengyin pki rotate status."),
        )


@dataclass(frozen=True, slots=True)
class Successor:
    """A key that was made and certified on the token; DER values."""

    certificate: bytes
    key_id: bytes
    label: str


@dataclass(slots=True)
class Record:
    """What the audit log is told when the block ends well."""

    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def logged_rotation(register: CertificateRegister, what: str, actor: Actor) -> Iterator[Record]:
    """One act `pki.rotate` on `what` (such as `service:tsa`): logged when the block ends, and as refused when it
    raises a named error. Raises MoveNotAllowed unless the actor is an operator."""
    audit, record = AuditLog(), Record()
    try:
        if OPERATOR not in actor.roles:
            raise MoveNotAllowed("rotate", "需要角色:pki_operator。", "It needs the role pki_operator.")
        yield record
    except ExplainedError as refusal:
        act = Act("pki.rotate", actor.id, what, actor.department, actor.certificate)
        audit.refuse(register.database, act, register.clock.now(), refusal.code)
        raise
    with register.database.write() as session:
        act = Act("pki.rotate", actor.id, what, actor.department, actor.certificate, details=record.details)
        audit.record(session, act, register.clock.now())


def checked_overlap(days: float) -> timedelta:
    """Raises RotationRefused for an overlap that would cut off answers still in use, or outlive certificates."""
    overlap = timedelta(days=days)
    if not SHORTEST_OVERLAP <= overlap <= LONGEST_OVERLAP:
        raise RotationRefused("重叠期须为 10 分钟到 400 天。", "The overlap must be 10 minutes to 400 days.")
    return overlap


def make_successor(
    authority: CertificateAuthority, token: Token, old: bytes, profile: str, *, key_kind: str, label: str
) -> Successor:
    """A new key on the opened token with a certificate in the old one's name, written and read back.

    `old` is the present certificate (DER). Raises KeyNotAllowed, CertificateNotWritten, TokenError.
    """
    allowed = profile_named(profile).keys
    if key_kind not in allowed:
        raise KeyNotAllowed(key_kind, ", ".join(allowed))
    key_id = secrets.token_bytes(8)
    key = token.generate(key_kind, label=label, id=key_id)
    public_key: CertificatePublicKeyTypes = key.public_key  # type: ignore[assignment]  # profiles list signing keys only
    subject = x509.load_der_x509_certificate(old).subject
    made = authority.sign_certificate(profile, subject, public_key)
    token.store_certificate(made, label=label, id=key_id)
    if token.certificate_for(key) != made:
        raise CertificateNotWritten(label)
    return Successor(made, key_id, label)


def record_successor(
    register: CertificateRegister, issuer: bytes, old: bytes, made: Successor, profile: str, token_serial: str,
    actor: Actor,
) -> str:  # fmt: skip
    """Enter the successor into the register, active beside the one that it replaces; its reference."""
    with register.database.write() as session:
        before = register.find(session, fingerprint(old))
        holder = Holder(before.owner, before.department, token_serial)
        row = register.add_issued(
            session, made.certificate, issuer, profile, holder, actor, why=Why(f"轮换 {before.reference}")
        )
        row.replaces = before.id
        return row.reference
