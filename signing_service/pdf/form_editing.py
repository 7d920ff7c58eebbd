"""Edits that a new signature makes to pages, form and catalog within one revision."""

from __future__ import annotations

from typing import Any

from pyhanko.pdf_utils import generic

from signing_service.pdf.objects import make_dictionary, make_number, raw_entry, raw_items, resolve
from signing_service.pdf.opening import OpenedPdf
from signing_service.pdf.page_tree import Page
from signing_service.pdf.revision import Revision

_SIGNATURES_EXIST_APPEND_ONLY = 3


def append_annotation(revision: Revision, opened: OpenedPdf, page: Page, widget: Any) -> None:
    """Into the page's own array: one that another page shares would show the signature there too."""
    dictionary = page.dictionary
    raw = raw_entry(dictionary, "/Annots")
    annotations = resolve(raw)
    if not isinstance(annotations, generic.ArrayObject):
        dictionary["/Annots"] = generic.ArrayObject([widget])
        revision.mark_update(page.reference)
    elif not isinstance(raw, generic.IndirectObject):
        annotations.append(widget)
        revision.mark_update(page.reference)
    elif _is_shared(opened, page, raw):
        dictionary["/Annots"] = generic.ArrayObject([*raw_items(annotations), widget])
        revision.mark_update(page.reference)
    else:
        annotations.append(widget)
        revision.mark_update(raw.reference)


def _is_shared(opened: OpenedPdf, page: Page, array: generic.IndirectObject) -> bool:
    others = (other for other in opened.pages if other.reference.idnum != page.reference.idnum)
    found = (raw_entry(other.dictionary, "/Annots") for other in others)
    return any(isinstance(raw, generic.IndirectObject) and raw.idnum == array.idnum for raw in found)


def append_field(revision: Revision, catalog: Any, field: Any) -> None:
    """Into the interactive form, which is made when missing."""
    form = mark_form(revision, catalog)
    raw = raw_entry(form, "/Fields")
    fields = resolve(raw)
    if not isinstance(fields, generic.ArrayObject):
        form["/Fields"] = generic.ArrayObject([field])
    else:
        fields.append(field)
        if isinstance(raw, generic.IndirectObject):
            revision.mark_update(raw.reference)


def mark_form(revision: Revision, catalog: Any) -> Any:
    """The interactive form with its signature flags set, made when missing, marked to be written."""
    raw = raw_entry(catalog, "/AcroForm")
    form = resolve(raw)
    if not isinstance(form, generic.DictionaryObject):
        form = raw = make_dictionary()
        catalog["/AcroForm"] = form
    form["/SigFlags"] = make_number(_SIGNATURES_EXIST_APPEND_ONLY)
    if isinstance(raw, generic.IndirectObject):
        revision.mark_update(raw.reference)
    else:
        revision.catalog_changed()
    return form


def mark_certified(revision: Revision, signature: Any) -> None:
    """The catalog names the one certifying signature (12.8.6)."""
    raw = raw_entry(revision.root, "/Perms")
    permissions = resolve(raw)
    if not isinstance(permissions, generic.DictionaryObject):
        permissions = raw = make_dictionary()
        revision.root["/Perms"] = permissions
    permissions["/DocMDP"] = signature
    if isinstance(raw, generic.IndirectObject):
        revision.mark_update(raw.reference)
    revision.catalog_changed()
