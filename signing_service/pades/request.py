"""What kind of signature is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from signing_service.pades.errors import WorkflowConflict

if TYPE_CHECKING:  # an invisible signature does without them
    from signing_service.pades.appearance import Appearance
    from signing_service.pades.placing import AnyPlacing


class Level(StrEnum):
    """ETSI EN 319 142-1, clause 6."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"
    B_LTA = "B-LTA"

    @property
    def needs_timestamp(self) -> bool:
        return self is not Level.B_B

    @property
    def needs_revocation(self) -> bool:
        return self in (Level.B_LT, Level.B_LTA)


@dataclass(frozen=True, kw_only=True)
class SignatureRequest:
    """One signature. `field` is made when it does not exist; an existing empty field keeps its own rectangle.
    A `FieldPlacing` names the field itself, which must exist.

    `signed_at` (timezone-aware, shown with its offset in /M) is the claimed time. `lock` forbids every later change
    (FieldMDP over all fields, with P=1). `certify` makes a certifying signature that permits 1 nothing, 2 forms and
    signing, 3 annotations too.
    """

    field: str
    signed_at: datetime
    appearance: Appearance | None = None
    placing: AnyPlacing | None = None
    name: str = ""
    reason: str = ""
    location: str = ""
    lock: bool = False
    certify: int | None = None
    level: Level = Level.B_B

    def __post_init__(self) -> None:
        if self.placing is not None:
            from signing_service.pades.placing import FieldPlacing  # loaded: the placing is of that module

            if isinstance(self.placing, FieldPlacing):
                object.__setattr__(self, "field", self.placing.field)
        if self.signed_at.tzinfo is None:
            raise ValueError("signed_at needs a time zone")
        if self.certify not in (None, 1, 2, 3):
            raise ValueError("certify is 1, 2 or 3")
        if not self.field or self.field != self.field.strip():
            raise ValueError("field needs a name without blanks around it")
        if not isinstance(self.level, Level):
            object.__setattr__(self, "level", Level(self.level))


def check_plan(requests: Sequence[SignatureRequest]) -> None:
    """B21: raises WorkflowConflict when a planned signature would forbid one planned after it."""
    from signing_service.pdf.signing_limits import last_signer_conflict

    permissions = [1 if request.lock else request.certify for request in requests]
    index = last_signer_conflict(permissions)
    late = next((i for i, request in enumerate(requests) if i and request.certify is not None), None)
    if index is not None or late is not None:
        raise WorkflowConflict(index if index is not None else (late or 0))
