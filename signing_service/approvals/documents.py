"""The two documents of a case: the internal form (审批表) and the outward approval (批复), from data, as PDF/A-2b.

Each comes with its areas: where the steps' signatures and the seal are to stand, in mm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from signing_service.approvals.areas import Area, find_areas
from signing_service.approvals.deadlines import date_in_words
from signing_service.kernel.clock import in_words
from signing_service.kernel.typesetting import typeset

LAYOUTS = Path(__file__).parent / "layouts"
SEAL_MM = 42.0
CODE_KINDS = {"001": "统一社会信用代码", "099": "证件号码", "111": "公民身份号码"}


@dataclass(frozen=True, slots=True)
class FormStep:
    """A row of the form. `name` names its area: "step-" + name."""

    name: str
    title: str
    department_name: str
    promised_days: int


@dataclass(frozen=True, slots=True)
class FormContent:
    """What the internal form shows. `applicant_code` in the form in which it may be shown; `details`: label, value."""

    form_title: str
    case_number: str
    matter_name: str
    title: str
    department_name: str
    issuer_name: str
    applicant_name: str
    applicant_code: str
    applicant_code_type: str
    received_at: datetime
    accepted_at: datetime | None
    statutory_due: str
    promised_due: str
    legal_basis: str
    steps: Sequence[FormStep]
    details: Sequence[tuple[str, str]] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class ReplyContent:
    """What the outward approval shows. `form_digest` binds it to the internal form; `code_svg` is its paper code."""

    issuer_name: str
    document_number: str
    document_date: date
    title: str
    addressee: str
    opening: str
    paragraphs: Sequence[str]
    case_number: str
    form_digest: str
    conditions: Sequence[str] = ()
    simulated: bool = False
    seal_mm: float = SEAL_MM
    code_svg: bytes = field(default=b"", repr=False)
    code_mm: float = 34.0
    short_code: str = ""
    verify_host: str = ""


@dataclass(frozen=True, slots=True)
class TypesetDocument:
    """`areas`: "step-NAME" for each step of a form, "seal" on a reply."""

    pdf: bytes
    areas: Mapping[str, Area]


def typeset_form(content: FormContent) -> TypesetDocument:
    """The internal form, with a blank signature box for each step. Raises LayoutFailed, FontMissing."""
    accepted = content.accepted_at
    data = {
        "form_title": content.form_title, "case_number": content.case_number, "matter_name": content.matter_name,
        "title": content.title, "department_name": content.department_name, "issuer_name": content.issuer_name,
        "applicant_name": content.applicant_name, "applicant_code": content.applicant_code,
        "applicant_code_kind": CODE_KINDS.get(content.applicant_code_type, "证件号码"),
        "received_on": in_words(content.received_at), "accepted_on": in_words(accepted) if accepted else "—",
        "statutory_due": content.statutory_due, "promised_due": content.promised_due,
        "legal_basis": content.legal_basis, "simulated": content.simulated, "details": list(content.details),
        "keywords": [content.case_number, content.matter_name],
        "steps": [
            {"name": s.name, "title": s.title, "department_name": s.department_name, "promised_days": s.promised_days}
            for s in content.steps
        ],
    }  # fmt: skip
    return _typeset("form.typ", data, {})


def typeset_reply(content: ReplyContent) -> TypesetDocument:
    """The outward approval; the area "seal" lies over name and date. Raises LayoutFailed, FontMissing."""
    data = {
        "issuer_name": content.issuer_name, "document_number": content.document_number,
        "document_date": date_in_words(content.document_date), "title": content.title,
        "addressee": content.addressee, "opening": content.opening, "paragraphs": list(content.paragraphs),
        "conditions": list(content.conditions), "case_number": content.case_number,
        "form_digest": content.form_digest, "simulated": content.simulated, "seal_mm": content.seal_mm,
        "has_code": bool(content.code_svg), "code_mm": content.code_mm,
        "short_code": content.short_code, "verify_host": content.verify_host,
        "keywords": [content.document_number, content.case_number],
    }  # fmt: skip
    return _typeset("reply.typ", data, {"code.svg": content.code_svg} if content.code_svg else {})


def _typeset(layout: str, data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> TypesetDocument:
    main, frame = _layout(layout), _layout("frame.typ").encode()
    files = {"frame.typ": frame, **pictures}
    return TypesetDocument(typeset(main, data, files=files), find_areas({"main": main.encode(), **files}, data))


@cache
def _layout(name: str) -> str:
    return (LAYOUTS / name).read_text(encoding="utf-8")
