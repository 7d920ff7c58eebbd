"""What an earlier signature forbids, as rules on values (ISO 32000-2, 12.8.2 and 12.7.5.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from signing_service.pdf.errors import EarlierSignatureWouldBreak

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
