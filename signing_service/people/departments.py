"""The tables of departments: a body that exists from a day, under names that change on a day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, UtcDateTime


class Department(Base):
    """A body with seals and officers. `code` is its unified social credit code; `name` the one in force."""

    __tablename__ = "people_department"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[str] = mapped_column(String(18), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def exists_at(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class DepartmentName(Base):
    """What a department was called from an instant on; rows are only added."""

    __tablename__ = "people_department_name"

    id: Mapped[int] = mapped_column(primary_key=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("people_department.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    legal_basis: Mapped[str] = mapped_column(String(200), default="")


def name_at(session: Session, department_id: str, at: datetime) -> str:
    """The department's name at an instant; its first name for instants before that."""
    query = select(DepartmentName).where(DepartmentName.department_id == department_id)
    names = list(session.scalars(query.order_by(DepartmentName.valid_from, DepartmentName.id)))
    in_force = [row.name for row in names if row.valid_from <= at]
    return in_force[-1] if in_force else names[0].name
