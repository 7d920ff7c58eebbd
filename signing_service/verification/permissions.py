"""What a signature allows to happen after it (ISO 32000-2, 12.8.2 and 12.8.4: DocMDP, FieldMDP, field locks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.verification.change_kinds import Change, Kind
from signing_service.verification.document import Document
from signing_service.verification.fields import FormField, certification_level, form_fields, signature_dictionary, text
from signing_service.verification.syntax import Dictionary


@dataclass(frozen=True, slots=True)
class Lock:
    """Fields that may not change: action All, Include (those named) or Exclude (all but those named)."""

    action: str
    names: tuple[str, ...]

    def holds(self, name: str) -> bool:
        listed = not name or any(name == other or name.startswith(other + ".") for other in self.names)
        if self.action == "Include":
            return listed
        return not listed or not name if self.action == "Exclude" else True


@dataclass(frozen=True, slots=True)
class Permissions:
    """`level` is /P (1 nothing, 2 forms and signatures, 3 notes too), None when nobody certified or locked the
    document."""

    level: int | None
    locks: tuple[Lock, ...]

    def forbidden(self, changes: Sequence[Change], *, covered: bool) -> list[Change]:
        """Those changes that break this signature. `covered`: an intact later signature answers for them."""
        return [change for change in changes if not self._permits(change, covered)]

    def _permits(self, change: Change, covered: bool) -> bool:
        if change.kind is Kind.LONG_TERM:
            return True
        if change.kind is Kind.SIGNING:
            return self.level != 1
        if change.kind is Kind.FORM:
            named = self.level in (2, 3) or (self.level is None and bool(self.locks))
            return (named or (covered and self.level is None)) and not any(
                lock.holds(change.field) for lock in self.locks
            )
        return change.kind is Kind.ANNOTATION and self.level == 3


def permissions_of(document: Document, field: FormField, signature: Dictionary) -> Permissions:
    """From the signature's own references, its field's lock, and a certification that was there before it."""
    levels = [level for level in (_certified(document), own_level(document, field, signature)) if level is not None]
    lock = document.dictionary(field.dictionary.get("Lock"))
    locks = [*_reference_locks(document, signature), *([_lock(document, lock)] if lock.get("Action") else [])]
    return Permissions(min(levels) if levels else None, tuple(locks))


def own_level(document: Document, field: FormField, signature: Dictionary) -> int | None:
    """The strictest /P that the signature itself states: DocMDP, FieldMDP parameters, or its field's lock
    (12.7.5.5)."""
    stated = [
        document.resolve(document.dictionary(field.dictionary.get("Lock")).get("P")),
        certification_level(document, signature),
    ]
    for item in document.array(signature.get("Reference")):
        reference = document.dictionary(item)
        if reference.get("TransformMethod") == "FieldMDP":
            stated.append(document.resolve(document.dictionary(reference.get("TransformParams")).get("P")))
    levels = [level for level in stated if level in (1, 2, 3)]
    return min(levels) if levels else None


def _certified(document: Document) -> int | None:
    permissions = document.dictionary(document.catalog.get("Perms"))
    signature = document.resolve(permissions.get("DocMDP"))
    if isinstance(signature, Dictionary):
        return certification_level(document, signature) or 2
    levels = [
        level
        for field in form_fields(document)
        if (value := signature_dictionary(document, field)) is not None
        and (level := certification_level(document, value)) is not None
    ]
    return min(levels) if levels else None


def _reference_locks(document: Document, signature: Dictionary) -> list[Lock]:
    locks = []
    for item in document.array(signature.get("Reference")):
        reference = document.dictionary(item)
        if reference.get("TransformMethod") == "FieldMDP":
            locks.append(_lock(document, document.dictionary(reference.get("TransformParams"))))
    return locks


def _lock(document: Document, settings: Dictionary) -> Lock:
    names = tuple(text(document.resolve(item)) for item in document.array(settings.get("Fields")))
    return Lock(str(document.resolve(settings.get("Action")) or "All"), names)
