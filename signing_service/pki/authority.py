"""A CA at work: its key (through custody), its addresses, and the register that keeps what it issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from signing_service.pki.crl_partitions import partition_address
from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial, validity
from signing_service.pki.ports import SigningKey
from signing_service.pki.profiles import profile_named
from signing_service.pki.register import CertificateRegister, Holder
from signing_service.pki.rules import OPERATOR, SYSTEM, Actor, MoveNotAllowed


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Issues from one CA; `urls.crl` is the whole list's address. No transaction is open while the key signs."""

    key: SigningKey
    urls: Urls
    register: CertificateRegister

    def sign_certificate(
        self,
        profile: str,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        *,
        serial: int | None = None,
        alternative_names: Sequence[x509.GeneralName] = (),
    ) -> bytes:
        """A certificate (DER) from now on, for the profile's days; not yet in the register."""
        kind = profile_named(profile)
        start, end = validity(kind, self.key.certificate, self.register.clock.now())
        return issue_certificate(
            kind,
            subject=subject,
            public_key=public_key,
            issuer_certificate=self.key.certificate,
            issuer_key=self.key,
            serial=serial or new_serial(),
            not_before=start,
            not_after=end,
            urls=self._urls(),
            alternative_names=alternative_names,
        )

    def _urls(self) -> Urls:
        """With the CRL address of the partition that is open now."""
        with self.register.database.read() as session:
            partition = self.register.open_partition(session, self.key.certificate)
        return replace(self.urls, crl=partition_address(self.urls.crl, partition))

    def issue(
        self,
        profile: str,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        holder: Holder,
        actor: Actor,
        *,
        alternative_names: Sequence[x509.GeneralName] = (),
    ) -> bytes:
        """Issue and register at once, active: for seals and services, whose approval is held elsewhere (seal made,
        ceremony). Officers' certificates go through `enrolment`. Needs the operator's or the system's role."""
        if not actor.roles & {OPERATOR, SYSTEM}:
            raise MoveNotAllowed("issue", "需要角色:pki_operator。", "It needs the role pki_operator.")
        made = self.sign_certificate(profile, subject, public_key, alternative_names=alternative_names)
        with self.register.database.write() as session:
            self.register.add_issued(session, made, self.key.certificate, profile, holder, actor)
        return made
