"""Care of a token that the register knows: who may unblock it or change its PIN, and the record of it.

The PINs themselves go from the command to `hardware.care`; they never come here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hardware.errors import TokenError
from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.pki.errors import PkiError
from signing_service.pki.register import CertificateRegister
from signing_service.pki.rules import OPERATOR, Actor, MoveNotAllowed


class TokenUnknown(PkiError):
    """The register has no token serial for this certificate."""

    code = "token_unknown"

    def __init__(self, which: str) -> None:
        super().__init__(
            Text("登记册没有记载这张证书的密码设备。", "The register does not say on which token this certificate is."),
            why=Text(f"证书:{which}。", f"Certificate: {which}."),
            advice=Text(
                "请用 zhengyin keys 直接养护该设备。", "Care for the token itself with zhengyin keys (pin, unblock)."
            ),
        )


@contextmanager
def logged_care(register: CertificateRegister, which: str, act: str, actor: Actor, reason: str) -> Iterator[str]:
    """Gives the serial of the certificate's token, and logs the act (`unblock`, `change_pin`) when the block succeeds.

    An operator may do it, and for a change of the PIN the holder. A refusal, by a rule or by the token, is logged too.
    """
    audit = AuditLog()
    subject = f"certificate:{which}"
    entry = Act(f"token.{act}", actor.id, subject, actor.department, actor.certificate, details={"reason": reason})
    try:
        yield _serial(register, which, act, actor, reason)
    except (PkiError, TokenError) as refusal:
        audit.refuse(register.database, entry, register.clock.now(), refusal.code)
        raise
    with register.database.write() as session:
        audit.record(session, entry, register.clock.now())


def _serial(register: CertificateRegister, which: str, act: str, actor: Actor, reason: str) -> str:
    with register.database.read() as session:
        row = register.find(session, which)
        owner, serial = row.owner, row.token_serial
    if OPERATOR not in actor.roles and not (act == "change_pin" and actor.id == owner):
        raise MoveNotAllowed(act, "需要角色:pki_operator。", "It needs the role pki_operator.")
    if not reason.strip():
        raise MoveNotAllowed(act, "必须写明理由。", "A reason must be given.")
    if not serial:
        raise TokenUnknown(which)
    return serial
