"""Custody itself: judges, writes down, then lets the token sign.

Whoever runs web server, worker and database, but has no holder's key, gets no seal from here; see docs/trust.md.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hardware.ports import Mechanism
from signing_service.custody.errors import (
    CallRefused,
    NotTheSealsCertificate,
    SealCertificateNotValid,
    ServiceKeyRetired,
    SignatureNotMade,
)
from signing_service.custody.granted import Granted
from signing_service.custody.ledger import DIRECT, Freeze, Ledger, RecordedUse, Use
from signing_service.custody.policy import FILE_NAME, CustodyPolicy, Pinned, SealEntry, ServiceEntry, load_policy
from signing_service.custody.ports import HeldKey
from signing_service.custody.token_keys import TokenKeys
from signing_service.kernel.clock import Clock, SystemClock
from signing_service.pdf.cms_attributes import SignedAttributes, read_signed_attributes
from signing_service.pki.signature_algorithms import algorithm_for
from signing_service.seals.authorisation import Uses, covers
from signing_service.seals.holder_signature import verify_signature

MOST_AT_ONCE = 256


class Custody:
    """Opens the service tokens that the policy in `folder` names. Thread-safe; satisfies `ports.CustodyPort`.

    Several processes may work on one folder: the ledger keeps their counts.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        """Raises PolicyUnreadable, PolicyUnsafe. Tokens are opened when first needed."""
        self._folder, self._clock = folder, clock or SystemClock()
        self._policy_lock = threading.Lock()
        self._policy_read: tuple[tuple[int, int], CustodyPolicy] | None = None
        self._policy()
        self.ledger = Ledger(folder)
        self._keys, self._granted = TokenKeys(folder), Granted()

    def seal(
        self,
        seal_id: str,
        signed_attributes: bytes,
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> bytes:
        """The seal key's signature over DER signed attributes, if the holder's authorisation covers them.

        1. the attributes are the three of a PAdES signature, 2. they name the seal's certificate, which is valid now,
        3. the holder's signature holds, 4. no stop stands and the authorisation covers the digest: the use is written,
        5. the token signs, 6. the signature verifies, no stop came in between: the outcome is written.
        Raises SignedAttributesRefused, CustodyError, AuthorisationRefused, TokenError.
        """
        policy, now = self._policy(), self._clock.now()
        entry = policy.seal(seal_id)
        attributes = read_signed_attributes(signed_attributes)  # 1
        certificate = _checked_certificate(seal_id, entry, attributes, now)  # 2
        direct = policy.direct_sealing and not authorisation
        use, judge = self._request(  # 3
            seal_id, entry, attributes, signed_attributes, authorisation, document_type, now, direct=direct
        )
        number = self.ledger.reserve(use, now, judge)  # 4
        signature = self._keys.of_seal(policy, entry).sign(signed_attributes, mechanism)  # 5
        _check_made(certificate, signature, signed_attributes, mechanism)  # 6
        self.ledger.complete(number, use, signature, self._clock.now())
        return signature

    def seal_all(
        self,
        seal_id: str,
        signed_attributes: Sequence[bytes],
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> list[bytes]:
        """`seal` for several documents under one authorisation: judged and written in one synced commit, all or none.

        Attributes that were signed before under this authorisation get that signature again, never a new one: whoever
        was cut off may ask the very same thing again. Raises as `seal`, for the first document that is refused.
        """
        if not 1 <= len(signed_attributes) <= MOST_AT_ONCE:
            raise CallRefused(f"1 to {MOST_AT_ONCE} documents at once")
        policy, now = self._policy(), self._clock.now()
        entry = policy.seal(seal_id)
        read = [read_signed_attributes(each) for each in signed_attributes]
        for each in read:
            certificate = _checked_certificate(seal_id, entry, each, now)
        direct = policy.direct_sealing and not authorisation
        asked = [
            self._request(seal_id, entry, attributes, encoded, authorisation, document_type, now, direct=direct)
            for attributes, encoded in zip(read, signed_attributes, strict=True)
        ]
        judges = dict(asked)
        reserved = self.ledger.reserve_all([use for use, _ in asked], now, lambda use, uses: judges[use](uses))
        key, made, signatures = self._keys.of_seal(policy, entry), [], []
        for place, encoded in zip(reserved, signed_attributes, strict=True):
            signature = place.signature
            if signature is None:
                signature = key.sign(encoded, mechanism)
                _check_made(certificate, signature, encoded, mechanism)
                made.append((place.number, signature))
            signatures.append(signature)
        self.ledger.complete_all(made, asked[0][0], self._clock.now())
        return signatures

    def signature_of(self, seal_id: str, signed_attributes: bytes, authorisation: bytes) -> bytes:
        """The signature of a completed use whose answer was lost. Raises UseNotFound, SealingFrozen and refusals."""
        entry = self._policy().seal(seal_id)
        attributes = read_signed_attributes(signed_attributes)
        use, _ = self._request(
            seal_id, entry, attributes, signed_attributes, authorisation, "", self._clock.now(), direct=False
        )
        return self.ledger.signature(use)

    def lodge(self, authorisation: bytes) -> bytes:
        """Keep a large authorisation at hand; its reference may be given to `seal` instead of it."""
        return self._granted.lodge(authorisation)

    def sign_service(
        self, kind: str, content: bytes, mechanism: Mechanism | None = None, *, public_key: bytes = b""
    ) -> bytes:
        """A service key's signature over a structure of its own kind, by default with its usual mechanism.

        `public_key` (DER) names the key, where the structure does: an earlier one signs until its overlap ends.
        Raises ServiceNotInCustody, ServiceKeyRetired, StructureRefused, TokenError.
        """
        from signing_service.custody.structures import check_structure  # its parser is not loaded for a seal

        policy = self._policy()
        entry = self._named(policy, kind, public_key)
        check_structure(kind, content, entry)
        key = self._keys.of_service(policy, entry)
        return key.sign(content, mechanism or algorithm_for(key.public_key).mechanism)

    def unwrap_data_key(self, wrapped: bytes, *, public_key: bytes = b"") -> bytes:
        """A data key, unwrapped by the service key `data`. Raises as `sign_service` does."""
        from signing_service.custody.structures import DATA

        policy = self._policy()
        return self._keys.of_service(policy, self._named(policy, DATA, public_key)).unwrap(wrapped)

    def seal_certificates(self, seal_id: str) -> Sequence[bytes]:
        entry = self._policy().seal(seal_id)
        return entry.certificate, *entry.chain

    def service_certificates(self, kind: str) -> Sequence[bytes]:
        entry = self._policy().service(kind)
        return (entry.certificate, *entry.chain) if entry.certificate else ()

    def service_public_key(self, kind: str) -> bytes:
        policy = self._policy()
        return self._public_key(policy, policy.service(kind))

    def service_keys(self, kind: str) -> Sequence[HeldKey]:
        policy = self._policy()
        entry = policy.service(kind)
        present = HeldKey(self._public_key(policy, entry), _certificates(entry.certificate, entry.chain))
        earlier = [
            HeldKey(key.public_key, _certificates(key.certificate, key.chain), key.until) for key in entry.earlier
        ]
        return [present, *earlier]

    def withdraw(self, authorisation_id: str, reason: str) -> None:
        """From now on the authorisation lets nothing be sealed; it cannot be undone."""
        self.ledger.withdraw(authorisation_id, reason, self._clock.now())

    def freeze(self, scope: str, *, actor: str, reason: str) -> None:
        """Stop sealing at once: `all`, `bureau:ID`, `seal:ID`, or `register:ID` for what the register stopped.

        A signature being made just now is not handed out.
        """
        self.ledger.switch(scope, frozen=True, actor=actor, reason=reason, now=self._clock.now())

    def thaw(self, scope: str, *, actor: str, reason: str) -> None:
        """Lift a stop. Only for whoever works on custody's own machine: the socket does not offer it."""
        self.ledger.switch(scope, frozen=False, actor=actor, reason=reason, now=self._clock.now())

    def frozen(self) -> Sequence[Freeze]:
        return self.ledger.frozen()

    def uses(self, seal_id: str, *, kind: str = "") -> Sequence[RecordedUse]:
        """What was sealed with it, by whose authorisation, emergency use included: for the holder's own eyes."""
        return self.ledger.of_seal(seal_id, kind)

    def was_signed(self, seal_id: str, digest: str) -> bool:
        """Whether the seal's key has signed the document with this hex digest: what recovery asks."""
        return self.ledger.was_signed(seal_id, digest)

    def pinned(self, seal_id: str) -> Pinned:
        """Whose certificates may authorise the seal. Raises SealNotInCustody."""
        entry = self._policy().seal(seal_id)
        return Pinned(entry.holders, entry.appointed)

    @property
    def peers(self) -> frozenset[int]:
        """The accounts (uid) that may use the socket: custody's own, and those that policy names."""
        return frozenset({os.getuid(), *self._policy().peers})

    def close(self) -> None:
        self._keys.close()
        self.ledger.close()

    def _named(self, policy: CustodyPolicy, kind: str, public_key: bytes) -> ServiceEntry:
        """The entry of the key that is named; of the present one where none is."""
        entry = policy.service(kind)
        if not public_key or public_key == self._public_key(policy, entry):
            return entry
        now = self._clock.now()
        for key in entry.earlier:
            if key.public_key == public_key and now < key.until:
                return ServiceEntry(key.token, key.key_id, key.certificate, key.chain)
        raise ServiceKeyRetired(kind)

    def _public_key(self, policy: CustodyPolicy, entry: ServiceEntry) -> bytes:
        if entry.certificate:
            return _public_key_of(entry.certificate)
        key = self._keys.of_service(policy, entry).public_key
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _policy(self) -> CustodyPolicy:
        """The policy as it is on the disk now; read again when the file was replaced."""
        facts = (self._folder / FILE_NAME).stat() if (self._folder / FILE_NAME).exists() else None
        stamp = (0, 0) if facts is None else (facts.st_mtime_ns, facts.st_ino)
        with self._policy_lock:
            if self._policy_read is None or self._policy_read[0] != stamp:
                self._policy_read = stamp, load_policy(self._folder)
            return self._policy_read[1]

    def _request(
        self,
        seal_id: str,
        entry: SealEntry,
        attributes: SignedAttributes,
        signed_attributes: bytes,
        authorisation: bytes,
        document_type: str,
        now: datetime,
        *,
        direct: bool,
    ) -> tuple[Use, Callable[[Uses], None]]:
        """What is asked, for the ledger, and the judgement that the ledger will ask for under its lock."""
        digest = attributes.message_digest.hex()
        hashed = hashlib.sha256(signed_attributes).hexdigest()
        if direct:
            return Use(DIRECT, seal_id, entry.bureau, digest, hashed, document_type, "", DIRECT), lambda _uses: None
        granted = self._granted.judge(authorisation, entry, now)
        what = granted.authorisation
        use = Use(what.id, seal_id, entry.bureau, digest, hashed, document_type, granted.signers, what.kind.value)
        return use, lambda uses: covers(what, digest, document_type, now, uses, seal_id=seal_id)


@lru_cache(maxsize=64)
def _public_key_of(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificates(certificate: bytes, chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (certificate, *chain) if certificate else ()


def _checked_certificate(
    seal_id: str, entry: SealEntry, attributes: SignedAttributes, now: datetime
) -> x509.Certificate:
    if attributes.signing_certificate_hash != hashlib.sha256(entry.certificate).digest():
        raise NotTheSealsCertificate(seal_id)
    certificate = x509.load_der_x509_certificate(entry.certificate)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise SealCertificateNotValid(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return certificate


def _check_made(certificate: x509.Certificate, signature: bytes, data: bytes, mechanism: Mechanism) -> None:
    try:
        verify_signature(certificate, signature, data, mechanism)
    except (InvalidSignature, ValueError) as failure:
        raise SignatureNotMade from failure
