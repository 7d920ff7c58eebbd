"""The form field that takes a signature: an existing empty one, or a new one on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic

from signing_service.pades.errors import FieldRefused
from signing_service.pdf.form_fields import FormField, form_fields
from signing_service.pdf.objects import entry, make_number, number, raw_items, resolve, text
from signing_service.pdf.opening import OpenedPdf

_FILTER, _SUBFILTER, _VERSION, _REASONS, _ADD_REVOCATION, _DIGEST = 1, 2, 4, 8, 32, 64
_HIDING_FLAGS = 2 | 32  # Hidden, NoView
_PRINT_FLAG = 4


def find_field(opened: OpenedPdf, name: str) -> FormField | None:
    """The empty signature field of this name; None when there is none yet. Raises FieldRefused."""
    found = next((field for field in form_fields(opened.catalog) if field.name == name), None)
    if found is None:
        if "." in name:
            raise FieldRefused(
                name, "名称含有“.”,而文件中没有该域。", "Its name has a period and the file has no such field."
            )
        if any(field.name.startswith(f"{name}.") for field in form_fields(opened.catalog)):
            raise FieldRefused(name, "该名称是一组表单域的名称。", "The name belongs to a group of fields.")
        return None
    if not found.is_signature:
        raise FieldRefused(name, "它不是签名域。", "It is not a signature field.")
    if found.is_signed:
        raise FieldRefused(name, "它已经签名。", "It is signed already.")
    if found.reference is None:
        raise FieldRefused(name, "它的结构不规范。", "Its structure is malformed.")
    return found


@dataclass(frozen=True, slots=True)
class Widget:
    """A field's annotation: its dictionary and, when it is a child of the field, its own reference."""

    dictionary: Any
    reference: generic.Reference | None

    @property
    def rectangle(self) -> list[float]:
        values = [number(resolve(item), 0.0) for item in raw_items(entry(self.dictionary, "/Rect"))]
        return values if len(values) == 4 else [0.0] * 4

    @property
    def is_visible(self) -> bool:
        x0, y0, x1, y1 = self.rectangle
        return abs(x1 - x0) >= 1 and abs(y1 - y0) >= 1

    def show(self) -> None:
        """Printed and shown (B33): Print set, Hidden and NoView cleared."""
        flags = int(number(entry(self.dictionary, "/F"), 0))
        self.dictionary["/F"] = make_number((flags | _PRINT_FLAG) & ~_HIDING_FLAGS)


def widget_of(field: FormField) -> Widget:
    """The field itself, or its one child without a name."""
    kids = list(raw_items(entry(field.dictionary, "/Kids")))
    if not kids:
        return Widget(field.dictionary, None)
    child = kids[0]
    if len(kids) > 1 or not isinstance(child, generic.IndirectObject):
        raise FieldRefused(field.name, "它有多个显示位置。", "It is shown in more than one place.")
    return Widget(resolve(child), child.reference)


def check_seed_value(field: FormField, digest: str) -> None:
    """Raises FieldRefused when the field's mandatory seed values (12.7.5.5, table 237) ask for what we do not make, or
    for another digest than `digest`."""
    seed = entry(field.dictionary, "/SV")
    required = int(number(entry(seed, "/Ff"), 0))
    kinds = [text(resolve(item)) for item in raw_items(entry(seed, "/SubFilter"))]
    digests = [text(resolve(item)).upper().replace("-", "") for item in raw_items(entry(seed, "/DigestMethod"))]
    handler = text(entry(seed, "/Filter"))
    unmet = (
        (required & _FILTER and handler not in ("", "/Adobe.PPKLite"))
        or (required & _SUBFILTER and kinds and "/ETSI.CAdES.detached" not in kinds)
        or (required & _DIGEST and digests and digest.upper() not in digests)
        or (required & _VERSION and number(entry(seed, "/V"), 0) > 3)
        or required & (_REASONS | _ADD_REVOCATION)
        or (int(number(entry(entry(seed, "/Cert"), "/Ff"), 0)) != 0)
    )
    if unmet:
        raise FieldRefused(
            field.name, "该域规定的签名方式不受支持。", "The field demands a kind of signature we do not make."
        )
