"""Enrolment with approval: request, approval by a second person, issue over a CSR, activation by the holder.

Between issue and activation the certificate answers as held: a key that was intercepted on its way is of no use.
"""

from __future__ import annotations

from cryptography import x509
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.pki.authority import CertificateAuthority
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.csr import read_request
from signing_service.pki.errors import PkiError
from signing_service.pki.issuing import new_serial
from signing_service.pki.profiles import profile_named
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint, key_digest
from signing_service.pki.rules import APPROVER, MOVES, OPERATOR, SYSTEM, Actor, MoveNotAllowed, State, decide
from signing_service.pki.signature_algorithms import algorithm_for, signature_holds

MAY_ASK = frozenset({OPERATOR, APPROVER, SYSTEM})
RENEWED = Actor("enrolment", frozenset({SYSTEM}))


class ActivationRefused(PkiError):
    """What the holder showed is not the certificate that was issued, or not signed with its key."""

    code = "activation_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("证书没有启用。", "The certificate was not activated."),
            why=Text(zh, en),
            advice=Text(
                "请用领到的密码设备重试;仍不成功时作废重办。", "Try again with the token; else revoke and begin anew."
            ),
        )


class Enrolment:
    """Certificates for people's USB keys, from one CA."""

    def __init__(self, register: CertificateRegister, authority: CertificateAuthority) -> None:
        self._register, self._authority = register, authority

    def request(self, profile: str, holder: Holder, subject: x509.Name, actor: Actor, *, replaces: str = "") -> str:
        """See `request_certificate`."""
        return request_certificate(self._register, profile, holder, subject, actor, replaces=replaces)

    def approve(self, reference: str, actor: Actor, why: Why | None = None) -> None:
        """By a second person. Raises MoveNotAllowed."""
        self._register.change(reference, "approve", actor, why)

    def refuse(self, reference: str, actor: Actor, why: Why) -> None:
        """With a reason. Raises MoveNotAllowed."""
        self._register.change(reference, "refuse", actor, why)

    def issue(self, reference: str, request: bytes, actor: Actor, *, token_serial: str = "") -> bytes:
        """A certificate (DER) over an approved request's CSR: the key is the CSR's, the subject the approved one.

        The serial is registered before the CA's key signs, so no certificate exists that the register never knew.
        Raises MoveNotAllowed, RequestRefused, KeyAlreadyCertified.
        """
        asked = read_request(request)
        serial = new_serial()
        with self._register.logged("issue", reference, actor) as session:
            row = self._register.find(session, reference)
            decide(MOVES["issue"], State(row.state), actor, owner=row.owner, requested_by=row.requested_by, reason="")
            self._register.check_key(session, row.owner, key_digest(asked.public_key))
            row.issuer, row.serial = fingerprint(self._authority.key.certificate), f"{serial:x}"
            row.token_serial = token_serial or row.token_serial
            profile, subject = row.profile, x509.Name.from_rfc4514_string(row.subject)
        made = self._authority.sign_certificate(profile, subject, asked.public_key, serial=serial)
        with self._register.logged("issue", reference, actor) as session:
            row = self._register.find(session, reference)
            if row.serial != f"{serial:x}":
                raise MoveNotAllowed("issue", "同一申请正在另行签发。", "The same request is being issued elsewhere.")
            self._register.fill(session, row, made, self._authority.key.certificate)
            self._register.move(session, row, "issue", actor)
        return made

    def activate(self, reference: str, read_back: bytes, signature: bytes, actor: Actor) -> None:
        """By the holder: `read_back` is the certificate as read from the token, `signature` that of its key over
        `activation_statement`. What it replaces is superseded. Raises ActivationRefused, MoveNotAllowed."""
        with self._register.database.read() as session:
            row = self._register.find(session, reference)
            issued = row.der
        check_activation(reference, issued, read_back, signature)
        with self._register.logged("activate", reference, actor) as session:
            row = self._register.find(session, reference)
            self._register.move(session, row, "activate", actor)
            old = None if row.replaces is None else session.get_one(CertificateRow, row.replaces)
            if old is not None and old.state in MOVES["supersede"].before:
                self._register.move(session, old, "supersede", RENEWED, Why(f"由新证书 {row.reference} 接替"))


def request_certificate(
    register: CertificateRegister, profile: str, holder: Holder, subject: x509.Name, actor: Actor, *, replaces: str = ""
) -> str:
    """Ask for a certificate; its reference. `replaces` names the certificate that it is to succeed.

    For oneself, or as an operator or seal administrator; a second person approves. Raises UnknownProfile,
    CertificateUnknown, MoveNotAllowed.
    """
    profile_named(profile)
    with register.logged("request", holder.owner, actor) as session:
        if actor.id != holder.owner and not actor.roles & MAY_ASK:
            wanted = ", ".join(sorted(MAY_ASK - {SYSTEM}))
            raise MoveNotAllowed(
                "request", f"只能为本人申请,或需要角色:{wanted}。",
                f"One may ask for oneself, or with one of the roles: {wanted}.",
            )  # fmt: skip
        old = _replaced(register, session, replaces, holder, profile) if replaces else None
        row = register.add_request(
            session, profile, holder, subject.rfc4514_string(), actor, None if old is None else old.id
        )
        return row.reference


def _replaced(
    register: CertificateRegister, session: Session, which: str, holder: Holder, profile: str
) -> CertificateRow:
    old = register.find(session, which)
    if (old.owner, old.profile) != (holder.owner, profile):
        raise MoveNotAllowed("request", "被接替的证书属于他人或类型不同。", "The old one is another holder's or kind.")
    return old


def activation_statement(reference: str, certificate: bytes) -> bytes:
    """What the holder's key signs to take a certificate over: a sentence that can be taken for nothing else."""
    return f"ZHENGYIN-ACTIVATE-V1 | {reference} | {fingerprint(certificate)}".encode()


def check_activation(reference: str, issued: bytes, read_back: bytes, signature: bytes) -> None:
    """Pure. Raises ActivationRefused."""
    if not issued or read_back != issued:
        raise ActivationRefused("从设备读回的证书不是签发的那一张。", "The token gave back another certificate.")
    key = x509.load_der_x509_certificate(issued).public_key()
    if not signature_holds(key, signature, activation_statement(reference, issued), algorithm_for(key)):
        raise ActivationRefused(
            "签名不是由该证书的私钥生成。", "The signature was not made with the certificate's key."
        )
