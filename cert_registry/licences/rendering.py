"""A licence's PDF/A-2b from its type's layout: content, paper code and metadata, before the seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cert_registry.licences.catalogue import FRAME, LicenceType
from cert_registry.licences.holders import KINDS
from cert_registry.licences.metadata import as_keywords, elements
from cert_registry.licences.register import Licence
from signing_service.kernel.clock import in_words as moment_in_words
from signing_service.kernel.typesetting import typeset

PAPER_CODE = "code.svg"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What turns a licence into a purpose-bound copy: for whom, for what, until when (GB/T 36903: 加注件)."""

    copy_id: str
    recipient: str
    purpose: str
    until: datetime
    made_at: datetime
    creator: str

    def elements(self) -> dict[str, str]:
        return {
            "JZJBH": self.copy_id,
            "JZJZZSJ": self.made_at.isoformat(timespec="seconds"),
            "JZJZZZ": self.creator,
            "JZJSY": f"{self.recipient}:{self.purpose}",
            "JZJYXQJZSJ": self.until.isoformat(timespec="seconds"),
        }


def render(
    licence: Licence, kind: LicenceType, code_svg: bytes, verify_host: str, annotation: Annotation | None = None
) -> bytes:
    """The unsealed file. `code_svg`: the paper code; `verify_host`: the official address printed beside it.

    Raises kernel.typesetting.LayoutFailed, FontMissing.
    """
    data = sheet(licence, kind, verify_host, annotation)
    return typeset(kind.layout, data, files={FRAME: kind.frame, PAPER_CODE: code_svg})


def sheet(
    licence: Licence, kind: LicenceType, verify_host: str, annotation: Annotation | None = None
) -> dict[str, Any]:
    """What a layout is given; dates in words, holders' codes as they may be shown."""
    marks = annotation.elements() if annotation else {}
    return {
        "copy": None if annotation is None else _band(annotation),
        "type_name": kind.name.zh,
        "identifier": licence.identifier,
        "number": licence.number,
        "issuer_name": licence.issuer_name,
        "issued_on": in_words(licence.issued_on),
        "valid_from": in_words(licence.valid_from),
        "valid_until": None if licence.valid_until is None else in_words(licence.valid_until),
        "holders": [
            {"name": holder.name, "code_kind": KINDS[holder.code_type].zh, "code": holder.code_shown}
            for holder in licence.holders
        ],
        "fields": _labelled(licence, kind),
        "keywords": as_keywords({**elements(licence, kind), **marks}),
        "verify_host": verify_host,
    }


def in_words(day: date) -> str:
    """2026年11月24日"""
    return f"{day.year}年{day.month}月{day.day}日"


def _band(annotation: Annotation) -> dict[str, str]:
    return {
        "recipient": annotation.recipient,
        "purpose": annotation.purpose,
        "until": moment_in_words(annotation.until),
        "id": annotation.copy_id,
    }


def _labelled(licence: Licence, kind: LicenceType) -> Sequence[dict[str, Any]]:
    given = licence.fields
    return [
        {"name": field.name, "label": field.label.zh, "value": given[field.name]}
        for field in kind.fields
        if field.name in given
    ]
