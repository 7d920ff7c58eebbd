"""Object by object from one revision to the next: every object that changed must play a part in which it may.

A white list (ISO 32000-2, 12.8.2.2): whatever is not known to be harmless is `Kind.OTHER`, which no signature permits.
"""

from __future__ import annotations

from typing import Any

from signing_service.verification.annotations import harmless_annotation, harmless_together, is_visible
from signing_service.verification.change_kinds import Change, Kind
from signing_service.verification.document import Document
from signing_service.verification.fields import FormField, certification_level, is_timestamp_field, signature_dictionary
from signing_service.verification.kept_values import contains, raised
from signing_service.verification.referrers import ReferenceIndex
from signing_service.verification.roles import Part, Role, Roles
from signing_service.verification.structure_tree import StructureGrowth, changed_keys
from signing_service.verification.syntax import Dictionary, Ref, Stream

_WIDGET_KEYS = {
    "Type",
    "Subtype",
    "Rect",
    "P",
    "AP",
    "AS",
    "F",
    "MK",
    "BS",
    "H",
    "A",
    "AA",
    "Border",
    "StructParent",
    "DA",
    "Q",
}
_FILLING_KEYS = {"V", "AP", "AS", "I", "TI", "M", "RV", "Ff", "DA", "MK"}
_SIGNING_KEYS = {"V", "AP", "AS", "M", "MK", "F", "DA", "DR", "Ff", "Type"}


