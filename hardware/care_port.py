"""The narrow port to what a token can be made to do for its keeper, whichever way that token wants it done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .ports import TokenInfo
from .records import KeyRecord

Changed = Callable[[], None]


def unheard() -> None:
    """For whoever need not be told within the turn that a PIN is changed."""


class Secret(StrEnum):
    """What a token asks of whoever writes to it."""

    USER_PIN = "pin"
    MANAGEMENT_KEY = "management_key"


@dataclass(frozen=True, slots=True)
class Deleted:
    """`objects` that are gone; `replaced` where the token could destroy a key only by a new one that nobody uses."""

    objects: int
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class NewPins:
    """What an erased token gets. `so_pin` None leaves it as the erasing left it (PKCS#11: the one that erased)."""

    user_pin: str
    so_pin: str | None = None
    management_key: bytes | None = None


class Care(Protocol):
    """One token. PINs go under the PIN guard, with the consent to a last try that this was made with; a management key
    has no counter. Every error is a named one."""

    writes_with: Secret
    erasing_needs_so_pin: bool

    def change_pin(self, old: str, new: str, *, officer: bool, changed: Changed = unheard) -> None:
        """The user's PIN, or with `officer` the security officer's (the PUK of a PIV card).

        `changed` is called while no other process of the account can log in.
        """
        ...

    def unblock(self, so_pin: str, new_pin: str) -> None:
        """Sets the user PIN, whether it was locked, forgotten or never set."""
        ...

    def generate(self, secret: str, kind: str, *, label: str, id: bytes) -> KeyRecord:
        """A new key pair; KeyExists if the id is taken."""
        ...

    def import_certificate(self, secret: str, der: bytes, *, label: str, id: bytes) -> None:
        """Beside its key; CertificateNotOfKey where the key with this id is another's."""
        ...

    def delete(self, secret: str, id: bytes) -> Deleted:
        """Key and certificates with this id, for good."""
        ...

    def erase(self, so_pin: str, label: str, new: NewPins) -> TokenInfo:
        """Everything on the token, for good, and new PINs at once. Nothing is erased if `new` cannot be taken."""
        ...

    def unseen_keys(self) -> list[KeyRecord]:
        """Keys that are there though the module does not show them (OpenSC shows a PIV key beside its certificate)."""
        ...
