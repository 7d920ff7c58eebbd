"""The certificate register: every change is decided by `rules`, kept with its reason, and logged in one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.pki.certificates import OWN, CertificateChange, CertificateRow
from signing_service.pki.crl import Reason
from signing_service.pki.crl_partitions import FIRST, PARTITION_SIZE, partition_of
from signing_service.pki.errors import PkiError
from signing_service.pki.ocsp_response import CertificateStatus
from signing_service.pki.rules import ENDED, HELD, MOVES, Actor, MoveNotAllowed, State, decide


class CertificateUnknown(PkiError):
    """No row has this reference or fingerprint."""

    code = "certificate_unknown"

    def __init__(self, which: str) -> None:
        super().__init__(
            Text("登记册中没有这张证书。", "The register does not hold this certificate."),
            why=Text(f"查询:{which}。", f"Asked for: {which}."),
            advice=Text("请核对指纹或编号。", "Check the fingerprint or reference."),
        )


class KeyAlreadyCertified(PkiError):
    """One key, one holder: the key is in a certificate of somebody else."""

    code = "key_already_certified"

    def __init__(self) -> None:
        super().__init__(
            Text("该密钥已用于他人的证书。", "This key is already in a certificate of another holder."),
            advice=Text("请在自己的密码设备上另生成密钥。", "Generate a new key on the holder's own token."),
        )


class CertificateKnown(PkiError):
    """This very certificate is on record already."""

    code = "certificate_known"

    def __init__(self, reference: str) -> None:
        super().__init__(
            Text("登记册已有这张证书。", "This certificate is on record already."),
            why=Text(f"编号:{reference}。", f"Reference: {reference}."),
            advice=Text(f"请用 zhengyin pki show {reference} 查看。", f"See it with zhengyin pki show {reference}."),
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose certificate it is: an officer's, seal's, department's or service's id."""

    owner: str
    department: str = ""
    token_serial: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The reason for a change. `effective_from` is for the record; revocation answers give the time of recording
    (RFC 5280 5.3.3) and tell in `invalid_from` when the key is thought to have been lost."""

    text: str = ""
    code: Reason = Reason.UNSPECIFIED
    legal_basis: str = ""
    effective_from: datetime | None = None
    invalid_from: datetime | None = None


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of the DER certificate, lower-case hex."""
    return hashlib.sha256(certificate).hexdigest()


