"""The messages between agent and server, as values: how they are written as JSON and read back. Pure.

Bytes travel in base64. What is malformed raises ValueError, KeyError or TypeError, which both ends turn into a
refusal; nothing is guessed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from signing_service.agent.protocol import ListEntry, Spot


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One line of a frozen list with what the agent needs for its review. `prepared`: JSON of PreparedSignature."""

    job: str
    digest: str
    title: str
    asked_by: str
    opinion: str
    state: str
    field: str
    spot: Spot | None
    texts: Sequence[str]
    certificate: str
    prepared: str

    @property
    def entry(self) -> ListEntry:
        return ListEntry(self.job, self.digest)

    def as_json(self) -> dict[str, Any]:
        spot = None if self.spot is None else [self.spot.page, *self.spot.edges]
        return {
            "job": self.job, "digest": self.digest, "title": self.title, "asked_by": self.asked_by,
            "opinion": self.opinion, "state": self.state, "field": self.field, "spot": spot,
            "texts": list(self.texts), "certificate": self.certificate, "prepared": self.prepared,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ListedJob:
        spot = value["spot"]
        place = None if spot is None else Spot(int(spot[0]), *(float(edge) for edge in spot[1:5]))
        names = ("job", "digest", "title", "asked_by", "opinion", "state", "field", "certificate", "prepared")
        words = {name: str(value[name]) for name in names}
        return cls(spot=place, texts=tuple(str(text) for text in value["texts"]), **words)


@dataclass(frozen=True, slots=True)
class FrozenList:
    """A batch as the agent gets it."""

    id: str
    jobs: tuple[ListedJob, ...]

    @property
    def entries(self) -> list[ListEntry]:
        return [job.entry for job in self.jobs]

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "jobs": [job.as_json() for job in self.jobs]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FrozenList:
        return cls(str(value["id"]), tuple(ListedJob.from_json(job) for job in value["jobs"]))


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def decoded(text: object) -> bytes:
    """Raises ValueError for anything but strict base64."""
    if not isinstance(text, str):
        raise ValueError("base64 text expected")
    return base64.b64decode(text, validate=True)
