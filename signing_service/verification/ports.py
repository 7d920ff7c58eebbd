"""What the engine asks of the world, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class SealState(StrEnum):
    """A seal's lifecycle as its register tells it."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"


class LicenceState(StrEnum):
    """A licence's present state."""

    VALID = "valid"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    ENDED = "ended"
    NOT_YET_VALID = "not_yet_valid"


@dataclass(frozen=True, slots=True)
class SealEvent:
    """From `at` on, the seal of the certificate with this SHA-256 is in `state`. `successor` names the new
    organisation."""

    certificate_sha256: bytes
    state: SealState
    at: datetime
    organisation: str = ""
    successor: str = ""


@dataclass(frozen=True, slots=True)
class LicenceFact:
    """A licence's state at the asked instant. `since`: when that began; of NOT_YET_VALID, when it will end. `manner` is
    注销, 撤销, 撤回 or 吊销 when it ended."""

    identifier: str
    state: LicenceState
    since: datetime | None = None
    manner: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CopyFact:
    """A purpose-bound copy (限用途副本): for whom, for what, until when; `recipient_matches` None when nobody asked."""

    recipient: str
    matter: str
    until: datetime | None = None
    recipient_matches: bool | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What lives above knows about a document. Everything is optional: absent means not known, never fine.

    `known` False: the source has no record of the document or its identifiers. `archived`: the bytes of a document in
    the own archive that the judged file equals or begins; its later timestamps are then used.
    """

    known: bool = False
    simulated: bool = False
    recalled_at: datetime | None = None
    replaced_by: str = ""
    licence: LicenceFact | None = None
    copy: CopyFact | None = None
    seals: Sequence[SealEvent] = field(default_factory=tuple)
    seen_before: int = 0
    last_seen: datetime | None = None
    archived: bytes | None = None


class StatusSource(Protocol):
    """Facts that live above the engine: recalled documents, licence and seal states, copies seen."""

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """`ids` are licence identifiers found in the document, `digest` the file's SHA-256, `at` the asked instant."""
        ...


class Fetcher(Protocol):
    """Gets revocation data over the network. The caller bounds time, size, number and allowed hosts (SSRF)."""

    def crl(self, url: str) -> bytes | None:
        """A CRL in DER, or None when it cannot be had or the host is not allowed."""
        ...

    def ocsp(self, url: str, request: bytes) -> bytes | None:
        """An OCSPResponse in DER for a DER request, or None."""
        ...
