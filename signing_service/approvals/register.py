"""The tables of cases, steps, signatures, document versions, numbers, clock changes and notices."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from signing_service.approvals.rules import CaseState, Step, StepState
from signing_service.kernel.database import Base, UtcDateTime

FORM, REPLY, GIVEN, COMMITMENT = "form", "reply", "given", "letter"
"""Kinds of document: internal form (审批表), outward approval (批复), a file that came with the case, and the letter of
commitment (承诺书) of a simulated approval."""


class ApprovalCase(Base):
    """One case (办件). `id` is random, since it opens things; `number` is printed.

    `document_mode`: "two" (form and reply), or "given" (one file for both). `content` is what the documents show.
    """

    __tablename__ = "approval_case"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    source: Mapped[str] = mapped_column(String(64))
    source_key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64), default="")
    matter: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str] = mapped_column(String(200))
    document_mode: Mapped[str] = mapped_column(String(8))
    state: Mapped[CaseState] = mapped_column(String(24), index=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    department: Mapped[str] = mapped_column(String(64), index=True)
    issuer_code: Mapped[str] = mapped_column(String(32))
    issuer_name: Mapped[str] = mapped_column(String(100))
    applicant_name: Mapped[str] = mapped_column(String(200))
    applicant_code: Mapped[str] = mapped_column(String(64))
    applicant_code_type: Mapped[str] = mapped_column(String(3))
    applicant_code_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    real_name_check: Mapped[str] = mapped_column(String(100), default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    document_number: Mapped[str | None] = mapped_column(String(64), unique=True)
    document_date: Mapped[date | None]
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seal_box: Mapped[dict[str, float] | None] = mapped_column(JSON)
    licence: Mapped[str] = mapped_column(String(160), default="")
    basis_case: Mapped[str] = mapped_column(String(32), default="")
    tentative_date: Mapped[date | None]
    complete_since: Mapped[date | None]
    formal_case: Mapped[str] = mapped_column(String(32), default="")
    lease_step: Mapped[int | None]
    lease_officer: Mapped[str] = mapped_column(String(128), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    steps: Mapped[list[RouteStep]] = relationship(order_by="RouteStep.stage, RouteStep.place", back_populates="case")
    versions: Mapped[list[DocumentVersion]] = relationship(order_by="DocumentVersion.id", back_populates="case")


class RouteStep(Base):
    """One step (环节). `box` is where its visible signature stands: page, x_mm, y_mm, width_mm, height_mm."""

    __tablename__ = "approval_step"
    __table_args__ = (UniqueConstraint("case_id", "stage", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), index=True)
    stage: Mapped[int]
    place: Mapped[int]
    title: Mapped[str] = mapped_column(String(60))
    department: Mapped[str] = mapped_column(String(64), index=True)
    department_name: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[str] = mapped_column(String(32))
    officer: Mapped[str] = mapped_column(String(128), default="")
    promised_days: Mapped[int]
    signs_again: Mapped[bool] = mapped_column(default=True)
    state: Mapped[StepState] = mapped_column(String(16), index=True)
    round: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delegate: Mapped[str] = mapped_column(String(128), default="")
    delegate_from: Mapped[date | None]
    delegate_until: Mapped[date | None]
    box: Mapped[dict[str, float] | None] = mapped_column(JSON)

    case: Mapped[ApprovalCase] = relationship(back_populates="steps")

    def as_rule(self) -> Step:
        return Step(
            self.id, self.stage, self.title, self.department, self.role, StepState(self.state), self.officer,
            self.delegate, self.delegate_from, self.delegate_until,
        )  # fmt: skip


class StepSignature(Base):
    """A completed signature. One for each step and round; withdrawn ones stay as evidence, in an earlier round."""

    __tablename__ = "approval_step_signature"
    __table_args__ = (UniqueConstraint("step_id", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("approval_step.id"), index=True)
    round: Mapped[int]
    version_id: Mapped[int] = mapped_column(ForeignKey("approval_document.id"))
    officer: Mapped[str] = mapped_column(String(128))
    certificate: Mapped[str] = mapped_column(String(64))
    as_delegate: Mapped[bool] = mapped_column(default=False)
    opinion: Mapped[str] = mapped_column(String(500), default="")
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DocumentVersion(Base):
    """One revision by digest. A changed text is a new `text`; each signature adds a `revision` to its text."""

    __tablename__ = "approval_document"
    __table_args__ = (UniqueConstraint("case_id", "kind", "text", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    text: Mapped[int]
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    signatures: Mapped[int] = mapped_column(default=0)
    withdrawn: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128))

    case: Mapped[ApprovalCase] = relationship(back_populates="versions")


class NumberSeries(Base):
    """The last number drawn of a series, such as 示政审 2026."""

    __tablename__ = "approval_number_series"

    series: Mapped[str] = mapped_column(String(64), primary_key=True)
    last: Mapped[int]


class ClockChange(Base):
    """What moves a case's deadline: a pause (特别程序) with its end, or an extension (延期) by working days."""

    __tablename__ = "approval_clock_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(300))
    legal_basis: Mapped[str] = mapped_column(String(300), default="")
    days: Mapped[int] = mapped_column(default=0)
    begun_on: Mapped[date]
    ended_on: Mapped[date | None]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[str] = mapped_column(String(128))


class MaterialNotice(Base):
    """A notice of what is missing (一次性告知). `repeated` marks a second one, which the rules do not want."""

    __tablename__ = "approval_material_notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), index=True)
    items: Mapped[list[str]] = mapped_column(JSON)
    repeated: Mapped[bool] = mapped_column(default=False)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    given_by: Mapped[str] = mapped_column(String(128))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def head(session: Session, case_id: str, kind: str) -> DocumentVersion | None:
    """The newest revision of the newest text of one kind, leaving out withdrawn ones."""
    query = select(DocumentVersion).where(
        DocumentVersion.case_id == case_id, DocumentVersion.kind == kind, DocumentVersion.withdrawn.is_(False)
    )
    return session.scalars(query.order_by(DocumentVersion.text.desc(), DocumentVersion.revision.desc())).first()
