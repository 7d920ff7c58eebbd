"""The interactive form's fields with their full names (ISO 32000-2, 12.7.4), loops left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic

from signing_service.pdf.objects import entry, raw_items, resolve, text


@dataclass(frozen=True, slots=True)
class FormField:
    """A terminal field. `reference` is None when its dictionary stands directly in an array."""

    name: str
    reference: generic.Reference | None
    dictionary: Any
    kind: str

    @property
    def value(self) -> Any:
        return entry(self.dictionary, "/V")

    @property
    def is_signature(self) -> bool:
        return self.kind == "/Sig"

    @property
    def is_signed(self) -> bool:
        return self.is_signature and isinstance(self.value, generic.DictionaryObject)


def form_fields(catalog: Any) -> Iterator[FormField]:
    """All terminal fields; a child without /T is a widget of its parent, not a field."""
    seen: set[int] = set()
    stack = [(item, "", "") for item in reversed(list(raw_items(entry(entry(catalog, "/AcroForm"), "/Fields"))))]
    while stack:
        item, above, inherited_kind = stack.pop()
        reference = item.reference if isinstance(item, generic.IndirectObject) else None
        if reference is not None:
            if reference.idnum in seen:
                continue
            seen.add(reference.idnum)
        dictionary = resolve(item)
        if not isinstance(dictionary, generic.DictionaryObject):
            continue
        name = ".".join(part for part in (above, text(entry(dictionary, "/T"))) if part)
        kind = text(entry(dictionary, "/FT")) or inherited_kind
        kids = [kid for kid in raw_items(entry(dictionary, "/Kids")) if entry(resolve(kid), "/T") is not None]
        if kids:
            stack.extend((kid, name, kind) for kid in reversed(kids))
        else:
            yield FormField(name, reference, dictionary, kind)
