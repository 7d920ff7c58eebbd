"""What the channel needs from above and beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from signing_service.pdf.prepared import PreparedSignature


class Purpose(Protocol):
    """Whoever wants signatures. `reference` is its own name for what one job signs; one completed signature each."""

    def consented(self, reference: str, officer: str, certificate: str) -> datetime:
        """The officer consents and is about to sign: take the lease; returns its end. Raises to refuse."""
        ...

    def completed(self, reference: str, officer: str, certificate: str, document: bytes, opinion: str) -> None:
        """The signed file. May be called again after a crash; raises to refuse it."""
        ...


class Complete(Protocol):
    """Puts a checked signature value into its prepared file; reaches the TSA if the level needs it."""

    def __call__(
        self, prepared: PreparedSignature, signature: bytes, certificate: bytes, chain: Sequence[bytes]
    ) -> bytes: ...
