"""A paper code as a user gives it: its text, or a file that shows it."""

from __future__ import annotations

import os
from pathlib import Path


def code_text(code: str, prefix: str) -> str:
    """The text itself, or the first code in a picture or PDF, ours before others. Raises NotOurCode,
    PictureUnreadable, OSError."""
    from signing_service.printing.decode import decode_document
    from signing_service.printing.errors import NotOurCode

    if "://" in code or not os.path.isfile(code):  # a code longer than a file's name is no error
        return code
    found = decode_document(Path(code).read_bytes())
    if not found:
        raise NotOurCode
    return next((text for text in found if text.lower().startswith(prefix.lower())), found[0])
