"""Is a licence's content what its type asks for? Rules only; the answer names every wrong field at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from cert_registry.errors import Text
from cert_registry.licences.catalogue import Field, LicenceType
from cert_registry.licences.errors import FieldsInvalid
from cert_registry.licences.holders import Holder, checked

MOST_ITEMS = 200
MOST_HOLDERS = 100


def checked_fields(kind: LicenceType, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in normal form and in the type's order. Raises FieldsInvalid."""
    problems = {name: Text("该类型没有此项", "this type has no such field") for name in fields if not kind.field(name)}
    clean: dict[str, Any] = {}
    for field in kind.fields:
        value = fields.get(field.name)
        if value is None or value in ("", []):
            if field.required:
                problems[field.name] = Text("必填", "required")
            continue
        why = what_is_wrong(field, value)
        if why is not None:
            problems[field.name] = why
        clean[field.name] = value.strip() if isinstance(value, str) else value
    if problems:
        raise FieldsInvalid(problems)
    return clean


def known_fields(kind: LicenceType, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those entries that the type has; a case knows more than its licence says."""
    return {name: value for name, value in fields.items() if kind.field(name)}


def what_is_wrong(field: Field, value: Any) -> Text | None:
    """None when the value fits the field."""
    if field.kind == "list":
        return _wrong_list(field, value)
    if field.kind == "number":
        return None if _is_number(value) else Text("应为数字", "must be a number")
    if not isinstance(value, str):
        return Text("应为文字", "must be text")
    if len(value) > field.longest:
        return Text(f"超过 {field.longest} 字", f"longer than {field.longest} characters")
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in value):
        return Text("含有控制字符", "has control characters")
    if field.kind == "date" and not _is_date(value):
        return Text("应为 2026-11-24 这样的日期", "must be a date like 2026-11-24")
    if field.kind == "choice" and value not in field.choices:
        return Text(f"应为:{'、'.join(field.choices)}", f"must be one of: {', '.join(field.choices)}")
    return None


def checked_holders(kind: LicenceType, holders: Sequence[Holder]) -> list[Holder]:
    """The holders with normal codes. Raises FieldsInvalid (how many, of which category), HolderCodeInvalid."""
    most = MOST_HOLDERS if kind.several_holders else 1
    if not 1 <= len(holders) <= most:
        raise FieldsInvalid({"holders": Text(f"应有 1 至 {most} 个持证主体", f"needs 1 to {most} holders")})
    for holder in holders:
        if kind.holder_category == "organisation" and not holder.is_organisation:
            raise FieldsInvalid({"holders": Text("持证主体应为法人", "the holder must be an organisation")})
        if kind.holder_category == "person" and holder.is_organisation:
            raise FieldsInvalid({"holders": Text("持证主体应为自然人", "the holder must be a person")})
    return [checked(holder) for holder in holders]


def _wrong_list(field: Field, value: Any) -> Text | None:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        return Text(f"应为不超过 {MOST_ITEMS} 项的列表", f"must be a list of at most {MOST_ITEMS} entries")
    if not all(isinstance(item, str) and len(item) <= field.longest for item in value):
        return Text("列表各项应为文字", "every entry must be text")
    return None


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
