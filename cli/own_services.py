"""This home's PKI services put together in this process, signing through custody: for commands without a server."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cli.opened_home import open_custody
from signing_service.custody.keys import ServiceKey
from signing_service.custody.ports import CustodyPort
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.pades.ports import Evidence
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.certificate_chain import ChainIncomplete
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.current_services import CurrentTimestamps
from signing_service.pki.outside import OutsideCheck, OutsideRefused
from signing_service.pki.ports import Signs
from signing_service.pki.register import CertificateRegister
from signing_service.pki.revocation_evidence import NoEvidence, OwnEvidence
from signing_service.pki.timestamp_response import Asked, checked_token
from signing_service.pki.tsp_client import timestamp_query
from signing_service.settings import Settings

KINDS = {
    "issuing-ca": "issuing",
    "simulation-ca": "simulation_issuing",
    "ocsp": "ocsp",
    "simulation-ocsp": "simulation_ocsp",
    "tsa": "tsa",
}


def own_pki(settings: Settings) -> PkiServices:
    """The services over the home's database and custody."""
    register = CertificateRegister(Database(settings.database_url), SystemClock(), AuditLog())
    return pki_over(register, open_custody(settings), settings)


def pki_over(register: CertificateRegister, custody: CustodyPort, settings: Settings) -> PkiServices:
    """The services whose keys custody holds; the root's key is in none of its tokens and signs nothing here."""

    def signer_for(row: CertificateRow) -> Signs | None:
        return ServiceKey.certified(custody, KINDS[row.profile], row.der)

    return assemble(register, signer_for, settings.base_url)


class OwnTimestamper:
    """A pades Timestamper that asks our own TSA in this process: the same key, register and policy as over HTTP."""

    def __init__(self, authority: CurrentTimestamps) -> None:
        self._authority = authority

    def timestamp(self, digest: bytes) -> bytes:
        nonce = secrets.randbits(63)
        reply = self._authority.respond(timestamp_query(digest, nonce))
        return checked_token(reply, Asked("tsa", digest, nonce))


class OwnRevocation:
    """A pades RevocationSource over our own register, without a network; for an outside CA's certificate what that
    CA says."""

    def __init__(self, source: OwnEvidence, outside: OutsideCheck) -> None:
        self._source, self._outside = source, outside

    def evidence(self, chain: Sequence[bytes]) -> Evidence:
        """Raises NoEvidence, OutsideRevoked, OutsideStatusUnknown."""
        try:
            found = self._source.evidence(chain)
        except NoEvidence as missing:
            try:
                found = self._outside.require(chain[0])
            except (ChainIncomplete, OutsideRefused):
                raise missing from None
        return Evidence(tuple(found.certificates), tuple(found.ocsp_responses), tuple(found.crls))
