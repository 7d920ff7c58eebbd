"""A seal made at a ceremony (a new home's first one): applied for to activated in one go, every step on record."""

from __future__ import annotations

from collections.abc import Callable

from signing_service.pki.rules import SYSTEM, Actor
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import Why
from signing_service.seals.seal_tables import SealRow

CEREMONY = Actor("ceremony", frozenset({SYSTEM}))


def record_founded_seal(
    register: SealRegister, application: Application, make: Callable[[SealRow], bytes], why: Why
) -> None:
    """Enter a seal as active; `make` gives its GB/T 38540 structure, `why` needs a reason and a legal basis.

    Raises what the single steps raise; steps already recorded stay.
    """
    register.apply(application, CEREMONY, why)
    row = register.change(application.id, "approve", CEREMONY, why)
    register.make(application.id, make(row), CEREMONY, why)
    register.change(application.id, "file", CEREMONY, why)
    register.change(application.id, "activate", CEREMONY, why)
