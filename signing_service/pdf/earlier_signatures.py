"""Reading the signatures that are already in a file, with what they forbid (ISO 32000-2, 12.8.2 and 12.7.5.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from signing_service.pdf.form_fields import FormField, form_fields
from signing_service.pdf.objects import entry, number, raw_items, resolve, text
from signing_service.pdf.signing_limits import EarlierSignature, LockAction


def earlier_signatures(catalog: Any) -> list[EarlierSignature]:
    """Every filled signature field but document timestamps, which forbid nothing."""
    certifying = _digest(entry(entry(catalog, "/Perms"), "/DocMDP"))
    signed = [field for field in form_fields(catalog) if field.is_signed]
    ordinary = [field for field in signed if text(entry(field.value, "/Type")) != "/DocTimeStamp"]
    return [_read(field, certifying) for field in ordinary]


def _read(field: FormField, certifying: bytes | None) -> EarlierSignature:
    references = list(_references(field.value))
    permission, lock, names, certifies = None, None, frozenset[str](), False
    for method, parameters in references:
        if method == "/DocMDP":
            certifies, permission = True, int(number(entry(parameters, "/P"), 2))
        elif method == "/FieldMDP":
            lock = _action(entry(parameters, "/Action"))
            names = frozenset(text(resolve(item)) for item in raw_items(entry(parameters, "/Fields")))
            limit = entry(parameters, "/P") or entry(entry(field.dictionary, "/Lock"), "/P")
            permission = permission if limit is None else int(number(limit, 2))
    if certifying is not None and certifying == _digest(field.value):
        certifies, permission = True, permission or 2
    return EarlierSignature(field.name, certifies, permission, lock, names)


def _references(signature: Any) -> Iterator[tuple[str, Any]]:
    for item in raw_items(entry(signature, "/Reference")):
        reference = resolve(item)
        yield text(entry(reference, "/TransformMethod")), entry(reference, "/TransformParams")


def _action(value: Any) -> LockAction:
    """An unknown action is taken as the strictest."""
    actions: dict[str, LockAction] = {"/Include": "Include", "/Exclude": "Exclude"}
    return actions.get(text(value), "All")


def _digest(signature: Any) -> bytes | None:
    """What tells one signature dictionary from another: its contents."""
    contents = entry(signature, "/Contents")
    return getattr(contents, "original_bytes", None) or (bytes(contents) if isinstance(contents, bytes) else None)
