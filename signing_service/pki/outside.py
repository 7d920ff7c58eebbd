"""Certificates from outside (licensed) CAs: officers' own USB keys, and HSM seal and service keys by CSR.

Each outside CA is known by its own anchor and its own revocation sources; ours never answer for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import local
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.pki.certificate_chain import build_chain, load_certificate
from signing_service.pki.certificates import OUTSIDE, CertificateRow
from signing_service.pki.csr import CertificateRequest
from signing_service.pki.enrolment import activation_statement
from signing_service.pki.errors import PkiError
from signing_service.pki.outside_sources import Addresses
from signing_service.pki.outside_status import RequiresStatus
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.revocation_evidence import Evidence
from signing_service.pki.rules import MOVES, OPERATOR, SYSTEM, Actor, MoveNotAllowed, State, decide
from signing_service.pki.signature_algorithms import algorithm_for, signature_holds

_LOG = logging.getLogger(__name__)
SIGNERS, TIMESTAMPS = "signers", "timestamps"
"""What an outside CA is trusted for: officers' and seals' certificates, or timestamp authorities."""


class OutsideCa(Base):
    """An outside CA. `purposes`, comma-separated: what it is trusted for, and nothing else. The addresses are asked
    where its certificates name none."""

    __tablename__ = "pki_outside_ca"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(100), default="")
    der: Mapped[bytes] = mapped_column(LargeBinary)
    purposes: Mapped[str] = mapped_column(String(64), default=SIGNERS, server_default=SIGNERS)
    ocsp_url: Mapped[str] = mapped_column(String(500), default="")
    crl_url: Mapped[str] = mapped_column(String(500), default="")
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def trusted_for(self, purpose: str) -> bool:
        return purpose in self.purposes.split(",")


class OutsideIntermediate(Base):
    """A certificate between an outside CA's root and what it issued, as it was handed in."""

    __tablename__ = "pki_outside_intermediate"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    der: Mapped[bytes] = mapped_column(LargeBinary)


class OutsideRefused(PkiError):
    """The outside certificate cannot be taken."""

    code = "outside_certificate_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("不接受这张外部证书。", "This outside certificate was not accepted."),
            why=Text(zh, en),
            advice=Text(
                "请核对证书、证书链和登记的外部 CA。", "Check the certificate, its chain and the CAs on record."
            ),
        )


def add_outside_ca(
    session: Session, anchor: bytes, actor: Actor, at: datetime, *, licence: str = "",
    sources: Addresses | None = None, purposes: Sequence[str] = (SIGNERS,),
) -> OutsideCa:  # fmt: skip
    """Trust an outside root (DER or PEM) for some purposes. `licence` is its licence number. Needs the operator's
    role; logged."""
    if not purposes or not set(purposes) <= {SIGNERS, TIMESTAMPS}:
        raise OutsideRefused("用途须为 signers 或 timestamps。", "The purpose is signers or timestamps.")
    _need_operator(actor)
    certificate = load_certificate(anchor)
    der = certificate.public_bytes(Encoding.DER)
    build_chain(der, ())
    if session.get(OutsideCa, fingerprint(der)) is not None:
        raise OutsideRefused("该 CA 已登记。", "This CA is on record already.")
    sources = sources or Addresses()
    row = OutsideCa(
        fingerprint=fingerprint(der), name=certificate.subject.rfc4514_string()[:200], licence=licence, der=der,
        purposes=",".join(sorted(set(purposes))),
        ocsp_url=sources.ocsp_url, crl_url=sources.crl_url, added_at=at,
    )  # fmt: skip
    session.add(row)
    act = Act(
        "pki.outside_ca",
        actor.id,
        f"outside-ca:{row.fingerprint}",
        details={"name": row.name, "purposes": row.purposes},
    )
    AuditLog().record(session, act, at)
    return row


def outside_anchors(session: Session, purpose: str = SIGNERS) -> list[bytes]:
    """The anchors (DER) that are trusted for one purpose."""
    rows = session.scalars(select(OutsideCa).order_by(OutsideCa.added_at))
    return [row.der for row in rows if row.trusted_for(purpose)]


@dataclass(frozen=True, slots=True)
class OutsideChain:
    """A certificate of an outside CA up to its anchor (DER), and where its CA is asked by default."""

    certificates: tuple[bytes, ...]
    addresses: Addresses


def outside_chain(session: Session, certificate: bytes, others: Sequence[bytes] = ()) -> OutsideChain:
    """From the intermediates on record and `others` (DER). Raises ChainIncomplete, OutsideRefused."""
    anchors = outside_anchors(session)
    known = list(session.scalars(select(OutsideIntermediate.der)))
    built = build_chain(certificate, [*others, *known, *anchors])
    if built[-1] not in anchors:
        raise OutsideRefused("根证书未登记。", "Its root is not on record.")
    ca = session.get_one(OutsideCa, fingerprint(built[-1]))
    return OutsideChain(tuple(built), Addresses(ca.ocsp_url, ca.crl_url))


class CertificateRevoked(PkiError):
    """By our register: revoked, suspended, superseded, or not yet taken over by its officer."""

    code = "certificate_revoked"

    def __init__(self, subject: str, since: datetime) -> None:
        when = f"{local(since):%Y-%m-%d %H:%M}"
        super().__init__(
            Text("该证书已吊销或停用,不能用于签名或盖章。", "It is revoked or on hold; nothing was signed."),
            why=Text(f"“{subject}”自 {when} 起。", f'"{subject}", since {when}.'),
            advice=Text("请更换证书;属停用的,请先恢复。", "Use another one; if it is on hold, have it released first."),
        )


