"""What the desk shows and does, whatever keeps the cases: a port, so that the pages know no case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from signing_service.agent.page_images import PagePlace
from signing_service.channel.delivery import NewJob
from signing_service.errors import SigningServiceError, Text
from signing_service.people.sessions import LoggedIn


class DeskList(StrEnum):
    PENDING = "pending"
    OVERDUE = "overdue"
    SIGNED = "signed"
    RETURNED = "returned"


DESK_LISTS = {
    DeskList.PENDING: Text("待签", "To sign"),
    DeskList.OVERDUE: Text("已超期", "Overdue"),
    DeskList.SIGNED: Text("已签", "Signed"),
    DeskList.RETURNED: Text("已退回", "Returned"),
}


@dataclass(frozen=True, slots=True)
class DeskItem:
    """One step of one case. `reference` names it in addresses; `card` is none, yellow or red."""

    reference: str
    number: str
    title: str
    applicant: str
    step: str
    department: str
    state: Text
    can_sign: bool
    read: bool
    due: date | None
    provisional: bool
    card: str
    since: datetime | None
    delegated: bool = False
    can_withdraw: bool = False


class NotOnDesk(SigningServiceError):
    """Not the officer's, or not there at all: the same answer."""

    code = "not_on_desk"

    def __init__(self) -> None:
        super().__init__(
            Text("您的办件中没有这一件。", "This is not among your cases."),
            advice=Text("请从办件列表进入。", "Open it from your list."),
        )


class NoSigningCertificate(SigningServiceError):
    code = "no_signing_certificate"

    def __init__(self) -> None:
        super().__init__(
            Text("您没有登记签名证书,不能签署。", "No signing certificate is registered for you, so you cannot sign."),
            advice=Text("请联系证书操作员。", "Ask the PKI operator."),
        )


class Casebook(Protocol):
    """Every method checks that the officer may; raises NotOnDesk or the room's own refusals."""

    def items(self, officer: LoggedIn, which: DeskList) -> list[DeskItem]: ...

    def item(self, officer: LoggedIn, reference: str) -> DeskItem: ...

    def document(self, officer: LoggedIn, reference: str) -> bytes: ...

    def place(self, officer: LoggedIn, reference: str) -> PagePlace | None:
        """Where the officer's signature will stand, as seen on the page."""
        ...

    def mark_read(self, officer: LoggedIn, reference: str) -> None: ...

    def prepare(self, officer: LoggedIn, reference: str, opinion: str) -> NewJob:
        """The file with room for the officer's signature; nothing else changes."""
        ...

    def send_back(self, officer: LoggedIn, reference: str, reason: str) -> None:
        """退回, with the reason."""
        ...

    def withdraw(self, officer: LoggedIn, reference: str, reason: str) -> None:
        """Take one's own signature back, until the next step opens."""
        ...

    def delegate(self, officer: LoggedIn, reference: str, to: str, first: date, last: date, reason: str) -> None:
        """AB角: another officer signs for one, within these days."""
        ...
