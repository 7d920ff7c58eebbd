"""The document security store (ISO 32000-2, 12.8.4.3): validation material added in a revision of its own."""

from __future__ import annotations

import zlib
from typing import Any

from pyhanko.pdf_utils import generic

from signing_service.pades.drawing import stream
from signing_service.pades.ports import Evidence
from signing_service.pdf.objects import entry, make_dictionary, raw_entry, raw_items, resolve
from signing_service.pdf.opening import open_pdf, reading
from signing_service.pdf.revision import Revision


def security_store(pdf: bytes, evidence: Evidence) -> bytes:
    """The update that puts the material into the DSS; what is there already is not added again.

    A lock or P=1 permits this revision (12.8.2.2).
    """
    opened = open_pdf(pdf)
    with reading():
        revision = Revision(opened)
        store, holder = _store(revision)
        parts = (("/Certs", evidence.certificates), ("/OCSPs", evidence.ocsp_responses), ("/CRLs", evidence.crls))
        for key, items in parts:
            present = [_data(item) for item in raw_items(entry(store, key))]
            added = [_add_stream(revision, item) for item in items if item not in present]
            if added:
                store[key] = generic.ArrayObject([*raw_items(entry(store, key)), *added])
        if isinstance(holder, generic.IndirectObject):
            revision.mark_update(holder.reference)
        else:
            revision.catalog_changed()
        return revision.finished()


def _store(revision: Revision) -> tuple[Any, Any]:
    """The store's dictionary, and what has to be written for it: its reference, or the catalog when it is direct."""
    raw = raw_entry(revision.root, "/DSS")
    store = resolve(raw)
    if isinstance(store, generic.DictionaryObject):
        return store, raw
    store = make_dictionary({"/Type": generic.NameObject("/DSS")})
    revision.root["/DSS"] = revision.add_object(store)
    revision.catalog_changed()
    return store, revision.root.raw_get("/DSS")


def _add_stream(revision: Revision, data: bytes) -> generic.IndirectObject:
    reference = revision.allocate_placeholder()
    revision.add_raw(stream(b"/Filter/FlateDecode", zlib.compress(data)), reference)
    return reference


def _data(item: Any) -> bytes:
    found = resolve(item)
    return bytes(found.data) if isinstance(found, generic.StreamObject) else b""
