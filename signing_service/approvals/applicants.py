"""Who applies, and how a personal number is kept: never in clear, never in a message that stays (DESIGN 18)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from signing_service.approvals.errors import PersonalNumbersUnprotected

ORGANISATIONS = frozenset({"001", "099"})
"""GB/T 36903 code types of bodies; their codes are public. All others are personal numbers."""


class PersonalNumbers(Protocol):
    """Encryption at rest. `bound_to` ties the sealed number to its case, so that rows cannot be swapped unnoticed."""

    def seal(self, code: str, bound_to: str) -> bytes: ...

    def open(self, sealed: bytes, bound_to: str) -> str: ...


class NoPersonalNumbers:
    """For homes without a data key: natural persons are refused rather than stored in clear."""

    def seal(self, code: str, bound_to: str) -> bytes:
        raise PersonalNumbersUnprotected

    def open(self, sealed: bytes, bound_to: str) -> str:
        raise PersonalNumbersUnprotected


@dataclass(frozen=True, slots=True)
class Applicant:
    """`code_type` after GB/T 36903 (001 = unified social credit code, 111 = resident number)."""

    name: str
    code: str
    code_type: str = "001"
    address: str = ""
    contact: str = ""

    def __repr__(self) -> str:
        return f"Applicant(name={self.name!r}, code={shown_code(self.code, self.code_type)!r})"

    @property
    def is_organisation(self) -> bool:
        return self.code_type in ORGANISATIONS


def shown_code(code: str, code_type: str) -> str:
    """What may be shown: an organisation's code whole, a person's with all but two signs at each end hidden."""
    if code_type in ORGANISATIONS:
        return code
    return code[:2] + "*" * max(len(code) - 4, 3) + code[-2:]


def holder_entry(name: str, code: str, code_type: str, sealed: bytes | None) -> dict[str, str]:
    """The holder as the outbox message carries it: a personal number only in its sealed form."""
    entry = {"name": name, "code": code, "code_type": code_type}
    if sealed is not None:
        entry |= {"code": "", "code_sealed": base64.b64encode(sealed).decode()}
    return entry


def with_revealed_holder(
    handler: Callable[[str, Mapping[str, Any]], None], numbers: PersonalNumbers
) -> Callable[[str, Mapping[str, Any]], None]:
    """An outbox handler that hands `handler` the message with the holder's number in clear, in memory alone."""

    def reveal(key: str, payload: Mapping[str, Any]) -> None:
        holder = dict(payload["holder"])
        sealed = holder.pop("code_sealed", "")
        if sealed:
            holder["code"] = numbers.open(base64.b64decode(sealed), str(payload["approval_id"]))
        handler(key, {**payload, "holder": holder})

    return reveal
