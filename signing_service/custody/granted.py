"""Authorisations at hand: read and judged once, so that a batch of thousands costs its first use alone."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from signing_service.custody.errors import AuthorisationNotLodged
from signing_service.custody.policy import SealEntry
from signing_service.seals.authorisation import Authorisation
from signing_service.seals.holder_signature import SignedAuthorisation, verified

REFERENCE = b"ZHENGYIN-LODGED-V1 "
KEPT = 64


def reference(encoded: bytes) -> bytes:
    """A short name for a lodged authorisation."""
    return REFERENCE + hashlib.sha256(encoded).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class Judged:
    """A true authorisation, who signed it (hex SHA-256 of certificates) and when all those certificates are valid."""

    authorisation: Authorisation
    signers: str
    begin: datetime
    end: datetime


class Granted:
    """The last authorisations. What is remembered of a judgement does not depend on time; what does is asked anew.
    `_lock` guards both tables."""

    def __init__(self) -> None:
        self._lodged: OrderedDict[bytes, SignedAuthorisation] = OrderedDict()
        self._judged: OrderedDict[tuple[object, ...], Judged] = OrderedDict()
        self._lock = threading.Lock()

    def lodge(self, encoded: bytes) -> bytes:
        """Keep an authorisation at hand; returns its reference. Raises AuthorisationUnreadable."""
        name = reference(encoded)
        with self._lock:
            known = self._lodged.pop(name, None)
            self._lodged[name] = known or SignedAuthorisation.decode(encoded)
            while len(self._lodged) > KEPT:
                self._lodged.popitem(last=False)
        return name

    def judge(self, encoded: bytes, entry: SealEntry, now: datetime) -> Judged:
        """The authorisation given, or the lodged one referred to, held against the seal's pinned holders.

        Raises AuthorisationNotLodged and what `holder_signature.verified` raises.
        """
        name = encoded if encoded.startswith(REFERENCE) else self.lodge(encoded)
        key = (name, entry.holders, entry.appointed)
        with self._lock:
            if name not in self._lodged:
                raise AuthorisationNotLodged
            signed, known = self._lodged[name], self._judged.get(key)
        if known is not None and known.begin <= now <= known.end:
            return known
        judged = _judged(signed, entry, now)
        with self._lock:
            self._judged[key] = judged
            while len(self._judged) > KEPT:
                self._judged.popitem(last=False)
        return judged


def _judged(signed: SignedAuthorisation, entry: SealEntry, now: datetime) -> Judged:
    authorisation = verified(signed, holders=entry.holders, appointed=entry.appointed, now=now)
    certificates = [x509.load_der_x509_certificate(each.certificate) for each in signed.signatures]
    signers = ",".join(hashlib.sha256(each.certificate).hexdigest() for each in signed.signatures)
    begin = max(certificate.not_valid_before_utc for certificate in certificates)
    end = min(certificate.not_valid_after_utc for certificate in certificates)
    return Judged(authorisation, signers, begin, end)
