"""From what a verifier holds to the licence: identifier, sealed file, paper code, or type and number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import Licence, by_approval, by_digest
from signing_service.verification.ports import StatusSource

EngineVerify = Callable[[bytes, str, StatusSource], Mapping[str, Any]]
"""The one verdict engine over a file, its name and the registry's facts for this asker; the report as JSON."""


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a paper code says, its signature checked. `identifier`: its subject, a licence's identifier or, where
    `details["kind"]` is "approval", a case's id. `details`: further claims as plain values.
    """

    identifier: str
    details: Mapping[str, Any]


CodeReader = Callable[[str], CodeFacts]
"""A paper code's text (address or payload) to its facts. Raises an ExplainedError when it is not one of ours."""


@dataclass(frozen=True, slots=True)
class OtherRegistry:
    """Where licences of a body outside this registry are verified."""

    name: str
    url: str


class OtherIssuer(RegistryError):
    """`url`: where to verify it."""

    code = "other_issuer"

    def __init__(self, registry: OtherRegistry) -> None:
        self.url = registry.url
        super().__init__(
            Text(
                f"该证照由{registry.name}签发,请到 {registry.url} 核验。",
                f"It was issued by {registry.name}; verify it at {registry.url}.",
            )
        )


class CodeUnreadable(RegistryError):
    """Used by code readers for anything that is not a paper code of this registry."""

    code = "paper_code_invalid"

    def __init__(self) -> None:
        super().__init__(
            Text("这不是本系统的核验二维码,或已被改动。", "This is not a paper code of this registry, or was altered."),
            advice=Text("请核对印在旁边的官方网址。", "Compare the official address printed beside it."),
        )


def identifier_of_code(session: Session, facts: CodeFacts) -> LicenceIdentifier:
    """The licence that a paper code speaks of: named by it, or made from the case that it names.

    Raises IdentifierMalformed, BadCheckCharacter, LicenceNotFound.
    """
    if facts.details.get("kind") != "approval":
        return LicenceIdentifier.parse(facts.identifier)
    licence = by_approval(session, facts.identifier)
    if licence is None or licence.is_draft:
        raise LicenceNotFound
    return LicenceIdentifier.parse(licence.identifier)


def find(session: Session, identifier: LicenceIdentifier) -> Licence | None:
    """The registered licence, or None."""
    return session.scalar(select(Licence).where(Licence.identifier == str(identifier), Licence.digest.is_not(None)))


def refuse_other_issuer(identifier: LicenceIdentifier, others: Mapping[str, OtherRegistry]) -> None:
    """Raises OtherIssuer for a body that is known to keep its licences elsewhere; that is public knowledge."""
    if (registry := others.get(identifier.issuer)) is not None:
        raise OtherIssuer(registry)


def find_by_number(session: Session, type_code: str, number: str) -> Licence | None:
    """The newest version with this number on it."""
    query = select(Licence).where(Licence.type_code == type_code, Licence.number == number)
    return session.scalar(query.where(Licence.digest.is_not(None)).order_by(Licence.version.desc()).limit(1))


def find_by_file(session: Session, content: bytes) -> Licence | None:
    """The licence whose sealed file these exact bytes are."""
    return by_digest(session, hashlib.sha256(content).hexdigest())
