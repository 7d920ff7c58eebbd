"""The form fields of one revision (ISO 32000-2, 12.7): which signatures it shows, and what their fields lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.errors import ResourceLimit
from signing_service.verification.syntax import Dictionary, HexString, Ref


@dataclass(frozen=True, slots=True)
class FormField:
    """One terminal or parent field; `number` is its object number when it is an indirect object."""

    name: str
    kind: str | None
    dictionary: Dictionary
    number: int | None
    value: Any

    @property
    def value_number(self) -> int | None:
        return self.value.number if isinstance(self.value, Ref) else None


def text(value: Any) -> str:
    """A text string (7.9.2.2): UTF-16 or UTF-8 with a mark, else Latin-1 for PDFDocEncoding."""
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else ""
    if value.startswith((b"\xfe\xff", b"\xff\xfe")):
        return value.decode("utf-16", "replace")
    if value.startswith(b"\xef\xbb\xbf"):
        return value[3:].decode("utf-8", "replace")
    return value.decode("latin-1")


def form_fields(document: Document) -> list[FormField]:
    """Every field below /AcroForm /Fields, parents included, each with its full name. Bounded; loops are cut."""
    if document.form is None:
        document.form = _walk(document)
    found: list[FormField] = document.form
    return found


def _walk(document: Document) -> list[FormField]:
    roots = document.array(document.dictionary(document.catalog.get("AcroForm")).get("Fields"))
    limit = document.file.spending.limits.fields
    pending: list[tuple[Any, str, str | None, Any]] = [(root, "", None, None) for root in reversed(roots)]
    seen: set[int] = set()
    found: list[FormField] = []
    while pending:
        node, prefix, kind, value = pending.pop()
        number = node.number if isinstance(node, Ref) else None
        dictionary = document.resolve(node)
        if not isinstance(dictionary, Dictionary) or number in seen:
            continue
        if number is not None:
            seen.add(number)
        field = _field(document, dictionary, number, prefix, kind, value)
        found.append(field)
        if len(found) + len(pending) > limit:
            raise ResourceLimit("form fields")
        for kid in reversed(document.array(dictionary.get("Kids"))):
            pending.append((kid, field.name, field.kind, field.value))
    return found


def _field(
    document: Document, dictionary: Dictionary, number: int | None, prefix: str, kind: str | None, value: Any
) -> FormField:
    partial = document.resolve(dictionary.get("T"))
    name = prefix if partial is None else f"{prefix}.{text(partial)}" if prefix else text(partial)
    own = document.resolve(dictionary.get("FT"))
    return FormField(name, str(own) if isinstance(own, str) else kind, dictionary, number, dictionary.get("V", value))


def signature_dictionary(document: Document, field: FormField) -> Dictionary | None:
    """The signature dictionary of a signature field that is filled, else None. Not a dictionary at all: an empty
    one."""
    if field.kind != "Sig" or field.value is None:
        return None
    value = document.resolve(field.value)
    if isinstance(value, Dictionary):
        return value
    return None if value is None and not isinstance(field.value, Ref) else Dictionary()


def signed_fields(document: Document) -> list[tuple[FormField, Dictionary]]:
    """Filled signature fields, each signature dictionary once (a parent and its widget kid share one)."""
    found: list[tuple[FormField, Dictionary]] = []
    seen: set[int] = set()
    for field in form_fields(document):
        dictionary = signature_dictionary(document, field)
        if dictionary is not None and id(dictionary) not in seen:
            seen.add(id(dictionary))
            found.append((field, dictionary))
    if len(found) > document.file.spending.limits.signatures:
        raise ResourceLimit("signatures")
    return found


def hole_of(dictionary: Dictionary) -> tuple[int, int] | None:
    """File offsets of the /Contents string as the reader saw it: of `<` and behind `>`."""
    contents = dictionary.get("Contents")
    return (contents.start, contents.end) if isinstance(contents, HexString) else None


def certification_level(document: Document, signature: Dictionary) -> int | None:
    """/P of a DocMDP transform on this signature (12.8.2.2); its default 2; None when it does not certify."""
    for item in document.array(signature.get("Reference")):
        reference = document.dictionary(item)
        if reference.get("TransformMethod") == "DocMDP":
            level = document.resolve(document.dictionary(reference.get("TransformParams")).get("P", 2))
            return level if level in (1, 2, 3) else 1
    return None


def is_timestamp_field(document: Document, field: FormField) -> bool:
    value = signature_dictionary(document, field) or Dictionary()
    return bool(value.get("SubFilter") == "ETSI.RFC3161")
