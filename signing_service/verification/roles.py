"""What an object is in its document: catalog, page, field, appearance, ... An object with a part to play that is not on
the list may not change after signing."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from signing_service.verification.document import Document
from signing_service.verification.fields import FormField, form_fields
from signing_service.verification.referrers import TRAILER, ReferenceIndex, references_in
from signing_service.verification.syntax import Dictionary, Ref, Stream


class Part(StrEnum):
    """The parts that may, under conditions, change in a later revision; `other` may not."""

    CATALOG = "catalog"
    INFO = "info"
    METADATA = "metadata"
    DSS = "dss"
    EXTENSIONS = "extensions"
    ACROFORM = "acroform"
    FIELD_LIST = "field list"
    FIELD = "field"
    VALUE = "field value"
    SIGNATURE = "signature"
    APPEARANCE = "appearance"
    PAGE = "page"
    ANNOTATIONS = "annotation list"
    ANNOTATION = "annotation"
    ANNOTATION_PART = "part of an annotation"
    STRUCTURE = "structure"
    DEFAULT_RESOURCES = "form resources"
    OTHER = "other"


class Role(NamedTuple):
    """A part, and for parts of a field the field's name."""

    part: Part
    name: str = ""


_CATALOG_PARTS = {
    "AcroForm": Part.ACROFORM,
    "Metadata": Part.METADATA,
    "DSS": Part.DSS,
    "Extensions": Part.EXTENSIONS,
    "StructTreeRoot": Part.STRUCTURE,
}
# Keys that point back or across: they give the object they name no part of its own.
_ACROSS = {
    "Parent",
    "P",
    "Pg",
    "Obj",
    "IRT",
    "Dest",
    "D",
    "SD",
    "Prev",
    "Next",
    "First",
    "Last",
    "OpenAction",
    "CO",
    "Popup",
}
_FORM_PARTS = {"Fields": Part.FIELD_LIST, "DR": Part.DEFAULT_RESOURCES}


class Roles:
    """The parts that the objects of one revision play, found from their referrers on demand."""

    def __init__(self, document: Document, index: ReferenceIndex) -> None:
        self.document, self._index = document, index
        self._memo: dict[int, frozenset[Role]] = {}

    @cached_property
    def fields(self) -> dict[int, FormField]:
        return {field.number: field for field in form_fields(self.document) if field.number is not None}

    def of(self, number: int) -> frozenset[Role]:
        """Every part that the object plays; empty when nothing refers to it."""
        if number not in self._memo:
            self._memo[number] = frozenset()
            self._memo[number] = frozenset(self._find(number))
        return self._memo[number]

    def _find(self, number: int) -> set[Role]:
        value = self.document.get(number)
        if number in self.fields:
            return {Role(Part.FIELD, self.fields[number].name)}
        root = self.document.trailer.get("Root")
        if isinstance(root, Ref) and root.number == number:
            return {Role(Part.CATALOG)}
        if isinstance(value, Dictionary) and value.get("Type") == "Page":
            return {Role(Part.PAGE)}
        found: set[Role] = set()
        for referrer in self._index.referrers(self.document, number):
            found |= self._given_by(referrer, number)
        if isinstance(value, Dictionary) and "Subtype" in value and Role(Part.ANNOTATION) in found:
            return {Role(Part.ANNOTATION)}
        return found

    def _given_by(self, referrer: int, number: int) -> set[Role]:
        holder = self.document.trailer if referrer == TRAILER else self.document.get(referrer)
        paths = [path for path, ref in references_in(holder) if ref.number == number]
        if referrer == TRAILER:
            dangling = self.document.get(number) is None
            return {
                Role(Part.INFO) if path == ("Info",) else Role(Part.OTHER)
                for path in paths
                if path == ("Info",) or not dangling
            }
        own = self.of(referrer)
        return {role for path in paths for parent in own if (role := self._step(parent, path, holder)) is not None}

    def _step(self, parent: Role, path: tuple[str, ...], holder: Any) -> Role | None:
        """The part given to what `path` leads to inside an object with the part `parent`; None: none."""
        keys = [key for key in path if key != "[]"]
        if parent.part is Part.CATALOG:
            return self._from_catalog(path, keys)
        if parent.part is Part.ACROFORM:
            return _from_form(path, keys)
        if parent.part in (Part.DSS, Part.EXTENSIONS, Part.METADATA, Part.DEFAULT_RESOURCES, Part.APPEARANCE):
            return parent
        if parent.part is Part.FIELD:
            return self._from_field(parent, path, keys)
        if keys and keys[-1] in _ACROSS and parent.part is not Part.OTHER:
            return None
        if parent.part is Part.STRUCTURE:
            return Role(Part.STRUCTURE)
        if parent.part is Part.FIELD_LIST:
            return Role(Part.FIELD, parent.name)
        if parent.part is Part.PAGE and keys == ["Annots"]:
            return Role(Part.ANNOTATION if path[-1] == "[]" else Part.ANNOTATIONS)
        if parent.part is Part.ANNOTATIONS:
            return Role(Part.ANNOTATION)
        if parent.part in (Part.ANNOTATION, Part.ANNOTATION_PART):
            return Role(Part.ANNOTATION_PART)
        if parent.part is Part.SIGNATURE:
            return None if keys and keys[-1] == "Data" else Role(Part.SIGNATURE, parent.name)
        return Role(Part.OTHER)

    def _from_catalog(self, path: tuple[str, ...], keys: list[str]) -> Role | None:
        if keys[:1] == ["AcroForm"] and len(keys) > 1:
            return _from_form(path[1:], keys[1:])
        if keys[:1] == ["Perms"] or keys[0] in _ACROSS:
            return None
        return Role(_CATALOG_PARTS.get(keys[0], Part.OTHER))

    def _from_field(self, parent: Role, path: tuple[str, ...], keys: list[str]) -> Role | None:
        if keys[0] in _ACROSS:
            return None
        if keys[0] == "Kids":
            return Role(Part.FIELD if path[-1] == "[]" else Part.FIELD_LIST, parent.name)
        if keys[0] == "AP":
            return Role(Part.APPEARANCE, parent.name)
        if keys[0] == "V":
            kinds = {field.kind for field in self.fields.values() if field.name == parent.name}
            return Role(Part.SIGNATURE if "Sig" in kinds else Part.VALUE, parent.name)
        return Role(Part.OTHER)


def _from_form(path: tuple[str, ...], keys: list[str]) -> Role | None:
    if keys[0] in _ACROSS:
        return None
    if keys == ["Fields"]:
        return Role(Part.FIELD if path[-1] == "[]" else Part.FIELD_LIST)
    return Role(_FORM_PARTS.get(keys[0], Part.OTHER))


def is_stream_of(value: Any, kind: str) -> bool:
    return isinstance(value, Stream) and value.dictionary.get("Type") == kind
