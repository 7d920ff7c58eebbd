"""What the agent needs of whoever sits before it: a window (`window`) or a terminal (`terminal`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hardware.ports import TokenInfo
from signing_service.agent.messages import FrozenList, ListedJob
from signing_service.errors import Text


@dataclass(frozen=True, slots=True)
class ReviewedJob:
    """A job whose file passed the review: these very bytes are shown and signed."""

    job: ListedJob
    document: bytes


class Surface(Protocol):
    def confirm_server(self, name: str, origin: str, fingerprint: str) -> bool:
        """Pairing: is this the server that you mean?"""
        ...

    def ask_login_code(self, origin: str) -> str | None:
        """The code that the browser shows; None to cancel."""
        ...

    def show(self, server: str, frozen: FrozenList, code: str, jobs: Sequence[ReviewedJob], certificate: str) -> bool:
        """All pages of all documents, who asks, which certificate, and the code; True is the officer's consent."""
        ...

    def ask_pin(self, info: TokenInfo) -> str | None:
        """The PIN of the USB key, with its state (normal, low, last) in sight; None to cancel."""
        ...

    def progress(self, job: ListedJob, done: int, total: int, outcome: Text) -> None:
        """One document is through."""
        ...

    def tell(self, text: Text) -> None:
        """A sentence."""
        ...

    def wait(self) -> None:
        """Until the officer wants to go on, after something went wrong."""
        ...
