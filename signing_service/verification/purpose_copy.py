"""What a purpose-bound copy (加注件, GB/T 36903) says of itself in its sealed metadata: for whom, for what, until when.

Read from signed revisions alone: what was put there later says nothing. So a copy is bound to its purpose wherever it
is verified, also without the register that made it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote

from signing_service.verification.document import Document
from signing_service.verification.fields import text
from signing_service.verification.ports import CopyFact

_NUMBER, _CAUSE, _UNTIL = "JZJBH", "JZJSY", "JZJYXQJZSJ"


def copy_in(document: Document, recipient: str = "", matter: str = "") -> CopyFact | None:
    """None when the document is no purpose-bound copy. `recipient`, `matter`: whoever is asked to accept it, for what;
    empty when nobody said. One whose end cannot be read has ended."""
    marks = _keywords(text(document.resolve(document.dictionary(document.trailer.get("Info")).get("Keywords"))))
    if _NUMBER not in marks and _CAUSE not in marks:
        return None
    whom, _, why = marks.get(_CAUSE, "").partition(":")
    wrong = (recipient and recipient != whom) or (matter and matter != why)
    matches = not wrong if recipient or matter else None
    return CopyFact(whom or "—", why or "—", _instant(marks.get(_UNTIL, "")), matches)


def _keywords(keywords: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in keywords[:20_000].split(","))
    return {name: unquote(value) for name, sign, value in pairs if sign}


def _instant(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
