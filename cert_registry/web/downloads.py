"""Files as downloads under Chinese names, in every browser (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from fastapi import Response

LONGEST_NAME = 80
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


def content_disposition(name: str) -> str:
    """`attachment` with the name twice: plain ASCII for what cannot read the extended form, then UTF-8.

    Clients that know both take filename* (RFC 6266, 4.3); the value is ASCII, so that no server refuses it (B51).
    """
    clean = file_name(name)
    plain = clean if clean.isascii() else "document" + _extension(clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def file_name(name: str) -> str:
    """Without what file systems or headers do not take; at most eighty characters, the extension kept."""
    clean = _UNFIT.sub(" ", unicodedata.normalize("NFC", name)).strip(" .") or "document"
    extension = _extension(clean)
    return clean[: len(clean) - len(extension)][: LONGEST_NAME - len(extension)].rstrip() + extension


def pdf_download(content: bytes, name: str) -> Response:
    """A PDF to be kept as it is: seals break when a viewer saves it anew."""
    headers = {"Content-Disposition": content_disposition(name), "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def _extension(name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,5}$", name)
    return found[0] if found else ""
