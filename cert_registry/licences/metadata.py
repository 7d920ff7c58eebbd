"""Metadata of a licence by GB/T 36903: the element names are its pinyin initials.

Where a holder is a person, the code is masked: files travel further than registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.holders import KINDS
from cert_registry.licences.register import Licence

_KEPT = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",%")


def elements(licence: Licence, kind: LicenceType) -> dict[str, Any]:
    """All elements that we hold; several holders are joined by ^ in the order of the register."""
    holders = licence.holders
    return {
        "ZZMC": kind.name.zh,
        "ZZLXMC": kind.name.zh,
        "ZZLXDM": kind.code,
        "ZZBH": licence.number,
        "ZZBS": licence.identifier,
        "ZZBBH": f"{licence.version:03}",
        "ZZDYJGMC": kind.definer.name,
        "ZZDYJGDM": kind.definer.code,
        "ZZBFJG": licence.issuer_name,
        "ZZBFJGDM": licence.issuer_code,
        "ZZBFRQ": licence.issued_on.isoformat(),
        "CZZT": "^".join(holder.name for holder in holders),
        "CZZTDM": "^".join(holder.code_shown for holder in holders),
        "CZZTDMLX": "^".join(KINDS[holder.code_type].zh for holder in holders),
        "CZZTDMLXDM": "^".join(holder.code_type for holder in holders),
        "ZZYXQQSRQ": licence.valid_from.isoformat(),
        "ZZYXQJZRQ": _or_endless(licence.valid_until),
        "GLSXMC": licence.matter_name,
        "GLSXDM": licence.matter_code,
        "GLZZBS": licence.replaces,
        "CJSJ": licence.prepared_at.isoformat(timespec="seconds"),
    }


def as_keywords(values: Mapping[str, Any]) -> list[str]:
    """NAME=VALUE pairs for the PDF's keywords; comma and percent sign in values are percent-encoded."""
    return [f"{name}={_guarded(str(value))}" for name, value in values.items() if value != ""]


def from_keywords(keywords: str) -> dict[str, str]:
    """The elements back from a PDF's keyword string."""
    pairs = (part.strip().partition("=") for part in keywords.split(","))
    return {name: unquote(value) for name, sign, value in pairs if sign and name.isalpha() and name.isupper()}


def _guarded(value: str) -> str:
    return "".join(sign if sign in _KEPT or ord(sign) > 0x7E else quote(sign, safe="") for sign in value)


def _or_endless(until: date | None) -> str:
    return "长期" if until is None else until.isoformat()