def key_digest(public_key: PublicKeyTypes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, lower-case hex."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


class CertificateRegister:
    """Reads and changes the register. Methods that take a session join the caller's transaction."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self.database, self.clock, self._audit = database, clock, audit

    def status(self, issuer: bytes, serial: int) -> CertificateStatus | None:
        """What OCSP answers; None where this issuer gave no such certificate."""
        with self.database.read() as session:
            asked = {"issuer": fingerprint(issuer), "serial": f"{serial:x}"}
            found = session.connection().execute(_STATUS, asked).one_or_none()
        return None if found is None else CertificateStatus(found[0], Reason(found[1]), found[2])

    def find(self, session: Session, which: str) -> CertificateRow:
        """By reference or fingerprint. Raises CertificateUnknown."""
        column = CertificateRow.reference if len(which) == 32 else CertificateRow.fingerprint
        row = session.scalar(select(CertificateRow).where(column == which.lower()))
        if row is None:
            raise CertificateUnknown(which)
        return row

    def active(self, session: Session, owner: str, profile: str) -> list[CertificateRow]:
        """The holder's active certificates of one kind, newest first."""
        query = select(CertificateRow).where(
            CertificateRow.owner == owner, CertificateRow.profile == profile, CertificateRow.state == State.ACTIVE
        )
        return list(session.scalars(query.order_by(CertificateRow.id.desc())))

    def chain(self, session: Session, certificate: bytes) -> list[bytes]:
        """The certificates above this one (DER), nearest first, as far as the register knows them."""
        above: list[bytes] = []
        row = session.scalar(select(CertificateRow).where(CertificateRow.fingerprint == fingerprint(certificate)))
        while row is not None and row.issuer != row.fingerprint:
            row = session.scalar(select(CertificateRow).where(CertificateRow.fingerprint == row.issuer))
            above += [row.der] if row is not None else []
        return above

    def open_partition(self, session: Session, issuer: bytes) -> int:
        """The partition that an issuer's (DER) next certificate belongs to. Two at once may overfill one by a few."""
        row, of_issuer = CertificateRow, CertificateRow.issuer == fingerprint(issuer)
        newest = max(session.scalar(select(func.max(row.crl_partition)).where(of_issuer)) or 0, FIRST)
        held = session.scalar(select(func.count()).where(of_issuer, row.crl_partition == newest)) or 0
        return newest + 1 if held >= PARTITION_SIZE else newest

    def add_request(
        self, session: Session, profile: str, holder: Holder, subject: str, actor: Actor, replaces: int | None = None
    ) -> CertificateRow:
        """A new row in state `requested`."""
        row = CertificateRow(
            reference=secrets.token_hex(16), profile=profile, state=State.REQUESTED, owner=holder.owner,
            department=holder.department, token_serial=holder.token_serial, subject=subject,
            requested_by=actor.id, replaces=replaces,
        )  # fmt: skip
        session.add(row)
        session.flush()
        self._log(session, row, "request", "", actor, Why())
        return row

    def add_issued(
        self, session: Session, certificate: bytes, issuer: bytes, profile: str, holder: Holder, actor: Actor,
        *, origin: str = OWN, why: Why | None = None,
    ) -> CertificateRow:  # fmt: skip
        """Put a finished certificate straight into state `active`: ceremonies, service keys, outside CAs."""
        row = CertificateRow(
            reference=secrets.token_hex(16), profile=profile, state=State.ACTIVE, origin=origin, owner=holder.owner,
            department=holder.department, token_serial=holder.token_serial, requested_by=actor.id,
        )  # fmt: skip
        self.fill(session, row, certificate, issuer)
        session.add(row)
        session.flush()
        self._log(session, row, "record", "", actor, why or Why())
        return row

    def fill(self, session: Session, row: CertificateRow, certificate: bytes, issuer: bytes) -> None:
        """Enter the certificate's own data into its row. Raises CertificateKnown, KeyAlreadyCertified."""
        known = select(CertificateRow.reference).where(CertificateRow.fingerprint == fingerprint(certificate))
        if (reference := session.scalar(known)) is not None:
            raise CertificateKnown(reference)
        read = x509.load_der_x509_certificate(certificate)
        digest = key_digest(read.public_key())
        self.check_key(session, row.owner, digest)
        row.subject, row.der, row.key_digest = read.subject.rfc4514_string()[:500], certificate, digest
        row.fingerprint, row.issuer = fingerprint(certificate), fingerprint(issuer)
        row.serial, row.crl_partition = f"{read.serial_number:x}", partition_of(read)
        row.not_before, row.not_after = read.not_valid_before_utc, read.not_valid_after_utc

    def check_key(self, session: Session, owner: str, digest: str) -> None:
        """Raises KeyAlreadyCertified where another holder has a certificate over this key (`key_digest`)."""
        query = select(CertificateRow.id).where(CertificateRow.key_digest == digest, CertificateRow.owner != owner)
        if session.scalar(query.limit(1)) is not None:
            raise KeyAlreadyCertified

    def move(self, session: Session, row: CertificateRow, name: str, actor: Actor, why: Why | None = None) -> None:
        """Change the state within the caller's transaction. Raises MoveNotAllowed."""
        why = why or Why()
        before, now = State(row.state), self.clock.now()
        after = decide(MOVES[name], before, actor, owner=row.owner, requested_by=row.requested_by, reason=why.text)
        if after is State.REVOKED and why.code in (Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL):
            raise MoveNotAllowed(name, "吊销不能以“暂停”为理由。", "A revocation is for good; use suspend for a hold.")
        row.state = after
        _set_status(row, before, after, why, now)
        self._log(session, row, name, before, actor, why)

    def change(self, which: str, name: str, actor: Actor, why: Why | None = None) -> CertificateRow:
        """`move` in a transaction of its own; a refusal is logged after the rollback."""
        with self.logged(name, which, actor) as session:
            row = self.find(session, which)
            self.move(session, row, name, actor, why)
            return row

    @contextmanager
    def logged(self, name: str, which: str, actor: Actor) -> Iterator[Session]:
        """A write session whose refusal by a rule of this room is logged after the rollback."""
        with self.refusals_logged(name, which, actor), self.database.write() as session:
            yield session

    @contextmanager
    def refusals_logged(self, name: str, which: str, actor: Actor) -> Iterator[None]:
        """The same for work outside a transaction: a network or a token is asked in it."""
        try:
            yield
        except PkiError as refusal:
            act = Act(f"certificate.{name}", actor.id, f"certificate:{which}", actor.department, actor.certificate)
            self._audit.refuse(self.database, act, self.clock.now(), refusal.code)
            raise

    def _log(self, session: Session, row: CertificateRow, name: str, before: str, actor: Actor, why: Why) -> None:
        now = self.clock.now()
        effective = why.effective_from or now
        session.add(
            CertificateChange(
                certificate_id=row.id, move=name, before=before, after=row.state, actor=actor.id,
                actor_certificate=actor.certificate, reason=why.text[:500], legal_basis=why.legal_basis[:200],
                effective_from=effective, recorded_at=now,
            )
        )  # fmt: skip
        details = {
            "profile": row.profile, "owner": row.owner, "state": row.state, "fingerprint": row.fingerprint or "",
            "reason": why.text[:500], "reason_code": int(why.code), "effective_from": effective.isoformat(),
        }  # fmt: skip
        act = Act(
            f"certificate.{name}", actor.id, f"certificate:{row.reference}", row.department, actor.certificate,
            details=details,
        )  # fmt: skip
        self._audit.record(session, act, now)


def _set_status(row: CertificateRow, before: State, after: State, why: Why, now: datetime) -> None:
    """What revocation answers say from now on."""
    if after in ENDED:
        code = Reason.SUPERSEDED if after is State.SUPERSEDED else why.code
        row.revoked_at, row.reason, row.invalid_from = now, int(code), why.invalid_from
    elif after in HELD:
        row.revoked_at, row.reason, row.invalid_from = now, int(Reason.CERTIFICATE_HOLD), None
    elif before in HELD:
        row.revoked_at, row.reason, row.invalid_from = None, 0, None
    else:
        return
    row.status_at = now


# built once: every OCSP answer asks it
_STATUS = select(CertificateRow.revoked_at, CertificateRow.reason, CertificateRow.invalid_from).where(
    CertificateRow.issuer == bindparam("issuer"),
    CertificateRow.serial == bindparam("serial"),
    CertificateRow.fingerprint.is_not(None),
)
