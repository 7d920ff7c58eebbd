"""A scan from outside compared with the PDF that was handed out, in a process with limits."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from signing_service.printing.bounded import Limits, bounded
from signing_service.printing.compare import DPI, Comparison, Grey, compare_scan
from signing_service.printing.decode import MOST_PIXELS, PictureUnreadable
from signing_service.printing.errors import CopyRefused
from signing_service.printing.page_image import grey_pages
from signing_service.printing.scanned import PDF

MOST_PAGES = 20
LIMITS = Limits(seconds=60, memory=3 << 30)


@dataclass(frozen=True, slots=True)
class Compared:
    """`result` None: the scan shows no page of the document. `unreadable`: it is no picture."""

    result: Comparison | None
    unreadable: bool = False


def compare_upload(scan: bytes, handed_out: bytes, limits: Limits = LIMITS) -> Comparison | None:
    """`scan`: PNG, JPEG, or a PDF whose first page is the scan. None when it shows no page of the document.

    Raises PictureUnreadable, TooMuchWork.
    """
    done = bounded(_compare, scan, handed_out, limits=limits)
    if done.unreadable:
        raise PictureUnreadable("neither PNG, JPEG nor PDF")
    return done.result


def _compare(scan: bytes, handed_out: bytes) -> Compared:
    try:
        picture = _grey(scan)
    except (UnidentifiedImageError, OSError, ValueError, CopyRefused, Image.DecompressionBombError):
        return Compared(None, unreadable=True)
    return Compared(compare_scan(picture, grey_pages(handed_out, DPI)[:MOST_PAGES]))


def _grey(scan: bytes) -> Grey:
    if scan[:1024].lstrip().startswith(PDF):
        return grey_pages(scan, DPI)[0]
    image = Image.open(io.BytesIO(scan), formats=("PNG", "JPEG"))
    if image.width * image.height > MOST_PIXELS:
        raise ValueError("too many pixels")
    return np.asarray(ImageOps.exif_transpose(image).convert("L"), dtype=np.uint8)
