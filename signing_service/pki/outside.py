"""Certificates from outside (licensed) CAs: officers' own USB keys, and HSM seal and service keys by CSR.

Each outside CA is known by its own anchor and its own revocation sources; ours never answer for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime
from signing_service.pki.certificate_chain import build_chain, load_certificate
from signing_service.pki.certificates import OUTSIDE, CertificateRow
from signing_service.pki.csr import CertificateRequest
from signing_service.pki.enrolment import activation_statement
from signing_service.pki.errors import PkiError
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor, MoveNotAllowed
from signing_service.pki.signature_algorithms import algorithm_for, signature_holds


class OutsideCa(Base):
    """An outside CA that is trusted for some uses. Empty addresses: those in its certificates are used."""

    __tablename__ = "pki_outside_ca"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(100), default="")
    der: Mapped[bytes] = mapped_column(LargeBinary)
    ocsp_url: Mapped[str] = mapped_column(String(500), default="")
    crl_url: Mapped[str] = mapped_column(String(500), default="")
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


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


@dataclass(frozen=True, slots=True)
class RevocationSources:
    """Where to ask about an outside CA's certificates."""

    ocsp_url: str = ""
    crl_url: str = ""


def add_outside_ca(
    session: Session, anchor: bytes, actor: Actor, at: datetime, *, licence: str = "",
    sources: RevocationSources | None = None,
) -> OutsideCa:  # fmt: skip
    """Trust an outside root (DER or PEM). `licence` is its licence number. Needs the operator's role; logged."""
    _need_operator(actor)
    certificate = load_certificate(anchor)
    der = certificate.public_bytes(Encoding.DER)
    build_chain(der, ())
    if session.get(OutsideCa, fingerprint(der)) is not None:
        raise OutsideRefused("该 CA 已登记。", "This CA is on record already.")
    sources = sources or RevocationSources()
    row = OutsideCa(
        fingerprint=fingerprint(der), name=certificate.subject.rfc4514_string()[:200], licence=licence, der=der,
        ocsp_url=sources.ocsp_url, crl_url=sources.crl_url, added_at=at,
    )  # fmt: skip
    session.add(row)
    act = Act("pki.outside_ca", actor.id, f"outside-ca:{row.fingerprint}", details={"name": row.name})
    AuditLog().record(session, act, at)
    return row


def outside_anchors(session: Session) -> list[bytes]:
    """The anchors (DER), for the verification policy's purpose `outside`."""
    return list(session.scalars(select(OutsideCa.der).order_by(OutsideCa.added_at)))


def take_outside(
    register: CertificateRegister, reference: str, certificate: bytes, chain: Sequence[bytes], signature: bytes,
    actor: Actor,
) -> bytes:  # fmt: skip
    """Put an officer's existing certificate into an approved request, in place of issuing one; its DER.

    1. the chain ends at an anchor on record; 2. valid now; 3. may sign; 4. `signature` of its key over
    `activation_statement` proves possession. Raises OutsideRefused, ChainIncomplete, MoveNotAllowed.
    """
    with register.logged("issue", reference, actor) as session:
        row = register.find(session, reference)
        der, issuer = _checked(register, session, certificate, chain)
        _check_proof(reference, der, signature)
        row.origin = OUTSIDE
        register.fill(session, row, der, issuer)
        register.move(session, row, "issue", actor)
    return der


def record_outside(
    register: CertificateRegister, profile: str, certificate: bytes, chain: Sequence[bytes],
    request: CertificateRequest, holder: Holder, actor: Actor,
) -> CertificateRow:  # fmt: skip
    """A licensed CA's answer to a CSR of an HSM key: checked against request and anchors, active at once.

    The request was signed by that key when it was made, so possession is proven. Raises OutsideRefused.
    """
    _need_operator(actor)
    with register.database.write() as session:
        der, issuer = _checked(register, session, certificate, chain)
        if load_certificate(der).public_key() != request.public_key:
            raise OutsideRefused("证书不是为该密钥签发的。", "It was not issued for this key.")
        return register.add_issued(
            session, der, issuer, profile, holder, actor, origin=OUTSIDE, why=Why("外部 CA 签发")
        )


def _checked(
    register: CertificateRegister, session: Session, certificate: bytes, chain: Sequence[bytes]
) -> tuple[bytes, bytes]:
    read = load_certificate(certificate)
    der = read.public_bytes(Encoding.DER)
    anchors = outside_anchors(session)
    built = build_chain(der, [load_certificate(other).public_bytes(Encoding.DER) for other in chain] + anchors)
    if built[-1] not in anchors:
        raise OutsideRefused("根证书未登记。", "Its root is not on record.")
    if not read.not_valid_before_utc <= register.clock.now() < read.not_valid_after_utc:
        raise OutsideRefused("证书不在有效期内。", "It is not valid now.")
    if not _may_sign(read):
        raise OutsideRefused("密钥用途不含签名。", "Its key usage does not allow signing.")
    return der, built[1] if len(built) > 1 else der


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
