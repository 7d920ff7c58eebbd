"""Bounds for hostile files, counted in the process that reads the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from signing_service.verification.errors import ResourceLimit


@dataclass(frozen=True, slots=True)
class Limits:
    """How much work one file may cause. Sizes in bytes."""

    objects: int = 1_000_000
    nesting: int = 100
    stream: int = 64 << 20
    decompressed: int = 256 << 20
    sections: int = 2_000
    fields: int = 5_000
    signatures: int = 200
    parsed: int = 600_000
    hashed: int = 8 << 30


@dataclass(slots=True)
class Spending:
    """What one run has used up of its limits; shared by every revision of the file."""

    limits: Limits = field(default_factory=Limits)
    decompressed: int = 0
    parsed: int = 0
    hashed: int = 0

    def inflate(self, size: int) -> None:
        self.decompressed += size
        if self.decompressed > self.limits.decompressed:
            raise ResourceLimit("decompressed bytes")

    def parse(self) -> None:
        self.parsed += 1
        if self.parsed > self.limits.parsed:
            raise ResourceLimit("objects read")

    def hash(self, size: int) -> None:
        self.hashed += size
        if self.hashed > self.limits.hashed:
            raise ResourceLimit("bytes hashed")