class OutsideCheck:
    """Whether a certificate may be used now: by our register, and for an outside CA's by that CA's own word."""

    def __init__(self, database: Database, status: RequiresStatus) -> None:
        self._database, self._status = database, status

    def require(self, certificate: bytes) -> Evidence:
        """What the CA's word rests on. Raises OutsideRevoked, OutsideStatusUnknown, OutsideRefused, ChainIncomplete."""
        with self._database.read() as session:
            found = outside_chain(session, certificate)
        return self._status.require(found.certificates, found.addresses).evidence

    def require_usable(self, certificate: bytes) -> None:
        """What our register says, whoever issued it; then `require` for an outside CA's. Of a certificate that it does
        not know nothing is said. Raises CertificateRevoked and as `require` does."""
        with self._database.read() as session:
            query = select(CertificateRow.origin, CertificateRow.revoked_at, CertificateRow.subject)
            row = session.execute(query.where(CertificateRow.fingerprint == fingerprint(certificate))).one_or_none()
        if row is None:
            return
        if row.revoked_at is not None:
            raise CertificateRevoked(row.subject, row.revoked_at)
        if row.origin == OUTSIDE:
            self.require(certificate)

    def is_usable(self, certificate: bytes) -> bool:
        """The same as a plain answer; why not is in the log."""
        try:
            self.require(certificate)
        except PkiError as refusal:
            _LOG.warning("an outside certificate is not used: %s", refusal)
            return False
        return True


def take_outside(
    register: CertificateRegister, reference: str, certificate: bytes, chain: Sequence[bytes], signature: bytes,
    actor: Actor, status: RequiresStatus,
) -> bytes:  # fmt: skip
    """Put an officer's existing certificate into an approved request, in place of issuing one; its DER.

    1. the chain ends at an anchor on record; 2. valid now; 3. may sign; 4. `signature` of its key over
    `activation_statement` proves possession; 5. its CA says that it is not revoked. Raises OutsideRefused,
    OutsideRevoked, OutsideStatusUnknown, ChainIncomplete, MoveNotAllowed.
    """
    with register.refusals_logged("issue", reference, actor):
        with register.database.read() as session:
            row = register.find(session, reference)
            decide(MOVES["issue"], State(row.state), actor, owner=row.owner, requested_by=row.requested_by, reason="")
        found = _checked(register, certificate, chain)
        _check_proof(reference, found.certificates[0], signature)
        status.require(found.certificates, found.addresses)
    with register.logged("issue", reference, actor) as session:
        row = register.find(session, reference)
        row.origin = OUTSIDE
        _enter(register, session, row, found)
        register.move(session, row, "issue", actor)
    return found.certificates[0]


def record_outside(
    register: CertificateRegister, profile: str, certificate: bytes, chain: Sequence[bytes],
    request: CertificateRequest, holder: Holder, actor: Actor, status: RequiresStatus,
) -> CertificateRow:  # fmt: skip
    """A licensed CA's answer to a CSR of an HSM key: checked against request, anchors and revocation; active at once.

    The request was signed by that key when it was made, so possession is proven. Raises OutsideRefused, OutsideRevoked,
    OutsideStatusUnknown.
    """
    with register.refusals_logged(
        "record", fingerprint(load_certificate(certificate).public_bytes(Encoding.DER)), actor
    ):
        _need_operator(actor)
        found = _checked(register, certificate, chain)
        if load_certificate(found.certificates[0]).public_key() != request.public_key:
            raise OutsideRefused("证书不是为该密钥签发的。", "It was not issued for this key.")
        status.require(found.certificates, found.addresses)
        with register.database.write() as session:
            _keep_intermediates(session, found)
            return register.add_issued(
                session, found.certificates[0], _issuer(found), profile, holder, actor, origin=OUTSIDE,
                why=Why("外部 CA 签发"),
            )  # fmt: skip


def _enter(register: CertificateRegister, session: Session, row: CertificateRow, found: OutsideChain) -> None:
    _keep_intermediates(session, found)
    register.fill(session, row, found.certificates[0], _issuer(found))


def _keep_intermediates(session: Session, found: OutsideChain) -> None:
    for der in found.certificates[1:-1]:
        session.merge(OutsideIntermediate(fingerprint=fingerprint(der), der=der))


def _issuer(found: OutsideChain) -> bytes:
    return found.certificates[1] if len(found.certificates) > 1 else found.certificates[0]


def _checked(register: CertificateRegister, certificate: bytes, chain: Sequence[bytes]) -> OutsideChain:
    read = load_certificate(certificate)
    others = [load_certificate(other).public_bytes(Encoding.DER) for other in chain]
    with register.database.read() as session:
        found = outside_chain(session, read.public_bytes(Encoding.DER), others)
    if not read.not_valid_before_utc <= register.clock.now() < read.not_valid_after_utc:
        raise OutsideRefused("证书不在有效期内。", "It is not valid now.")
    if not _may_sign(read):
        raise OutsideRefused("密钥用途不含签名。", "Its key usage does not allow signing.")
    return found


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return usage.digital_signature or usage.content_commitment


def _check_proof(reference: str, der: bytes, signature: bytes) -> None:
    key = load_certificate(der).public_key()
    if not signature_holds(key, signature, activation_statement(reference, der), algorithm_for(key)):
        raise OutsideRefused("没有证明持有私钥。", "Possession of its key is not proven.")


def _need_operator(actor: Actor) -> None:
    if not actor.roles & {OPERATOR, SYSTEM}:
        raise MoveNotAllowed("outside", "需要角色:pki_operator。", "It needs the role pki_operator.")
