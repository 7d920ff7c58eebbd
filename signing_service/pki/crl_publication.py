"""Publishing CRLs: whole, partial and delta; numbered, kept until they expire, renewed when stale or when something
changed.

A change whose transaction was still open while a CRL was made is caught by one more CRL `SETTLING` later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from hardware.errors import ExplainedError
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.pki.certificates import CertificateRow, CrlRow
from signing_service.pki.crl import Reason, RevokedEntry, build_crl
from signing_service.pki.crl_partitions import WHOLE, partition_address
from signing_service.pki.ports import SigningKey
from signing_service.pki.register import fingerprint

_LOG = logging.getLogger(__name__)
PAGE = 10_000
SETTLING, DAY = timedelta(seconds=30), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CrlIssuer:
    """A CA by the name in its CDP address. `key` is absent for one that signs only at ceremonies (the root).

    Once a base has `delta_from` bytes, it is renewed daily, points to `delta_url`, and changes appear in the delta
    there; smaller ones are made anew with every change, for the many clients that read no deltas. `url` is the whole
    list's address; partial lists (`crl_partitions`) have theirs from it, and no delta.
    """

    certificate: bytes
    key: SigningKey | None = None
    life: timedelta = timedelta(days=7)
    url: str = ""
    delta_url: str = ""
    delta_from: int = 1_000_000

    def has_delta(self, base: CrlRow | None) -> bool:
        """Whether changes after this base go into a delta."""
        return bool(self.delta_url) and base is not None and len(base.der) >= self.delta_from


class CrlPublisher:
    """Gives the current CRL of each issuer, making a new one when needed. Thread-safe."""

    def __init__(self, database: Database, issuers: Mapping[str, CrlIssuer], clock: Clock) -> None:
        self._database, self._issuers, self._clock = database, dict(issuers), clock
        self._lock = Lock()

    def certificate(self, name: str) -> bytes | None:
        """The issuer's certificate (DER), for its AIA address."""
        issuer = self._issuers.get(name)
        return None if issuer is None else issuer.certificate

    def crl(self, name: str, partition: int = WHOLE) -> bytes | None:
        """The base CRL (DER) that holds now, whole or of a partition; None for a name that is not an issuer's, for a
        partition without certificates, or while there is none yet."""
        issuer = self._issuers.get(name)
        if issuer is None or not self._has_partition(issuer, partition):
            return None
        with self._lock:
            kept = self._latest(issuer, partition)
            if issuer.key is None or (kept is not None and not self._is_due(issuer, kept)):
                return None if kept is None else kept.der
            return self._renewed(issuer, issuer.key, kept, partition)

    def delta(self, name: str) -> bytes | None:
        """The changes since the last base, as a delta CRL (RFC 5280 5.2.4)."""
        issuer = self._issuers.get(name)
        if issuer is None or issuer.key is None:
            return None
        base = self._latest(issuer)
        if base is None or not issuer.has_delta(base):
            return None
        with self._lock:
            kept = self._latest(issuer, delta=True)
            if kept is not None and kept.base_number == base.number and not self._has_changed(issuer, kept):
                return kept.der
            return self._issue(issuer, issuer.key, base)

    def publish(self, name: str) -> bytes | None:
        """A new base CRL whatever the last one says; None where the issuer's key is not at hand."""
        issuer = self._issuers.get(name)
        if issuer is None or issuer.key is None:
            return None
        with self._lock:
            return self._issue(issuer, issuer.key, None)

    def _has_partition(self, issuer: CrlIssuer, partition: int) -> bool:
        """Strangers must not make us sign lists of partitions that no certificate names."""
        if partition == WHOLE:
            return True
        row = CertificateRow
        query = select(row.id).where(row.issuer == fingerprint(issuer.certificate), row.crl_partition == partition)
        with self._database.read() as session:
            return bool(issuer.url) and session.scalar(query.limit(1)) is not None

    def _renewed(self, issuer: CrlIssuer, key: SigningKey, kept: CrlRow | None, partition: int) -> bytes:
        """A new base; while the key cannot be reached, the last one as long as it holds."""
        try:
            return self._issue(issuer, key, None, partition)
        except ExplainedError as trouble:
            if kept is None or self._clock.now() >= kept.next_update:
                raise
            _LOG.error("no new CRL could be signed: %s", trouble.code)
            return kept.der

    def _is_due(self, issuer: CrlIssuer, kept: CrlRow) -> bool:
        """Half its life is over, or something changed that no delta tells."""
        has_delta = kept.partition == WHOLE and issuer.has_delta(kept)
        life = DAY if has_delta else (kept.next_update - kept.this_update) / 2
        return self._clock.now() >= kept.this_update + life or (not has_delta and self._has_changed(issuer, kept))

    def _has_changed(self, issuer: CrlIssuer, kept: CrlRow) -> bool:
        with self._database.read() as session:
            changed = session.scalar(
                select(func.max(CertificateRow.status_at)).where(*_listed(issuer.certificate, kept.partition))
            )
        if changed is None or changed < kept.this_update - SETTLING:
            return False
        return changed >= kept.this_update or self._clock.now() >= kept.this_update + SETTLING

    def _latest(self, issuer: CrlIssuer, partition: int = WHOLE, *, delta: bool = False) -> CrlRow | None:
        kind = CrlRow.base_number.is_not(None) if delta else CrlRow.base_number.is_(None)
        query = select(CrlRow).where(
            CrlRow.issuer == fingerprint(issuer.certificate), CrlRow.partition == partition, CrlRow.der != b"", kind
        )
        with self._database.read() as session:
            return session.scalar(query.order_by(CrlRow.number.desc()).limit(1))

    def _issue(self, issuer: CrlIssuer, key: SigningKey, base: CrlRow | None, partition: int = WHOLE) -> bytes:
        """The number is taken first, so that no transaction is open while the key signs."""
        points_on = base is None and partition == WHOLE and issuer.has_delta(self._latest(issuer))
        row = self._take_number(issuer, base, partition)
        since = None if base is None else base.this_update - SETTLING
        with self._database.read() as session:
            made = build_crl(
                key,
                revoked_entries(session, issuer.certificate, since, partition),
                number=row.number,
                this_update=row.this_update,
                next_update=row.next_update,
                base_number=row.base_number,
                delta_url=issuer.delta_url if points_on else "",
                partition_url="" if partition == WHOLE else partition_address(issuer.url, partition),
            )
        with self._database.write() as session:
            session.get_one(CrlRow, row.id).der = made
            expired = (CrlRow.issuer == row.issuer, CrlRow.next_update < row.this_update)
            session.execute(delete(CrlRow).where(*expired))
        return made

    def _take_number(self, issuer: CrlIssuer, base: CrlRow | None, partition: int) -> CrlRow:
        now = self._clock.now()
        with self._database.write() as session:
            row = CrlRow(
                issuer=fingerprint(issuer.certificate),
                number=next_number(session, issuer.certificate),
                base_number=None if base is None else base.number,
                this_update=now,
                next_update=now + issuer.life,
                partition=partition,
                der=b"",
            )
            session.add(row)
        return row


