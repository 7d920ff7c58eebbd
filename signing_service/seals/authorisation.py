"""用印授权: what a seal's holder signs with a USB key, and the pure rules of what it covers.

The key signs `statement()`: a fixed first line, so that these bytes can never be taken for a document's signed
attributes or a log-in, then canonical JSON (sorted names, no spaces, UTF-8, times in UTC with seconds). `digests` are
lower-case hex SHA-256 values over the byte range of the prepared file: the `message-digest` that the seal's key signs.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from signing_service.seals.authorisation_errors import (
    AuthorisationExpired,
    AuthorisationNotForThisDocument,
    AuthorisationNotForThisSeal,
    AuthorisationNotForThisType,
    AuthorisationNotYetValid,
    AuthorisationUnreadable,
    AuthorisationUsed,
    AuthorisationWithdrawn,
)

FIRST_LINE = b"ZHENGYIN-SEAL-AUTHORISATION-V1\n"
FIELDS = {"id", "seal", "kind", "digests", "document_type", "count", "not_before", "until", "reason"}
MOST_DIGESTS = 10_000
MOST_STANDING = 100_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """One document, a batch, a standing order, or emergency use in the holder's absence (two persons)."""

    DIGEST = "digest"
    DIGESTS = "digests"
    STANDING = "standing"
    EMERGENCY = "emergency"


