"""What an object is in its document: catalog, page, field, appearance, ... An object with a part to play that is not on
the list may not change after signing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from signing_service.verification.document import Document
from signing_service.verification.fields import FormField, form_fields
from signing_service.verification.referrers import TRAILER, ReferenceIndex, references_in
from signing_service.verification.syntax import Dictionary, Ref


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
    TRAILER = "trailer"
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
_ACROSS = {"Parent", "P", "Pg", "Obj", "IRT", "Popup"}
# Dictionaries in which every key is a name that content chooses: what is reached as one of them is drawn.
_NAMED = {
    "Resources",
    "XObject",
    "Font",
    "ExtGState",
    "Pattern",
    "Shading",
    "ColorSpace",
    "Properties",
    "CharProcs",
    "Contents",
    "AP",
    "N",
    "R",
}
_FORM_PARTS = {"Fields": Part.FIELD_LIST, "DR": Part.DEFAULT_RESOURCES}


class Roles:
    """The parts that the objects of one revision play, found from their referrers on demand."""

    def __init__(self, document: Document, index: ReferenceIndex) -> None:
        self.document, self._index = document, index
        self._memo: dict[int, frozenset[Role]] = {}
        self._paths: dict[int, dict[int, list[tuple[str, ...]]]] = {}

    @cached_property
    def fields(self) -> dict[int, FormField]:
        return {field.number: field for field in form_fields(self.document) if field.number is not None}

    def of(self, number: int) -> frozenset[Role]:
        """Every part that the object plays; empty when nothing that plays one refers to it."""
        if number not in self._memo:
            self._settle(number)
        return self._memo[number]

    def _settle(self, number: int) -> None:
        """Parts flow down references. All that lead to the object are looked at together, since they may form rings:
        an answer from the middle of a ring would lack what enters it elsewhere."""
        below, found = self._above(number)
        if number not in found:
            return
        changed = deque(upper for upper in below if upper in self._memo or found.get(upper))
        while changed:
            upper = changed.popleft()
            for lower in below.get(upper, ()):
                more = self._given_by(upper, lower, self._memo.get(upper) or found.get(upper, set())) - found[lower]
                if more:
                    found[lower] |= more
                    changed.append(lower)
        for lower, roles in found.items():
            self._memo[lower] = self._joined(lower, roles)

    def _above(self, number: int) -> tuple[dict[int, list[int]], dict[int, set[Role]]]:
        """(who refers to whom, what each is by itself) for everything from which references lead to the object."""
        below: dict[int, list[int]] = {}
        found: dict[int, set[Role]] = {}
        pending = [number]
        while pending:
            lower = pending.pop()
            if lower in found or lower in self._memo:
                continue
            own = self._by_itself(lower)
            if own is not None:
                self._memo[lower] = frozenset({own, Role(Part.OTHER)} if self._drawn_by_name(lower) else {own})
                continue
            found[lower] = set()
            for upper in self._index.referrers(self.document, lower):
                below.setdefault(upper, []).append(lower)
                if upper != TRAILER:
                    pending.append(upper)
        if TRAILER in below:
            self._memo[TRAILER] = frozenset({Role(Part.TRAILER)})
        return below, found

    def _by_itself(self, number: int) -> Role | None:
        """The part of a field, the catalog and a page, whoever refers to it."""
        if number in self.fields:
            return Role(Part.FIELD, self.fields[number].name)
        root = self.document.trailer.get("Root")
        if isinstance(root, Ref) and root.number == number:
            return Role(Part.CATALOG)
        value = self.document.get(number)
        return Role(Part.PAGE) if isinstance(value, Dictionary) and value.get("Type") == "Page" else None

    def _drawn_by_name(self, number: int) -> bool:
        """Does anything refer to it as to a list of named drawings?"""
        uppers = self._index.referrers(self.document, number) - {TRAILER}
        paths = [path for upper in uppers for path in self._paths_from(upper).get(number, [("Contents",)])]
        return any(_last_key(path) in _NAMED for path in paths)

    def _joined(self, number: int, roles: set[Role]) -> frozenset[Role]:
        value = self.document.get(number)
        if isinstance(value, Dictionary) and "Subtype" in value and Role(Part.ANNOTATION) in roles:
            return frozenset({Role(Part.ANNOTATION)} | ({Role(Part.OTHER)} & roles))
        return frozenset(roles)

    def _given_by(self, upper: int, lower: int, roles: Iterable[Role]) -> set[Role]:
        """The parts that one object's references give to another."""
        if not roles:
            return set()
        paths = self._paths_from(upper).get(lower)
        if upper == TRAILER and paths and self.document.get(lower) is None:
            paths = [path for path in paths if path == ("Info",)]  # writers copy trailers with what they no longer have
        elif not paths:  # the bytes refer to it where this reader sees nothing: another reader may
            return {Role(Part.OTHER)}
        given = {self._step(parent, path) for path in paths for parent in roles}
        return {role for role in given if role is not None}

    def _paths_from(self, upper: int) -> dict[int, list[tuple[str, ...]]]:
        """Object numbers that one object refers to, with the keys that lead there."""
        if upper not in self._paths:
            found: dict[int, list[tuple[str, ...]]] = {}
            for path, ref in references_in(self.document.trailer if upper == TRAILER else self.document.get(upper)):
                found.setdefault(ref.number, []).append(path)
            self._paths[upper] = found
        return self._paths[upper]

    def _step(self, parent: Role, path: tuple[str, ...]) -> Role | None:
        """The part given to what `path` leads to inside an object with the part `parent`; None: none."""
        keys = [key for key in path if key != "[]"]
        if parent.part is Part.TRAILER:
            return Role(Part.INFO if path == ("Info",) else Part.OTHER)
        if parent.part is Part.CATALOG:
            return self._from_catalog(path, keys)
        if parent.part is Part.ACROFORM:
            return _from_form(path, keys)
        if parent.part in (Part.DSS, Part.EXTENSIONS, Part.METADATA, Part.DEFAULT_RESOURCES, Part.APPEARANCE):
            return parent
        if parent.part is Part.FIELD:
            return self._from_field(parent, path, keys)
        if keys and keys[-1] in _ACROSS and parent.part is not Part.OTHER and not _NAMED & set(keys[:-1]):
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


def _last_key(path: tuple[str, ...]) -> str:
    return next((key for key in reversed(path) if key != "[]"), "")


def _from_form(path: tuple[str, ...], keys: list[str]) -> Role | None:
    if keys[0] in _ACROSS:
        return None
    if keys == ["Fields"]:
        return Role(Part.FIELD if path[-1] == "[]" else Part.FIELD_LIST)
    return Role(_FORM_PARTS.get(keys[0], Part.OTHER))
