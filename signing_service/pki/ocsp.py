"""The OCSP responder: bytes in, bytes out (RFC 6960, nonce by RFC 9654). It answers everything, and never raises for
what a stranger sent.

For each issuer a delegated responder signs. A response without nonce is kept for a short while and handed out again,
but only while the register still gives the same status: a revocation is visible with the next request.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPRequestBuilder

from hardware.errors import ExplainedError
from signing_service.kernel.clock import Clock
from signing_service.pki.errors import MalformedDer
from signing_service.pki.ocsp_request import CertificateId, OcspRequest, read_ocsp_request
from signing_service.pki.ocsp_response import (
    CertificateStatus,
    Failure,
    ResponseSigner,
    failure,
    key_bits,
    single_response,
)
from signing_service.pki.ports import SigningKey

_LOG = logging.getLogger(__name__)
LIFE = timedelta(minutes=10)
BACKDATED = timedelta(seconds=5)
KEPT_RESPONSES = 4096


class StatusLookup(Protocol):
    """Where the responder learns of a certificate's state, anew for each answer."""

    def status(self, issuer: bytes, serial: int) -> CertificateStatus | None:
        """The state of the certificate that `issuer` (DER) gave this serial; None if it never did."""
        ...


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that we answer for, and the responder it delegated to."""

    certificate: bytes
    responder: SigningKey


@dataclass(frozen=True, slots=True)
class _Known:
    certificate: bytes
    signer: ResponseSigner


@dataclass(frozen=True, slots=True)
class _Kept:
    status: CertificateStatus | None
    until: datetime
    response: bytes


class OcspResponder:
    """Answers for the given issuers. Thread-safe; owns nothing but its short-lived responses."""

    def __init__(
        self, issuers: Sequence[Issuer], register: StatusLookup, clock: Clock, *, life: timedelta = LIFE
    ) -> None:
        known = [_Known(issuer.certificate, ResponseSigner(issuer.responder)) for issuer in issuers]
        self._issuers = {name: issuer for issuer in known for name in _names(issuer.certificate)}
        self._register, self._clock, self._life = register, clock, life
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._lock = Lock()

    def respond(self, request: bytes) -> bytes:
        """A DER OCSPResponse for a DER OCSPRequest: malformedRequest, unauthorized (no certificate is of an issuer
        that we answer for), tryLater (the key or the register cannot be reached), or signed."""
        try:
            return self._answer(read_ocsp_request(request))
        except MalformedDer:
            return failure(Failure.MALFORMED_REQUEST)
        except ExplainedError as trouble:
            _LOG.warning("OCSP responder cannot sign: %s", trouble.code)
            return failure(Failure.TRY_LATER)

    def _answer(self, request: OcspRequest) -> bytes:
        issuers = [self._issuer_of(asked) for asked in request.certificates]
        known = next((issuer for issuer in issuers if issuer is not None), None)
        if known is None:
            return failure(Failure.UNAUTHORIZED)
        statuses = [
            self._register.status(issuer.certificate, asked.serial) if issuer is known else None
            for asked, issuer in zip(request.certificates, issuers, strict=True)
        ]
        if request.nonce is None and len(statuses) == 1:
            return self._presigned(known, request.certificates[0], statuses[0])
        return self._sign(known, request, statuses)

    def _issuer_of(self, asked: CertificateId) -> _Known | None:
        return self._issuers.get((asked.hash_name, asked.name_hash, asked.key_hash))

    def _sign(self, issuer: _Known, request: OcspRequest, statuses: Sequence[CertificateStatus | None]) -> bytes:
        now = self._clock.now()
        singles = [
            single_response(asked.encoded, status, now - BACKDATED, now + self._life)
            for asked, status in zip(request.certificates, statuses, strict=True)
        ]
        return issuer.signer.response(singles, request.nonce, now)

    def _presigned(self, issuer: _Known, asked: CertificateId, status: CertificateStatus | None) -> bytes:
        now = self._clock.now()
        with self._lock:
            kept = self._kept.get(asked.encoded)
        if kept is not None and kept.status == status and now < kept.until:
            return kept.response
        response = self._sign(issuer, OcspRequest((asked,), None), [status])
        with self._lock:
            self._kept[asked.encoded] = _Kept(status, now + self._life / 2, response)
            while len(self._kept) > KEPT_RESPONSES:
                self._kept.popitem(last=False)
        return response


def _names(certificate: bytes) -> list[tuple[str, bytes, bytes]]:
    issuer = x509.load_der_x509_certificate(certificate)
    name, key = issuer.subject.public_bytes(), key_bits(issuer)
    return [
        (algorithm, hashlib.new(algorithm, name).digest(), hashlib.new(algorithm, key).digest())
        for algorithm in ("sha1", "sha256")
    ]


def request_for(certificate: bytes, issuer: bytes) -> bytes:
    """An OCSPRequest for one certificate, without nonce, hashed with SHA-1 as every client does (RFC 5019 2.1.1)."""
    subject, above = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
    return OCSPRequestBuilder().add_certificate(subject, above, SHA1()).build().public_bytes(Encoding.DER)  # noqa: S303
