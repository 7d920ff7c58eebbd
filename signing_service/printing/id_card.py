"""The ID-card reader of a self-service terminal: a port, and an adapter over a file.

The number is used to find the holder's licences while the card lies on the reader; it is never stored, logged or shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signing_service.errors import Text
from signing_service.printing.errors import PrintingError


class CardUnreadable(PrintingError):
    code = "card_unreadable"

    def __init__(self) -> None:
        super().__init__(
            Text("身份证读取失败。", "The ID card could not be read."),
            advice=Text("请取下后重新放好,或到窗口办理。", "Take it off, put it back, or go to the window."),
        )


@dataclass(frozen=True, slots=True)
class IdCard:
    """A resident identity card; `number` after GB 11643."""

    name: str
    number: str

    def __repr__(self) -> str:
        return "IdCard(…)"


class IdCardReader(Protocol):
    def read(self) -> IdCard | None:
        """The card that lies on the reader now, or None. Raises CardUnreadable."""
        ...


@dataclass(frozen=True, slots=True)
class FileCardReader:
    """A file that the reader's driver keeps while a card lies on it: {"name": …, "number": …}."""

    path: Path

    def read(self) -> IdCard | None:
        try:
            card = json.loads(self.path.read_bytes())
            return IdCard(str(card["name"]), str(card["number"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise CardUnreadable from None


class NoCardReader:
    """A terminal without a reader."""

    def read(self) -> IdCard | None:
        return None