def next_number(session: Session, issuer: bytes) -> int:
    """The next CRL number of an issuer (DER); the unique key on (issuer, number) settles a race."""
    query = select(func.max(CrlRow.number)).where(CrlRow.issuer == fingerprint(issuer))
    return (session.scalar(query) or 0) + 1


def record_crl(session: Session, issuer: bytes, made: bytes, number: int, this: datetime, until: datetime) -> None:
    """Keep a base CRL that was signed elsewhere, at a ceremony."""
    session.add(
        CrlRow(
            issuer=fingerprint(issuer), number=number, base_number=None, this_update=this, next_update=until, der=made
        )
    )


def _listed(issuer: bytes, partition: int) -> list[ColumnElement[bool]]:
    """Which certificates an issuer's list tells of: all, or those of one partition."""
    of_issuer = CertificateRow.issuer == fingerprint(issuer)
    return [of_issuer] if partition == WHOLE else [of_issuer, CertificateRow.crl_partition == partition]


def revoked_entries(
    session: Session, issuer: bytes, since: datetime | None, partition: int = WHOLE
) -> Iterator[RevokedEntry]:
    """What a CRL of this issuer (DER) lists: all that are revoked or held; with `since`, what changed from then on."""
    row = CertificateRow
    query = select(row.serial, row.revoked_at, row.reason, row.invalid_from, row.status_at)
    query = query.where(*_listed(issuer, partition), row.fingerprint.is_not(None))
    query = query.where(row.revoked_at.is_not(None) if since is None else row.status_at >= since)
    for serial, revoked_at, reason, invalid_from, status_at in session.execute(query.execution_options(yield_per=PAGE)):
        if serial is not None and revoked_at is not None:
            yield RevokedEntry(int(serial, 16), revoked_at, Reason(reason), invalid_from)
        elif serial is not None and status_at is not None:
            yield RevokedEntry(int(serial, 16), status_at, Reason.REMOVE_FROM_CRL)
