"""Taking over licences that an earlier registry issued: as a stream, a thousand at a time, in bounded memory.

What is taken over is on record with its sealed file's digest; the files themselves go into the blob store. Each chunk
is one transaction, so that a run that stopped is seen by how many are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cert_registry.licences.drafts import Actor
from cert_registry.licences.holder_vault import HolderVault
from cert_registry.licences.holders import Holder, masked
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issue import midnight
from cert_registry.licences.register import Licence, LicenceHolder, LicenceOperation
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Database

CHUNK = 1000
TAKEN_OVER = "licence.taken_over"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A licence as the earlier registry hands it over. `digest`: SHA-256 of its sealed file, in hex."""

    identifier: LicenceIdentifier
    number: str
    issuer_name: str
    holders: tuple[Holder, ...]
    fields: Mapping[str, Any]
    issued_on: date
    valid_until: date | None
    digest: str


def take_over(
    database: Database, vault: HolderVault, licences: Iterable[Earlier], actor: Actor, now: datetime
) -> Iterator[int]:
    """Record them; after each chunk gives how many are there. Raises the database's IntegrityError for a double."""
    stream, done = iter(licences), 0
    while chunk := list(islice(stream, CHUNK)):
        with database.write() as session:
            _record(session, vault, chunk, actor, now)
            act = Act(TAKEN_OVER, actor.id, "licences", actor.department, details={"count": len(chunk)})
            AuditLog().record(session, act, now)
        done += len(chunk)
        yield done


def _record(session: Session, vault: HolderVault, chunk: list[Earlier], actor: Actor, now: datetime) -> None:
    query = insert(Licence).returning(Licence.id, sort_by_parameter_order=True)
    ids = list(session.scalars(query, [_licence(one, actor, now) for one in chunk]))
    holders = [
        _holder(vault, row_id, str(one.identifier), place, holder)
        for row_id, one in zip(ids, chunk, strict=True)
        for place, holder in enumerate(one.holders)
    ]
    session.execute(insert(LicenceHolder), holders)
    operations = [
        {
            "licence_id": row_id, "operation": "issue", "effective_from": midnight(one.issued_on), "recorded_at": now,
            "voids": None, "reason": "", "legal_basis": "", "actor": actor.id, "department": actor.department,
            "certificate": "",
        }
        for row_id, one in zip(ids, chunk, strict=True)
    ]  # fmt: skip
    session.execute(insert(LicenceOperation), operations)


def _licence(one: Earlier, actor: Actor, now: datetime) -> dict[str, Any]:
    name = one.identifier
    return {
        "identifier": str(name), "type_code": name.type_code, "issuer_code": name.issuer,
        "issuer_name": one.issuer_name, "serial": name.serial, "version": name.version, "number": one.number,
        "approval_id": f"earlier:{name}", "matter_code": "", "matter_name": "", "fields": dict(one.fields),
        "issued_on": one.issued_on,
        "valid_from": one.issued_on, "valid_until": one.valid_until, "replaces": "", "operation": "issue",
        "document_digest": "", "rendered_digest": "", "rendered_bytes": 0, "digest": one.digest,
        "prepared_by": actor.id, "prepared_at": now, "registered_at": now,
    }  # fmt: skip


def _holder(vault: HolderVault, licence_id: int, identifier: str, place: int, holder: Holder) -> dict[str, Any]:
    lookup = vault.lookup(holder.code, holder.code_type)
    return {
        "licence_id": licence_id, "position": place, "name": holder.name, "code_type": holder.code_type,
        "code_sealed": vault.seal(holder.code, identifier), "code_hash": lookup.digest, "hash_key": lookup.key,
        "code_shown": masked(holder.code, holder.code_type),
    }  # fmt: skip
