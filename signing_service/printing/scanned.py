"""Paper codes on what somebody uploads: a photo, a scan, or the PDF of a print copy."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from signing_service.printing.bounded import bounded
from signing_service.printing.decode import PictureUnreadable, decode_page
from signing_service.printing.errors import CopyRefused, NotOurCode
from signing_service.printing.page_image import grey_pages

DPI = 200
PDF = b"%PDF-"


@dataclass(frozen=True, slots=True)
class Found:
    """`texts`: all QR codes in order; `unreadable`: it was no picture or file that can be shown."""

    texts: tuple[str, ...]
    unreadable: bool = False


def codes_on(content: bytes) -> Found:
    """In a process with limits. Raises TooMuchWork."""
    return bounded(_read, content)


def our_code(content: bytes, prefix: str) -> str:
    """The code whose address is ours, else the first one. Raises PictureUnreadable, NotOurCode, TooMuchWork."""
    found = codes_on(content)
    if found.unreadable:
        raise PictureUnreadable("neither PNG nor JPEG")
    ours = [text for text in found.texts if text.lower().startswith(prefix.lower())]
    if not ours and not found.texts:
        raise NotOurCode
    return (ours or list(found.texts))[0]


def _read(content: bytes) -> Found:
    if content[:1024].lstrip().startswith(PDF):
        return _read_pdf(content)
    try:
        return Found(tuple(decode_page(content)))
    except PictureUnreadable:
        return Found((), unreadable=True)


def _read_pdf(content: bytes) -> Found:
    try:
        pages = grey_pages(content, DPI)
    except CopyRefused:
        return Found((), unreadable=True)
    return Found(tuple(text for page in pages for text in decode_page(Image.fromarray(page))))
