"""Revocation answers of outside CAs: fetched from the addresses in their certificates or on record, kept until their
nextUpdate, bounded in time, size and number. Whether an answer is to be believed is `outside_status`'s question.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from sqlalchemy import LargeBinary, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused
from signing_service.pki.ocsp import request_for

_LOG = logging.getLogger(__name__)
CRL, OCSP = "crl", "ocsp"
MOST_ADDRESSES = 3
LARGEST_OCSP, LARGEST_CRL = 64 * 1024, 32 * 1024 * 1024
TRY_AGAIN = timedelta(seconds=30)


class OutsideAnswer(Base):
    """A CRL or OCSP response (DER) as it was fetched; `until` is its nextUpdate."""

    __tablename__ = "pki_outside_answer"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    url: Mapped[str] = mapped_column(String(500))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to ask about certificates that do not say it themselves."""

    ocsp_url: str = ""
    crl_url: str = ""


class OutsideSources:
    """Answers by address. `_failed` remembers which address gave nothing lately, so that a dead server costs one wait;
    `_lock` guards it."""

    def __init__(self, database: Database, outbound: Outbound, clock: Clock) -> None:
        self._database, self._outbound, self._clock = database, outbound, clock
        self._failed: dict[str, datetime] = {}
        self._lock = Lock()

    def ocsp(self, certificate: bytes, issuer: bytes, fallback: Addresses) -> list[bytes]:
        """OCSP responses (DER) about one certificate, from at most three addresses."""
        request = request_for(certificate, issuer)
        urls = ocsp_addresses(x509.load_der_x509_certificate(certificate)) or _given(fallback.ocsp_url)
        return self._from(OCSP, urls, request)

    def crls(self, certificate: bytes, fallback: Addresses) -> list[bytes]:
        """CRLs (DER) that may list one certificate, from at most three addresses."""
        urls = crl_addresses(x509.load_der_x509_certificate(certificate)) or _given(fallback.crl_url)
        return self._from(CRL, urls, b"")

    def _from(self, kind: str, urls: Sequence[str], request: bytes) -> list[bytes]:
        found = [self.at(kind, url, request) for url in urls[:MOST_ADDRESSES]]
        return [answer for answer in found if answer is not None]

    def at(self, kind: str, url: str, request: bytes = b"") -> bytes | None:
        """The answer (DER) of one address, kept or fetched; None where it gives none."""
        key, now = hashlib.sha256(f"{kind}|{url}|".encode() + request).hexdigest(), self._clock.now()
        with self._database.read() as session:
            kept = session.get(OutsideAnswer, key)
        if kept is not None and now < kept.until:
            return kept.body
        with self._lock:
            if now < self._failed.get(key, now):
                return None
        body = self._fetch(kind, url, request)
        if body is None:
            with self._lock:
                self._failed[key] = now + TRY_AGAIN
            return None
        until = ends(kind, body)
        if until is not None and until > now:
            with self._database.write() as session:
                session.execute(delete(OutsideAnswer).where(OutsideAnswer.until <= now))
                session.merge(OutsideAnswer(key=key, kind=kind, url=url[:500], body=body, until=until, fetched_at=now))
        return body

    def _fetch(self, kind: str, url: str, request: bytes) -> bytes | None:
        """What came, if it is of its kind and size; a failure is logged, and counts as no answer."""
        headers = {"Content-Type": "application/ocsp-request"} if request else {}
        try:
            reply = self._outbound.request("POST" if request else "GET", url, body=request or None, headers=headers)
        except (OutboundFailed, OutboundRefused) as failure:
            _LOG.warning("%s", failure)
            return None
        largest = LARGEST_OCSP if kind == OCSP else LARGEST_CRL
        if reply.status != 200 or len(reply.body) > largest or not _is(kind, reply.body):
            _LOG.warning("%s gave no %s (HTTP %s, %s bytes)", url, kind, reply.status, len(reply.body))
            return None
        return reply.body


def kept_answers(session: Session, now: datetime) -> tuple[list[bytes], list[bytes]]:
    """(CRLs, OCSP responses) that are still in force, for whoever judges without a network."""
    rows = list(session.scalars(select(OutsideAnswer).where(OutsideAnswer.until > now)))
    return [row.body for row in rows if row.kind == CRL], [row.body for row in rows if row.kind == OCSP]


def ends(kind: str, body: bytes) -> datetime | None:
    """The nextUpdate of a CRL (DER), the earliest of an OCSP response; None where it gives none."""
    if kind == CRL:
        return x509.load_der_x509_crl(body).next_update_utc
    ends = [single.next_update_utc for single in ocsp.load_der_ocsp_response(body).responses]
    return None if not ends or None in ends else min(end for end in ends if end is not None)


def ocsp_addresses(certificate: x509.Certificate) -> list[str]:
    """As the certificate names them (RFC 5280 4.2.2.1)."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    method = AuthorityInformationAccessOID.OCSP
    return [
        entry.access_location.value
        for entry in access
        if entry.access_method == method and isinstance(entry.access_location, x509.UniformResourceIdentifier)
    ]


def crl_addresses(certificate: x509.Certificate) -> list[str]:
    """As the certificate names them (RFC 5280 4.2.1.13); http and https alone."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    names = [name for point in points for name in point.full_name or ()]
    return [
        name.value
        for name in names
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))
    ]


def _given(url: str) -> list[str]:
    return [url] if url else []


def _is(kind: str, body: bytes) -> bool:
    try:
        if kind == CRL:
            return x509.load_der_x509_crl(body) is not None
        response = ocsp.load_der_ocsp_response(body)
        return response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL and bool(list(response.responses))
    except (ValueError, x509.InvalidVersion):
        return False
