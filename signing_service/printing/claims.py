"""What a paper code says: which document, of what kind, from when until when, and which copy. Nothing of the holder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import Any

SUBJECT, EXPIRES, ISSUED, OWN = 2, 4, 6, -65537
"""CWT claim keys (RFC 8392 3.1); OWN is from the private-use range (RFC 8392 9.1)."""
_KIND, _TYPE, _DATE, _DIGEST, _COPY = 1, 2, 3, 4, 5
_EPOCH = date(1970, 1, 1)


class CodeKind(IntEnum):
    """What the subject names."""

    LICENCE = 1
    APPROVAL = 2
    PURPOSE_BOUND_COPY = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """`subject`: licence identifier or document id. `digest`: SHA-256 of a document, empty when the code is part of it.

    `copy_serial`: of the print copy, empty on the original. `issued_at` and `expires_at`: whole seconds, aware.
    """

    kind: CodeKind
    subject: str
    document_type: str
    dated: date
    issued_at: datetime
    digest: bytes = b""
    copy_serial: str = ""
    expires_at: datetime | None = None

    def as_cwt(self) -> dict[int, Any]:
        """The CWT claims map."""
        own: dict[int, Any] = {_KIND: int(self.kind), _TYPE: self.document_type, _DATE: (self.dated - _EPOCH).days}
        if self.digest:
            own[_DIGEST] = self.digest
        if self.copy_serial:
            own[_COPY] = self.copy_serial
        claims: dict[int, Any] = {SUBJECT: self.subject, ISSUED: int(self.issued_at.timestamp()), OWN: own}
        if self.expires_at is not None:
            claims[EXPIRES] = int(self.expires_at.timestamp())
        return claims

    @classmethod
    def from_cwt(cls, claims: dict[int, Any]) -> Claims:
        """Raises ValueError, KeyError or TypeError for anything that `as_cwt` would not write."""
        own = claims[OWN]
        expires = claims.get(EXPIRES)
        read = cls(
            CodeKind(own[_KIND]),
            _text(claims[SUBJECT]),
            _text(own[_TYPE]),
            _EPOCH + timedelta(days=_whole(own[_DATE])),
            _instant(claims[ISSUED]),
            _octets(own.get(_DIGEST, b"")),
            _text(own.get(_COPY, "")),
            None if expires is None else _instant(expires),
        )
        if read.as_cwt() != claims:
            raise ValueError("unknown claims")
        return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _octets(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("octets were expected")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or not -1_000_000 < value < 1_000_000:
        raise TypeError("a number of days was expected")
    return value


def _instant(value: object) -> datetime:
    if type(value) is not int or not 0 <= value < 2**35:
        raise TypeError("a time was expected")
    return datetime.fromtimestamp(value, UTC)
