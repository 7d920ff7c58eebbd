"""What this home knows of a document, joined from the rooms that know: cases, and the registry's licences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from signing_service.verification.ports import Facts, StatusSource


class JoinedFacts:
    """A StatusSource over several; a document is known when one of them knows it."""

    def __init__(self, cases: StatusSource, licences: StatusSource) -> None:
        self._cases, self._licences = cases, licences

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """The licence's facts, with what the case adds: simulated, recalled since when, replaced by which number."""
        case, licence = self._cases.facts(ids, digest, at), self._licences.facts(ids, digest, at)
        return replace(
            licence,
            known=case.known or licence.known,
            simulated=case.simulated or licence.simulated,
            recalled_at=case.recalled_at or licence.recalled_at,
            replaced_by=case.replaced_by or licence.replaced_by,
        )
