"""The signature that the measurements make: a vector seal of 42 mm, or an invisible one."""

from __future__ import annotations

import datetime as dt

from bench.pades_fixture import PICTURE
from signing_service.pades.appearance import SealAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.request import Level, SignatureRequest

NOW = dt.datetime.now(dt.UTC)


def seal_request(level: Level = Level.B_B) -> SignatureRequest:
    appearance, placing = SealAppearance(PICTURE), Placing(0, 130, 30)
    return SignatureRequest(field="Seal", signed_at=NOW, level=level, appearance=appearance, placing=placing)


def invisible_request() -> SignatureRequest:
    return SignatureRequest(field="Seal", signed_at=NOW)
