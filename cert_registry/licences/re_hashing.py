"""Hashing every code anew under the present look-up key, page by page: it may be stopped and run again at any time.

Each row tells the number of its key, so a run takes up exactly what is left. A search asks under the earlier keys too,
so that nothing is lost meanwhile. Holders of merged certificates are kept as hashes alone: their code is that of a
holder of the licence that took them in.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from cert_registry.licences.errors import HolderCodeUnreadable
from cert_registry.licences.holder_vault import HolderVault
from cert_registry.licences.merging import AbsorbedCertificate
from cert_registry.licences.re_encryption import Outcome
from cert_registry.licences.register import Licence, LicenceHolder
from signing_service.kernel.database import Database

PAGE = 500


def pending(database: Database, vault: HolderVault) -> int:
    """How many rows are under an earlier look-up key."""
    key = vault.lookup_key()
    with database.read() as session:
        return sum(
            session.scalar(select(func.count()).select_from(table).where(table.hash_key != key)) or 0
            for table in (LicenceHolder, AbsorbedCertificate)
        )


def re_hash(database: Database, vault: HolderVault, each: Callable[[int], None] = lambda done: None) -> Outcome:
    """`each` is told how many rows are done so far, after every page; a page is one transaction."""
    done = unreadable = 0
    for page in (_holders, _absorbed):
        skip = 0
        while True:
            with database.write() as session:
                hashed, left = page(session, vault, skip)
            if not hashed + left:
                break
            done, unreadable, skip = done + hashed, unreadable + left, skip + left
            each(done)
    return Outcome(done, unreadable)


def _holders(session: Session, vault: HolderVault, skip: int) -> tuple[int, int]:
    """A page of licences' holders: how many were hashed, and how many no key opens."""
    query = (
        select(LicenceHolder.id, LicenceHolder.code_hash, LicenceHolder.code_type, LicenceHolder.code_sealed)
        .add_columns(Licence.identifier)
        .join(Licence, Licence.id == LicenceHolder.licence_id)
        .where(LicenceHolder.hash_key != vault.lookup_key())
        .order_by(LicenceHolder.id)
    )
    hashed = left = 0
    for row_id, before, code_type, sealed, identifier in session.execute(query.offset(skip).limit(PAGE)).all():
        try:
            new = vault.lookup(vault.open(sealed, identifier), code_type)
        except HolderCodeUnreadable:
            left += 1
            continue
        same = LicenceHolder.id == row_id, LicenceHolder.code_hash == before
        session.execute(update(LicenceHolder).where(*same).values(code_hash=new.digest, hash_key=new.key))
        hashed += 1
    return hashed, left


def _absorbed(session: Session, vault: HolderVault, skip: int) -> tuple[int, int]:
    """A page of merged types; a holder whom no licence's code tells is left."""
    query = (
        select(AbsorbedCertificate)
        .where(AbsorbedCertificate.hash_key != vault.lookup_key())
        .order_by(AbsorbedCertificate.code_hash, AbsorbedCertificate.type_code)
    )
    hashed = left = 0
    for row in session.scalars(query.offset(skip).limit(PAGE)).all():
        new = _found_again(session, vault, row)
        if new is None:
            left += 1
            continue
        session.merge(AbsorbedCertificate(code_hash=new[1], type_code=row.type_code, by=row.by, hash_key=new[0]))
        old = AbsorbedCertificate.code_hash == row.code_hash, AbsorbedCertificate.type_code == row.type_code
        if new[1] != row.code_hash:
            session.execute(delete(AbsorbedCertificate).where(*old))
        hashed += 1
    return hashed, left


def _found_again(session: Session, vault: HolderVault, row: AbsorbedCertificate) -> tuple[int, str] | None:
    """The present look-up of the code whose earlier hash the row keeps."""
    holders = session.execute(
        select(LicenceHolder.code_sealed, LicenceHolder.code_type)
        .join(Licence, Licence.id == LicenceHolder.licence_id)
        .where(Licence.identifier == row.by)
    )
    for sealed, code_type in holders.all():
        try:
            code = vault.open(sealed, row.by)
        except HolderCodeUnreadable:
            continue
        if row.code_hash in vault.lookups(code, code_type):
            return vault.lookup(code, code_type)
    return None