class Comparison:
    """One comparison; `changes` gives its findings."""

    def __init__(self, old: Document, new: Document, index: ReferenceIndex) -> None:
        self.old, self.new = old, new
        self.before, self.after = Roles(old, index), Roles(new, index)
        self.index = index
        self.found: list[Change] = []

    def changes(self) -> list[Change]:
        for number in sorted(self._touched()):
            was, now = self.old.get(number), self.new.get(number)
            if not self._same(was, now):
                self._judge(number, was, now)
        return self.found

    def _touched(self) -> set[int]:
        """Objects whose entry changed, and those kept in an object stream that was itself exchanged."""
        found = {
            number
            for section in self.new.sections
            if section.offset >= self.old.end
            for number in section.entries
            if number and self.old.xref.get(number) != self.new.xref.get(number)
        }
        return found | {number for number, entry in self.new.xref.items() if entry.container in found}

    def _add(self, kind: Kind, detail: str, name: str = "") -> None:
        self.found.append(Change(kind, detail, name))

    def _same(self, was: Any, now: Any) -> bool:
        if isinstance(was, Stream) and isinstance(now, Stream):
            return was.dictionary == now.dictionary and self.old.file.raw(was) == self.old.file.raw(now)
        return type(was) is type(now) and bool(was == now)

    def _judge(self, number: int, was: Any, now: Any) -> None:
        roles = self.before.of(number)
        if now is None and was is not None and not self._still_used(number):
            return
        for role in sorted(roles):
            self._judge_part(role, number, was, now)

    def _still_used(self, number: int) -> bool:
        """Does anything in the new revision still refer to a freed object?"""
        return bool(self.index.referrers(self.new, number))

    def _judge_part(self, role: Role, number: int, was: Any, now: Any) -> None:
        part = role.part
        if part in (Part.INFO, Part.METADATA, Part.DSS):
            self._add(Kind.LONG_TERM, f"{part} updated")
        elif part is Part.EXTENSIONS:
            self._extensions(was, now)
        elif part is Part.DEFAULT_RESOURCES:
            self._resources(was, now)
        elif part is Part.STRUCTURE:
            self._structure(was, now)
        elif part is Part.CATALOG:
            self._catalog(was, now)
        elif part is Part.ACROFORM:
            self._form(_as_dictionary(was), _as_dictionary(now))
        elif part is Part.FIELD_LIST:
            self._field_list(was, now)
        elif part is Part.FIELD:
            self._field(number, role.name, was, now)
        elif part in (Part.VALUE, Part.APPEARANCE):
            self._field_part(role)
        elif part is Part.PAGE:
            self._page(was, now)
        elif part is Part.ANNOTATIONS:
            self._annotations(was, now)
        elif part is Part.ANNOTATION:
            self._changed_annotation(was, now)
        elif part is Part.ANNOTATION_PART:
            self._add(Kind.OTHER, "appearance of an annotation changed")
        else:
            self._add(Kind.OTHER, f"object {number} ({part}) changed")

    def _extensions(self, was: Any, now: Any) -> None:
        """Developer extensions (7.12) may be added and raised, never taken away or lowered."""
        kept = now is not None and raised(self.old, was, self.new, now)
        self._add(Kind.LONG_TERM if kept else Kind.OTHER, f"extensions {'extended' if kept else 'changed'}")

    def _resources(self, was: Any, now: Any) -> None:
        """Form resources may gain entries; forms kept there (/XObject) are drawn by nobody and may change."""
        kept = isinstance(now, Dictionary)
        for key, item in (was or {}).items():
            if key != "XObject":
                kept = kept and contains(self.new.resolve(now.get(key)), self.old.resolve(item))
        kind = Kind.LONG_TERM if not was else Kind.SIGNING
        self._add(kind if kept else Kind.OTHER, f"form resources {'extended' if kept else 'changed'}")

    def _structure(self, was: Any, now: Any) -> None:
        growth = StructureGrowth(self.old, self.new, self._annotation_gone)
        kept = growth.grown(was, now)
        kind = Kind.OTHER if not kept else Kind.ANNOTATION if growth.shrunk else Kind.SIGNING
        self._add(kind, f"structure {'extended' if kept else 'changed'}")

    def _annotation_gone(self, number: int) -> bool:
        """A note of the old revision that no page of the new one shows."""
        value = self.old.get(number)
        if not isinstance(value, Dictionary) or Role(Part.ANNOTATION) not in self.before.of(number):
            return False
        return harmless_annotation(self.old, value) and not self._still_shown(number)

    def _catalog(self, was: Any, now: Any) -> None:
        if not isinstance(now, Dictionary) or not isinstance(was, Dictionary):
            self._add(Kind.OTHER, "document catalog replaced")
            return
        for key in changed_keys(was, now):
            old, new = was.get(key), now.get(key)
            if key == "AcroForm":
                self._form(self.old.dictionary(old), self.new.dictionary(new))
            elif key in ("DSS", "Metadata", "Version") and new is not None:
                self._add(Kind.LONG_TERM, f"/{key} set")
            elif key == "Extensions":
                self._extensions(self.old.resolve(old), self.new.resolve(new))
            elif key == "Perms":
                self._permissions(self.old.dictionary(old), self.new.dictionary(new))
            else:
                self._add(Kind.OTHER, f"catalog entry /{key} {'removed' if new is None else 'changed'}")

    def _permissions(self, old: Dictionary, new: Dictionary) -> None:
        signed_before = any(signature_dictionary(self.old, field) is not None for field in self.before.fields.values())
        added = set(new) - set(old)
        fine = contains(new, old) and added <= {"DocMDP"} and not signed_before
        self._add(Kind.SIGNING if fine else Kind.OTHER, "document permissions changed")

    def _form(self, was: Dictionary, now: Dictionary) -> None:
        for key in changed_keys(was, now):
            old, new = was.get(key), now.get(key)
            if key == "Fields":
                self._field_list(self.old.resolve(old), self.new.resolve(new))
            elif key == "SigFlags" and new is not None:
                self._add(Kind.LONG_TERM, "signature flags set")
            elif key == "DR":
                self._resources(self.old.resolve(old), self.new.resolve(new))
            elif key in ("DA", "NeedAppearances"):
                self._add(Kind.LONG_TERM if old is None and key == "DA" else Kind.FORM, f"form default /{key} changed")
            else:
                self._add(Kind.OTHER, f"form entry /{key} changed")

    def _field_list(self, was: Any, now: Any) -> None:
        old, new = was if isinstance(was, list) else [], now if isinstance(now, list) else []
        for item in old:
            if item not in new:
                self._removed_kid(item)
        for item in new:
            if item not in old:
                self._new_field(item)

    def _removed_kid(self, item: Any) -> None:
        """A mere widget may go where annotations may; a field, or anything of a signature, may not."""
        field = self.before.fields.get(item.number) if isinstance(item, Ref) else None
        widget = (
            field is not None and "T" not in field.dictionary and "Parent" in field.dictionary and field.kind != "Sig"
        )
        widget = widget and not self._still_shown(item.number)
        self._add(
            Kind.ANNOTATION if widget else Kind.OTHER, "field no longer shown" if widget else "form field removed"
        )

    def _still_shown(self, number: int) -> bool:
        """Does a page of the new revision still list it among its annotations?"""
        return any(
            Role(Part.PAGE) in self.after.of(referrer) or Role(Part.ANNOTATIONS) in self.after.of(referrer)
            for referrer in self.index.referrers(self.new, number)
        )

    def _new_field(self, item: Any) -> None:
        number = item.number if isinstance(item, Ref) else 0
        if number in self.old.xref and not self.old.xref[number].free and self.old.get(number) is not None:
            self._add(Kind.OTHER, "an existing object was made a form field")
            return
        field = self.after.fields.get(number)
        if field is None or field.kind != "Sig":
            self._add(Kind.OTHER, "form field added")
            return
        self._new_signature_field(field)

    def _new_signature_field(self, field: FormField) -> None:
        value = signature_dictionary(self.new, field)
        if value is None:
            shown = is_visible(self.new, field.dictionary)
            self._add(Kind.OTHER if shown else Kind.SIGNING, "unsigned signature field added", field.name)
            return
        self._new_signature(field, value)

    def _new_signature(self, field: FormField, value: Dictionary) -> None:
        number = field.value_number
        if number is not None and number in self.old.xref and self.old.get(number) is not None:
            self._add(Kind.OTHER, "an earlier signature was hung on another field", field.name)
        elif value.get("SubFilter") == "ETSI.RFC3161" or value.get("Type") == "DocTimeStamp":
            self._add(Kind.LONG_TERM, "document timestamp added", field.name)
        elif certification_level(self.new, value) is not None and any(
            signature_dictionary(self.old, other) for other in self.before.fields.values()
        ):
            self._add(Kind.OTHER, "certified after other signatures", field.name)
        else:
            self._add(Kind.SIGNING, "signature added", field.name)

    def _field(self, number: int, name: str, was: Any, now: Any) -> None:
        field = self.before.fields.get(number)
        if not isinstance(now, Dictionary) or not isinstance(was, Dictionary) or field is None:
            self._add(Kind.OTHER, "form field replaced", name)
            return
        keys = changed_keys(was, now) - {"P", "StructParent"}
        appearance = was.get("AP")
        if (
            "AP" in keys
            and isinstance(appearance, Ref)
            and {role.part for role in self.before.of(appearance.number)} - {Part.APPEARANCE}
        ):
            self._add(Kind.OTHER, "an appearance that serves elsewhere too was replaced", name)
        if field.kind == "Sig":
            self._signature_field(field, keys, number, now)
            return
        gone = {key for key in keys if key not in now}
        if gone and gone <= _WIDGET_KEYS and "Subtype" in gone:
            self._add(Kind.ANNOTATION, "field no longer shown", name)
            keys -= gone
        if "Kids" in keys:
            self._field_list(self.old.resolve(was.get("Kids")), self.new.resolve(now.get("Kids")))
            keys -= {"Kids"}
        if not keys:
            return
        fine = keys <= _FILLING_KEYS and ("Ff" not in keys or _locked_only(was.get("Ff"), now.get("Ff")))
        fine = fine and not self._for_reading_only(was)
        self._add(Kind.FORM if fine else Kind.OTHER, f"field changed: {', '.join(sorted(keys))}", name)

    def _for_reading_only(self, field: Dictionary) -> bool:
        """A field that nobody can fill: read-only, and not calculated from others either (12.7.4.1)."""
        flags = self.old.resolve(field.get("Ff"))
        calculated = "C" in self.old.dictionary(field.get("AA"))
        return type(flags) is int and bool(flags & 1) and not calculated

    def _signature_field(self, field: FormField, keys: set[str], number: int, now: Dictionary) -> None:
        before = signature_dictionary(self.old, field)
        later = self.after.fields.get(number)
        value = signature_dictionary(self.new, later) if later is not None else None
        if "Kids" in keys:
            self._field_list(self.old.resolve(field.dictionary.get("Kids")), self.new.resolve(now.get("Kids")))
            keys = keys - {"Kids"}
        if not keys:
            return
        if before is None and value is not None and later is not None and keys <= _SIGNING_KEYS:
            self._new_signature(later, value)
        elif before is None and value is None and keys <= _FILLING_KEYS - {"V"} and not is_visible(self.new, now):
            self._add(Kind.FORM, "unsigned signature field changed", field.name)
        else:
            self._add(Kind.OTHER, f"signature field changed: {', '.join(sorted(keys))}", field.name)

    def _field_part(self, role: Role) -> None:
        fields = [field for field in self.before.fields.values() if field.name == role.name and field.kind == "Sig"]
        later = [field for field in self.after.fields.values() if field.name == role.name and field.kind == "Sig"]
        if any(signature_dictionary(self.old, field) is not None for field in fields):
            self._add(Kind.OTHER, f"{role.part} of a signature changed", role.name)
        elif any(signature_dictionary(self.new, field) is not None for field in later):
            self._add(Kind.SIGNING, f"{role.part} of the new signature", role.name)
        else:
            self._add(Kind.FORM, f"{role.part} changed", role.name)

    def _page(self, was: Any, now: Any) -> None:
        if not isinstance(now, Dictionary) or not isinstance(was, Dictionary):
            self._add(Kind.OTHER, "page removed or replaced")
            return
        for key in changed_keys(was, now) - {"LastModified", "StructParents"}:
            if key == "Annots":
                self._annotations(self.old.resolve(was.get(key)), self.new.resolve(now.get(key)))
            elif key == "Tabs":
                self._add(Kind.ANNOTATION, "tab order changed")
            else:
                self._add(Kind.OTHER, f"page entry /{key} changed")

    def _annotations(self, was: Any, now: Any) -> None:
        old, new = was if isinstance(was, list) else [], now if isinstance(now, list) else []
        if not isinstance(was, list | None) or not isinstance(now, list | None):
            self._add(Kind.OTHER, "what stands for a list of annotations was replaced")
        if [item for item in old if item in new] != [item for item in new if item in old]:
            self._add(Kind.OTHER, "annotations drawn in another order, or twice")
        for item in old:
            if item not in new:
                self._removed_annotation(item)
        added = [item for item in new if item not in old]
        for item in added:
            self._added_annotation(item)
        if not harmless_together(self.new, [self.new.dictionary(item) for item in added if not self._is_field(item)]):
            self._add(Kind.OTHER, "annotations that together can hide or replace content")

    def _is_field(self, item: Any) -> bool:
        return isinstance(item, Ref) and item.number in self.after.fields

    def _removed_annotation(self, item: Any) -> None:
        field = self.before.fields.get(item.number) if isinstance(item, Ref) else None
        signed = field is not None and signature_dictionary(self.old, field) is not None
        plain = field is not None or harmless_annotation(self.old, self.old.dictionary(item))
        self._add(
            Kind.ANNOTATION if plain and not signed else Kind.OTHER, "annotation removed", field.name if field else ""
        )

    def _changed_annotation(self, was: Any, now: Any) -> None:
        """Content of the page may not be turned into a note, nor a link lead elsewhere."""
        kept = isinstance(was, Dictionary) and harmless_annotation(self.old, was)
        kept = kept and not (was.get("Subtype") == "Link" and "A" in changed_keys(was, _as_dictionary(now)))
        self._annotation(now if kept else None, "annotation changed")

    def _added_annotation(self, item: Any) -> None:
        field = self.after.fields.get(item.number) if isinstance(item, Ref) else None
        known = self.before.fields.get(item.number) if field is not None else None
        if field is None:
            self._annotation(self.new.resolve(item), "annotation added")
        elif known is not None and signature_dictionary(self.old, known) is not None:
            self._add(Kind.OTHER, "a signature is shown in another place too", field.name)
        elif field.kind != "Sig" and item.number not in self.before.fields:
            self._add(Kind.OTHER, "widget added", field.name)
        elif (
            field.kind == "Sig"
            and signature_dictionary(self.new, field) is None
            and is_visible(self.new, field.dictionary)
        ):
            self._add(Kind.OTHER, "visible signature field without a signature added", field.name)
        else:
            self._add(
                Kind.SIGNING if not is_timestamp_field(self.new, field) else Kind.LONG_TERM,
                "signature widget placed",
                field.name,
            )

    def _annotation(self, now: Any, what: str) -> None:
        fine = isinstance(now, Dictionary) and harmless_annotation(self.new, now)
        self._add(Kind.ANNOTATION if fine else Kind.OTHER, what if fine else f"{what} that can hide or replace content")


def _locked_only(was: Any, now: Any) -> bool:
    return type(now) is int and (was if type(was) is int else 0) | 1 == now


def _as_dictionary(value: Any) -> Dictionary:
    return value if isinstance(value, Dictionary) else Dictionary()
