"""Sealing everything anew under the present data key, page by page: it may be stopped and run again at any time.

A row tells by its first bytes which key it is under, so a run takes up exactly what is left. A row that was changed
meanwhile is left as it is: whoever changed it used the present key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Update, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from cert_registry.licences.bulk import BulkRow
from cert_registry.licences.errors import HolderCodeUnreadable
from cert_registry.licences.holder_vault import PREFIX_BYTES, HolderVault
from cert_registry.licences.register import Licence, LicenceHolder
from signing_service.approvals.platform_tables import ApplicantContact
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.database import Database
from signing_service.people.notice_outbox import Notice

PAGE = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """`unreadable` rows could be opened with no key and were left."""

    done: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A column of sealed values: how to page through it, what a row is bound to, how to put a value back."""

    column: InstrumentedAttribute[Any]
    rows: Select[*tuple[Any, ...]]
    order: Sequence[InstrumentedAttribute[Any]]
    bound_to: Callable[[Any], str]

    def pending(self, prefix: bytes) -> Select[*tuple[Any, ...]]:
        return self.rows.where(
            func.length(self.column) > 0, func.substr(self.column, 1, PREFIX_BYTES) != prefix
        ).order_by(*self.order)

    def put(self, row: Any, new: bytes) -> Update:
        """Only where the value is still the one that was read."""
        keys = [column == value for column, value in zip(self.order, row[:-1], strict=False)]
        return update(self.column.class_).where(*keys, self.column == row[-1]).values({self.column: new})


_COLUMNS = (
    _Sealed(
        LicenceHolder.code_sealed,
        select(LicenceHolder.id, Licence.identifier, LicenceHolder.code_sealed).join(
            Licence, Licence.id == LicenceHolder.licence_id
        ),
        (LicenceHolder.id,),
        lambda row: str(row[1]),
    ),
    _Sealed(
        BulkRow.content,
        select(BulkRow.job_id, BulkRow.number, BulkRow.content),
        (BulkRow.job_id, BulkRow.number),
        lambda row: f"{row[0]}:{row[1]}",
    ),
    _Sealed(
        ApprovalCase.applicant_code_sealed,
        select(ApprovalCase.id, ApprovalCase.applicant_code_sealed),
        (ApprovalCase.id,),
        lambda row: str(row[0]),
    ),
    _Sealed(
        ApplicantContact.address_sealed,
        select(ApplicantContact.case_id, ApplicantContact.channel, ApplicantContact.address_sealed),
        (ApplicantContact.case_id, ApplicantContact.channel),
        lambda row: str(row[0]),
    ),
    *(
        _Sealed(column, select(Notice.id, Notice.bound_to, column), (Notice.id,), lambda row: str(row[1]))
        for column in (Notice.to_sealed, Notice.secret_sealed)
    ),
)


def pending(database: Database, vault: HolderVault) -> int:
    """How many rows are under an earlier key."""
    with database.read() as session:
        return sum(
            session.scalar(select(func.count()).select_from(one.pending(vault.prefix()).order_by(None).subquery())) or 0
            for one in _COLUMNS
        )


def re_encrypt(database: Database, vault: HolderVault, each: Callable[[int], None] = lambda done: None) -> Outcome:
    """`each` is told how many rows are done so far, after every page; a page is one transaction."""
    done = unreadable = 0
    for one in _COLUMNS:
        skip = 0
        while True:
            with database.write() as session:
                page = session.execute(one.pending(vault.prefix()).offset(skip).limit(PAGE)).all()
                for row in page:
                    try:
                        new = vault.seal(vault.open(row[-1], one.bound_to(row)), one.bound_to(row))
                    except HolderCodeUnreadable:
                        skip, unreadable = skip + 1, unreadable + 1
                        continue
                    session.execute(one.put(row, new))
                    done += 1
            if not page:
                break
            each(done)
    return Outcome(done, unreadable)
