"""What the certificate pages show: names of states and reasons, one page of rows, a history. It only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.pki.certificates import CertificateChange, CertificateRow
from signing_service.pki.crl import Reason
from signing_service.pki.expiry import EndingSoon, ending_soon
from signing_service.pki.profiles import PROFILES
from signing_service.pki.rules import MOVES, Actor, MoveNotAllowed, State, decide

PAGE = 50
STATE_NAMES: Mapping[str, Text] = {
    State.REQUESTED: Text("待审批", "waiting for approval"),
    State.APPROVED: Text("已批准,待制证", "approved, to be made"),
    State.REFUSED: Text("已拒绝", "refused"),
    State.ISSUED: Text("已制证,待启用", "made, to be taken over"),
    State.ACTIVE: Text("有效", "active"),
    State.SUSPENDED: Text("已暂停", "on hold"),
    State.REVOKED: Text("已吊销", "revoked"),
    State.SUPERSEDED: Text("已被取代", "superseded"),
}
REASON_NAMES: Mapping[Reason, Text] = {
    Reason.UNSPECIFIED: Text("未说明", "unspecified"),
    Reason.KEY_COMPROMISE: Text("USB Key 遗失或密钥泄露", "key lost or compromised"),
    Reason.AFFILIATION_CHANGED: Text("岗位或单位变动", "affiliation changed"),
    Reason.SUPERSEDED: Text("已换新证书", "superseded"),
    Reason.CESSATION_OF_OPERATION: Text("停止使用", "cessation of operation"),
    Reason.PRIVILEGE_WITHDRAWN: Text("取消权限", "privilege withdrawn"),
}
ON_PAGES = ("approve", "refuse", "suspend", "release", "revoke")
_A_REASON = "-"


@dataclass(frozen=True, slots=True)
class Filter:
    """`owner`: only this holder's; `before`: only rows with a smaller id (the next page)."""

    owner: str = ""
    state: str = ""
    text: str = ""
    before: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """`following` is the next page's `before`, 0 on the last one."""

    rows: Sequence[CertificateRow]
    following: int
    waiting: Sequence[CertificateRow]
    ending: Sequence[EndingSoon]
    counts: Mapping[str, int]


def overview(session: Session, wanted: Filter, now: datetime) -> Overview:
    """One page of certificates, the newest first; with all requests that wait and all that end soon."""
    row = CertificateRow
    within = [row.owner == wanted.owner] if wanted.owner else []
    query = select(row).where(*within, *_conditions(wanted)).order_by(row.id.desc()).limit(PAGE + 1)
    rows = list(session.scalars(query))
    waiting = session.scalars(select(row).where(*within, row.state == State.REQUESTED).order_by(row.id)).all()
    ending = [entry for entry in ending_soon(session, now) if wanted.owner in ("", entry.owner)]
    counted = select(row.state, func.count()).where(*within).group_by(row.state)
    counts = {entry[0]: entry[1] for entry in session.execute(counted)}
    return Overview(rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else 0, waiting, ending, counts)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    row, found = CertificateRow, []
    if wanted.state:
        found.append(row.state == wanted.state)
    if wanted.before:
        found.append(row.id < wanted.before)
    if wanted.text:
        text = wanted.text
        found.append(
            or_(row.owner.contains(text, autoescape=True), row.subject.contains(text, autoescape=True),
                row.fingerprint == text.lower(), row.serial == text.lower(), row.reference == text.lower())
        )  # fmt: skip
    return found


def history(session: Session, row: CertificateRow) -> Sequence[CertificateChange]:
    """Every change, oldest first."""
    query = select(CertificateChange).where(CertificateChange.certificate_id == row.id)
    return session.scalars(query.order_by(CertificateChange.id)).all()


def moves_open_to(row: CertificateRow, actor: Actor) -> list[str]:
    """The moves that the rules would let this person make now, in the pages' order."""
    return [name for name in ON_PAGES if _is_open(name, row, actor)]


def _is_open(name: str, row: CertificateRow, actor: Actor) -> bool:
    try:
        decide(MOVES[name], State(row.state), actor, owner=row.owner, requested_by=row.requested_by, reason=_A_REASON)
    except MoveNotAllowed:
        return False
    return True


def profile_title(name: str) -> Text:
    """A certificate kind in words."""
    return PROFILES[name].title if name in PROFILES else Text(name, name)
