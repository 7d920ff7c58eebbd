"""What the signatures that are already in a file forbid (ISO 32000-2, 12.8.2 and 12.7.5.5), decided before writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from signing_service.pdf.errors import EarlierSignatureWouldBreak
from signing_service.pdf.form_fields import FormField, form_fields
from signing_service.pdf.objects import entry, number, raw_items, resolve, text

LockAction = Literal["All", "Include", "Exclude"]


@dataclass(frozen=True, slots=True)
class EarlierSignature:
    """A signature and its limits. `permission` is DocMDP's P (1 no change, 2 forms and signing, 3 annotations too)."""

    field: str
    certifies: bool
    permission: int | None
    lock: LockAction | None
    locked_fields: frozenset[str]

    def locks(self, field: str) -> bool:
        """FieldMDP: whether the field of this name may no longer change."""
        named = any(field == name or field.startswith(f"{name}.") for name in self.locked_fields)
        return self.lock == "All" or (self.lock == "Include" and named) or (self.lock == "Exclude" and not named)


def earlier_signatures(catalog: Any) -> list[EarlierSignature]:
    """Every filled signature field but document timestamps, which forbid nothing."""
    certifying = _digest(entry(entry(catalog, "/Perms"), "/DocMDP"))
    signed = [field for field in form_fields(catalog) if field.is_signed]
    ordinary = [field for field in signed if text(entry(field.value, "/Type")) != "/DocTimeStamp"]
    return [_read(field, certifying) for field in ordinary]


def refuse_breaking(earlier: Collection[EarlierSignature], field: str, *, certify: bool) -> None:
    """Raises EarlierSignatureWouldBreak when one more signature in `field` would invalidate one that is there."""
    for signature in earlier:
        if certify:
            raise EarlierSignatureWouldBreak(
                signature.field, "认证签名必须是第一个签名。", "A certifying signature has to be the first one."
            )
        if signature.permission == 1:
            raise EarlierSignatureWouldBreak(
                signature.field,
                "它声明此后不允许任何更改(P=1)。",
                "It declares that nothing may change after it (P=1).",
            )
        if signature.locks(field):
            raise EarlierSignatureWouldBreak(
                signature.field,
                "它锁定了表单域,包括新增的签名域。",
                "It locks the form fields, new signature fields included.",
            )


def last_signer_conflict(permissions: Iterable[int | None]) -> int | None:
    """B21: given each planned signature's P in order, the index of one that forbids those planned after it."""
    planned = list(permissions)
    return next((index for index, permission in enumerate(planned[:-1]) if permission == 1), None)


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