LONGEST = {
    Kind.DIGEST: timedelta(days=31),
    Kind.DIGESTS: timedelta(days=31),
    Kind.STANDING: timedelta(days=366),
    Kind.EMERGENCY: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Plain content. `document_type` is for standing orders alone; `reason` is required in an emergency."""

    id: str
    seal_id: str
    kind: Kind
    digests: frozenset[str]
    document_type: str
    count: int
    not_before: datetime
    until: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise AuthorisationUnreadable(problem)

    def statement(self) -> bytes:
        """The bytes that the holder's key signs."""
        content = {
            "id": self.id, "seal": self.seal_id, "kind": self.kind.value, "digests": sorted(self.digests),
            "document_type": self.document_type, "count": self.count, "not_before": _written(self.not_before),
            "until": _written(self.until), "reason": self.reason,
        }  # fmt: skip
        return FIRST_LINE + canonical_json(content)

    @classmethod
    def from_statement(cls, statement: bytes) -> Authorisation:
        """The content again. Raises AuthorisationUnreadable for anything that `statement()` would not write."""
        if not statement.startswith(FIRST_LINE):
            raise AuthorisationUnreadable("it does not begin as an authorisation does")
        content = read_canonical_json(statement[len(FIRST_LINE) :])
        if set(content) != FIELDS:
            raise AuthorisationUnreadable("fields are missing or unknown")
        try:
            authorisation = cls(
                content["id"], content["seal"], Kind(content["kind"]), frozenset(content["digests"]),
                content["document_type"], content["count"], _read(content["not_before"]), _read(content["until"]),
                content["reason"],
            )  # fmt: skip
        except (TypeError, ValueError) as failure:
            raise AuthorisationUnreadable(str(failure)) from failure
        if authorisation.statement() != statement:
            raise AuthorisationUnreadable("it is not in its one written form")
        return authorisation


@dataclass(frozen=True, slots=True)
class Uses:
    """What the ledger knows of an authorisation: uses in all, uses for the digest asked about, withdrawal."""

    total: int = 0
    of_digest: int = 0
    withdrawn_at: datetime | None = None


def authorise_digests(
    seal_id: str, digests: set[str] | frozenset[str], *, not_before: datetime, until: datetime
) -> Authorisation:
    """An authorisation for one document or for a frozen list of documents, with a fresh id."""
    kind = Kind.DIGEST if len(digests) == 1 else Kind.DIGESTS
    return Authorisation(new_id(), seal_id, kind, frozenset(digests), "", len(digests), not_before, until)


def standing_order(
    seal_id: str, document_type: str, count: int, *, not_before: datetime, until: datetime
) -> Authorisation:
    """A standing order: `count` documents of one type until an end."""
    return Authorisation(new_id(), seal_id, Kind.STANDING, frozenset(), document_type, count, not_before, until)


def emergency_order(
    seal_id: str, digests: set[str] | frozenset[str], reason: str, *, not_before: datetime, until: datetime
) -> Authorisation:
    """Emergency use while the holder is absent: two appointed persons sign it, for a day at most."""
    return Authorisation(
        new_id(), seal_id, Kind.EMERGENCY, frozenset(digests), "", len(digests), not_before, until, reason
    )


def covers(
    authorisation: Authorisation, digest: str, document_type: str, now: datetime, used: Uses, *, seal_id: str
) -> None:
    """Raises the first reason, in this order, why the authorisation does not let `seal_id` be put on the document.

    The signature itself is judged by `holder_signature.verified`, before. `digest` is lower-case hex.
    """
    if authorisation.seal_id != seal_id:  # 1. for this seal
        raise AuthorisationNotForThisSeal(authorisation.seal_id, seal_id)
    if used.withdrawn_at is not None:  # 2. still standing
        raise AuthorisationWithdrawn(used.withdrawn_at)
    if now < authorisation.not_before:  # 3. in force
        raise AuthorisationNotYetValid(authorisation.not_before)
    if now > authorisation.until:
        raise AuthorisationExpired(authorisation.until)
    if authorisation.kind is Kind.STANDING:  # 4. for this document
        if authorisation.document_type != document_type:
            raise AuthorisationNotForThisType(authorisation.document_type, document_type)
    elif digest not in authorisation.digests:
        raise AuthorisationNotForThisDocument(digest)
    if used.of_digest or used.total >= authorisation.count:  # 5. not used up
        raise AuthorisationUsed(used.total, authorisation.count)


def new_id() -> str:
    """A fresh identifier, which is the nonce too: 128 random bits in hex."""
    return secrets.token_hex(16)


def canonical_json(content: object) -> bytes:
    """The one written form of JSON content."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def read_canonical_json(text: bytes) -> dict[str, Any]:
    """A JSON object in its one written form. Raises AuthorisationUnreadable; doubled names are refused so too."""
    try:
        content = json.loads(text)
        same = isinstance(content, dict) and canonical_json(content) == text
    except (ValueError, RecursionError) as failure:
        raise AuthorisationUnreadable(str(failure)) from failure
    if not same:
        raise AuthorisationUnreadable("it is not canonical JSON")
    return dict(content)


def _problem(a: Authorisation) -> str | None:
    """What is wrong with the content, or nothing."""
    texts = (a.id, a.seal_id, a.document_type, a.reason)
    if not all(isinstance(text, str) for text in texts) or not re.fullmatch(r"[0-9a-f]{32}", a.id) or not a.seal_id:
        return "id or seal is missing"
    if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in a.digests):
        return "a digest is not lower-case hex of SHA-256"
    if a.not_before.tzinfo is None or a.until.tzinfo is None or a.not_before > a.until:
        return "the period is not one"
    if a.not_before.microsecond or a.until.microsecond:
        return "times have whole seconds"
    if a.until - a.not_before > LONGEST[a.kind]:
        return f"a period over {LONGEST[a.kind]} is too long for this kind"
    if type(a.count) is not int:
        return "the count is not a whole number"
    return _problem_of_kind(a)


def _problem_of_kind(a: Authorisation) -> str | None:
    if a.kind is Kind.STANDING:
        if a.digests or not a.document_type or not 1 <= a.count <= MOST_STANDING:
            return f"a standing order has a document type, no digests, and a count of 1 to {MOST_STANDING}"
        return None
    if a.document_type or a.count != len(a.digests) or not 1 <= len(a.digests) <= MOST_DIGESTS:
        return f"1 to {MOST_DIGESTS} digests are needed, as many as the count, and no document type"
    if a.kind is Kind.DIGEST and a.count != 1:
        return "this kind has one digest"
    if a.kind is Kind.EMERGENCY and not a.reason.strip():
        return "emergency use must say why"
    return None


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: object) -> datetime:
    if not isinstance(text, str):
        raise ValueError("a time is not a text")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
