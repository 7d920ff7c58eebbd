"""The tokens that play the officers' USB keys in a demo home, opened with the PIN files that play the officers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cli import cast
from cli.home import pin_file
from cli.stage import Stage
from hardware.driver import list_tokens, open_token
from hardware.errors import TokenNotFound
from hardware.pin_source import read_pin_file
from hardware.ports import Token
from signing_service.approvals.rules import Actor
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.officers import SIGNING
from signing_service.people.register import PeopleRegister


@dataclass(frozen=True)
class DemoTokens:
    """By officer. `chain`: what stands above the officers' certificates, nearest first."""

    stage: Stage
    serials: dict[str, str]
    certificates: dict[str, bytes]
    chain: tuple[bytes, ...]

    @contextmanager
    def opened(self, officer: cast.OfficerRole) -> Iterator[Token]:
        """The officer's token, logged in. Raises PinIncorrect, TokenNotFound, …"""
        settings = self.stage.settings
        if officer.token not in self.serials:
            raise TokenNotFound(token=officer.token)
        pin = read_pin_file(pin_file(settings, officer.token))
        with open_token(settings.token_module, serial=self.serials[officer.token], pin=pin) as token:
            yield token

    def actor(self, officer: cast.OfficerRole) -> Actor:
        """Who acts in a case, with the fingerprint of the signing certificate."""
        fingerprint = hashlib.sha256(self.certificates[officer.id]).hexdigest()
        return Actor(officer.id, officer.department, frozenset(officer.roles), fingerprint)


def demo_tokens(stage: Stage) -> DemoTokens:
    """Find the tokens by label, and the officers' certificates in the register of people."""
    people = PeopleRegister(stage.database, stage.clock, AuditLog())
    with stage.database.read() as session:
        certificates = {
            officer.id: people.certificates(session, officer.id, SIGNING)[0].der for officer in cast.OFFICERS
        }
    serials = {info.label: info.serial for info in list_tokens(stage.settings.token_module)}
    return DemoTokens(stage, serials, certificates, _chain(stage))


def _chain(stage: Stage) -> tuple[bytes, ...]:
    key = stage.pki.authorities["issuing"].key
    return (key.certificate, *key.chain)
