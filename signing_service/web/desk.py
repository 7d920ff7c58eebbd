"""The desk put together: sessions, log-in, agents, delivery and pages over one deployment's rooms."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from signing_service.approvals.casework import Casework
from signing_service.approvals.examining import Examine
from signing_service.channel.delivery import Delivery
from signing_service.channel.login import Logins
from signing_service.channel.pairing import Pairings
from signing_service.channel.ports import Complete
from signing_service.channel.server_identity import ServerIdentity
from signing_service.people.register import PeopleRegister
from signing_service.people.sessions import Sessions
from signing_service.pki.certificates import OUTSIDE
from signing_service.pki.outside import OutsideCheck
from signing_service.pki.register import CertificateRegister, CertificateUnknown
from signing_service.web import admin_pages, agent_endpoints, case_pages, desk_pages, login_pages, pki_pages
from signing_service.web.approval_casebook import ApprovalCasebook
from signing_service.web.browser_session import BrowserSessions


@dataclass(frozen=True, kw_only=True)
class DeskNeeds:
    """`origin`: our address as browsers name it. `complete`: how a signature gets into its file. `outside`: what tells
    whether an outside CA's certificate is still good. `seal`: has a case's outward document sealed."""

    work: Casework
    people: PeopleRegister
    certificates: CertificateRegister
    outside: OutsideCheck
    complete: Complete
    examine: Examine
    identity: ServerIdentity
    origin: str
    server_name: str
    seal: case_pages.SealCase | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the app includes, and what the worker resumes."""

    routers: tuple[APIRouter, ...]
    delivery: Delivery
    browsers: BrowserSessions


def make_desk(needs: DeskNeeds) -> Desk:
    """/desk, /admin, /pki and /agent/v1. Nothing is opened here."""
    work, people = needs.work, needs.people
    usable = CertificateUse(needs.certificates, needs.outside)
    casebook = ApprovalCasebook(work, people, usable.chain, needs.examine)
    delivery = Delivery(work.database, work.blobs, work.clock, work.audit, needs.complete, casebook)
    sessions = Sessions(work.database, work.clock, work.audit, usable.is_usable)
    pairings = Pairings(
        work.database, work.clock, work.audit, people, usable.is_usable, origin=needs.origin,
        server_key=needs.identity.fingerprint,
    )  # fmt: skip
    logins = Logins(work.database, work.clock, work.audit, people, sessions, usable.is_usable, origin=needs.origin)
    browsers = BrowserSessions(sessions, needs.origin)
    agents = agent_endpoints.AgentParts(needs.identity, pairings, logins, delivery, needs.server_name)
    pages = desk_pages.DeskParts(browsers, casebook, delivery, work.database, work.clock)
    routers = (
        agent_endpoints.router(agents),
        login_pages.router(browsers, logins, pairings, needs.identity.fingerprint),
        desk_pages.router(pages),
        case_pages.router(case_pages.CasePageParts(browsers, work, needs.examine, needs.seal)),
        admin_pages.router(browsers, people, sessions),
        pki_pages.router(browsers, people, needs.certificates),
    )
    return Desk(routers, delivery, browsers)


class CertificateUse:
    """What the desk asks of the certificate register."""

    def __init__(self, register: CertificateRegister, outside: OutsideCheck) -> None:
        self._register, self._outside = register, outside

    def is_usable(self, fingerprint: str) -> bool:
        """Active in the register, and within its validity now; one of an outside CA by that CA's word too."""
        now = self._register.clock.now()
        with self._register.database.read() as session:
            try:
                row = self._register.find(session, fingerprint)
            except CertificateUnknown:
                return False
        if row.not_before is None or row.not_after is None:
            return False
        good = row.is_usable and row.not_before <= now <= row.not_after
        return good and (row.origin != OUTSIDE or self._outside.is_usable(row.der))

    def chain(self, certificate: bytes) -> list[bytes]:
        with self._register.database.read() as session:
            return self._register.chain(session, certificate)
