"""The desk over approvals: an officer's steps as desk items, and their signatures as signature jobs.

Also the channel's `Purpose`: consent takes the case's lease, a completed file becomes the step's result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.agent.page_images import PagePlace, find_spot
from signing_service.approvals import course
from signing_service.approvals.areas import Area
from signing_service.approvals.casework import Casework, find_case, find_step
from signing_service.approvals.deadlines import Card, Change, card, due
from signing_service.approvals.delegation import delegate
from signing_service.approvals.errors import ApprovalError, NotRead, NotYourStep
from signing_service.approvals.examining import Examine
from signing_service.approvals.lease import take_lease
from signing_service.approvals.register import ApprovalCase, ClockChange, RouteStep, StepSignature
from signing_service.approvals.returning import return_case, withdraw_signature
from signing_service.approvals.rules import STEP_WORDS, Actor, CaseState, StepState, acts_as_delegate, may_be_withdrawn
from signing_service.channel.delivery import NewJob
from signing_service.kernel.clock import in_words, local
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import SignatureRequest, prepare
from signing_service.people.errors import Unknown
from signing_service.people.officers import SIGNING
from signing_service.people.register import PeopleRegister
from signing_service.people.sessions import LoggedIn
from signing_service.web.desk_ports import DeskItem, DeskList, NoSigningCertificate, NotOnDesk

MOST_ITEMS = 500
A4_MM = (210.0, 297.0)
Chain = Callable[[bytes], list[bytes]]


@dataclass(frozen=True, slots=True)
class Reference:
    """Names one signature to be made: a case, its step, and the step's round."""

    case: str
    step: int
    round: int

    def __str__(self) -> str:
        return f"{self.case}.{self.step}.{self.round}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises NotOnDesk."""
        case, _, rest = text.partition(".")
        step, _, number = rest.partition(".")
        if not (case.isalnum() and step.isdecimal() and number.isdecimal() and len(text) < 100):
            raise NotOnDesk
        return cls(case, int(step), int(number))


class ApprovalCasebook:
    """`chain` gives the certificates above an officer's; `examine` judges a completed file."""

    def __init__(self, work: Casework, people: PeopleRegister, chain: Chain, examine: Examine) -> None:
        self._work, self._people, self._chain, self._examine = work, people, chain, examine

    def items(self, officer: LoggedIn, which: DeskList) -> list[DeskItem]:
        """The officer's steps, the one due first at the top; signed ones newest first."""
        actor = _actor(officer)
        with self._work.database.read() as session:
            found = [self._item(session, step, actor) for step in self._steps(session, actor, which)]
        if which is DeskList.OVERDUE:
            found = [item for item in found if item.card == Card.RED]
        if which is DeskList.SIGNED:
            return found
        return sorted(found, key=lambda item: (item.due is None, item.due, item.number))

    def item(self, officer: LoggedIn, reference: str) -> DeskItem:
        actor = _actor(officer)
        with self._work.database.read() as session:
            return self._item(session, self._seen(session, actor, reference), actor)

    def document(self, officer: LoggedIn, reference: str) -> bytes:
        """The head revision of the document that reviewers sign."""
        with self._work.database.read() as session:
            step = self._seen(session, _actor(officer), reference)
            case_id, step_id = step.case_id, step.id
        return course.to_sign(self._work, case_id, step_id).content

    def place(self, officer: LoggedIn, reference: str) -> PagePlace | None:
        with self._work.database.read() as session:
            box = self._seen(session, _actor(officer), reference).box
        if not box:
            return None
        area, (width, height) = Area.from_dict(box), A4_MM
        top = 1 - (area.y_mm + area.height_mm) / height
        return PagePlace(area.page, area.x_mm / width, top, area.width_mm / width, area.height_mm / height)

    def mark_read(self, officer: LoggedIn, reference: str) -> None:
        case_id, step_id = self._named(officer, reference)
        course.mark_read(self._work, case_id, step_id, _actor(officer))

    def prepare(self, officer: LoggedIn, reference: str, opinion: str) -> NewJob:
        """Raises NotOnDesk, NotRead, NoSigningCertificate, and what preparing raises."""
        item = self.item(officer, reference)
        if not item.can_sign or item.reference != reference:
            raise NotOnDesk
        case_id, step_id = self._named(officer, reference)
        self._require_read(item, case_id)
        revision, certificate, now = course.to_sign(self._work, case_id, step_id), self._certificate(officer), self._now
        lines = (
            f"{officer.name}{'(代)' if item.delegated else ''}", item.department, opinion, in_words(now),
        )  # fmt: skip
        field = f"step-{Reference.parse(reference).step}-{Reference.parse(reference).round}"
        request = SignatureRequest(
            field=field, signed_at=now, appearance=TextAppearance(lines), placing=_placing(revision.area),
            name=officer.name, reason=item.step,
        )  # fmt: skip
        chain = self._chain(certificate)
        prepared = prepare(revision.content, request, certificate, chain)
        return NewJob(
            officer=officer.officer, reference=reference, title=item.title, asked_by=item.department,
            prepared=prepared, original=revision.content, certificate=certificate, chain=chain, opinion=opinion,
            spot=find_spot(prepared.document, field), texts=(officer.name, opinion),
        )  # fmt: skip

    def send_back(self, officer: LoggedIn, reference: str, reason: str) -> None:
        """The whole case goes back to the window. Raises StepNotOpen, NotYourStep."""
        case_id, step_id = self._named(officer, reference)
        return_case(self._work, case_id, step_id, _actor(officer), reason)

    def withdraw(self, officer: LoggedIn, reference: str, reason: str) -> None:
        """Raises SignatureNotWithdrawable once a later step was taken up."""
        case_id, step_id = self._named(officer, reference)
        withdraw_signature(self._work, case_id, step_id, _actor(officer), reason)

    def delegate(self, officer: LoggedIn, reference: str, to: str, first: date, last: date, reason: str) -> None:
        """`to` must be an officer who works here. Raises Unknown, NotYourStep, RequestIncomplete."""
        case_id, step_id = self._named(officer, reference)
        with self._people.database.read() as session:
            self._people.officer(session, to)
        delegate(self._work, case_id, step_id, _actor(officer), to=to, begin=first, until=last, reason=reason)

    def consented(self, reference: str, officer: str, certificate: str) -> datetime:
        """The lease on the case's head revision. Raises LeaseHeld while another officer holds it."""
        named = Reference.parse(reference)
        return take_lease(self._work, named.case, named.step, self._acting(officer, certificate))

    def completed(self, reference: str, officer: str, certificate: str, document: bytes, opinion: str) -> None:
        """The step's result; what was recorded already is not recorded again."""
        named, actor = Reference.parse(reference), self._acting(officer, certificate)
        if not self._is_recorded(named, officer):
            course.step_signed(
                self._work, named.case, named.step, actor, document, opinion=opinion, examine=self._examine
            )

    @property
    def _now(self) -> datetime:
        return self._work.clock.now()

    def _named(self, officer: LoggedIn, reference: str) -> tuple[str, int]:
        with self._work.database.read() as session:
            step = self._seen(session, _actor(officer), reference)
            return step.case_id, step.id

    def _seen(self, session: Session, actor: Actor, reference: str) -> RouteStep:
        """The step, if it is the officer's to sign or was signed by the officer. Raises NotOnDesk."""
        named = Reference.parse(reference)
        try:
            step = find_step(find_case(session, named.case), named.step)
            if _signature(session, step, actor) is None:
                acts_as_delegate(step.as_rule(), actor, self._work.today)
        except ApprovalError:
            raise NotOnDesk from None
        return step

    def _steps(self, session: Session, actor: Actor, which: DeskList) -> Iterable[RouteStep]:
        query = select(RouteStep).join(ApprovalCase, ApprovalCase.id == RouteStep.case_id).limit(MOST_ITEMS)
        if which is DeskList.SIGNED:
            mine = (StepSignature.officer == actor.id, StepSignature.withdrawn_at.is_(None))
            query = query.join(StepSignature, StepSignature.step_id == RouteStep.id).where(*mine)
            return list(session.scalars(query.order_by(StepSignature.signed_at.desc())))
        state = StepState.RETURNED if which is DeskList.RETURNED else StepState.OPEN
        query = query.where(RouteStep.state == state)
        if which is not DeskList.RETURNED:
            query = query.where(ApprovalCase.state == CaseState.IN_REVIEW)
        return [step for step in session.scalars(query.order_by(RouteStep.id)) if self._may_sign(step, actor)]

    def _may_sign(self, step: RouteStep, actor: Actor) -> bool:
        try:
            acts_as_delegate(step.as_rule(), actor, self._work.today)
        except NotYourStep:
            return False
        return True

    def _item(self, session: Session, step: RouteStep, actor: Actor) -> DeskItem:
        case = step.case
        mine = self._may_sign(step, actor)
        is_open = step.state == StepState.OPEN and case.state == CaseState.IN_REVIEW
        last = None
        if step.opened_at is not None:
            rows = session.scalars(select(ClockChange).where(ClockChange.case_id == case.id))
            changes = [Change(row.kind, row.begun_on, row.ended_on, row.days) for row in rows]
            opened = local(step.opened_at).date()
            last = due(self._work.calendar, opened, step.promised_days, changes, self._work.today)
        return DeskItem(
            reference=str(Reference(case.id, step.id, step.round)), number=case.number, title=case.title,
            applicant=case.applicant_name, step=step.title, department=step.department_name or case.issuer_name,
            state=STEP_WORDS[StepState(step.state)], can_sign=mine and is_open, read=step.read_at is not None,
            due=last.day if last else None, provisional=bool(last and last.provisional),
            card=card(self._work.calendar, last.day, self._work.today) if last and is_open else Card.NONE,
            since=step.opened_at, delegated=mine and step.delegate == actor.id,
            can_withdraw=_may_withdraw(session, step, actor),
        )  # fmt: skip

    def _require_read(self, item: DeskItem, case_id: str) -> None:
        """Asked before the PIN is, not only when the signature comes."""
        with self._work.database.read() as session:
            required = self._work.matter_of(find_case(session, case_id)).reading_required
        if required and not item.read:
            raise NotRead(item.step)

    def _certificate(self, officer: LoggedIn) -> bytes:
        with self._people.database.read() as session:
            found = self._people.certificates(session, officer.officer, SIGNING)
            if not found:
                raise NoSigningCertificate
            return found[0].der

    def _acting(self, officer: str, certificate: str) -> Actor:
        """The officer as they are now: roles are read at every act. Raises NotOnDesk once they have left."""
        with self._people.database.read() as session:
            try:
                row = self._people.officer(session, officer)
            except Unknown:
                raise NotOnDesk from None
            roles = frozenset(str(role) for role in self._people.roles_of(session, officer))
            return Actor(row.id, row.department_id, roles, certificate)

    def _is_recorded(self, named: Reference, officer: str) -> bool:
        with self._work.database.read() as session:
            query = select(StepSignature.id).where(
                StepSignature.step_id == named.step, StepSignature.round == named.round,
                StepSignature.officer == officer,
            )  # fmt: skip
            return session.scalar(query) is not None


def _actor(officer: LoggedIn) -> Actor:
    return Actor(officer.officer, officer.department, frozenset(str(role) for role in officer.roles))


def _signature(session: Session, step: RouteStep, actor: Actor) -> StepSignature | None:
    query = select(StepSignature).where(StepSignature.step_id == step.id, StepSignature.officer == actor.id)
    return session.scalars(query.limit(1)).first()


def _may_withdraw(session: Session, step: RouteStep, actor: Actor) -> bool:
    mine = select(StepSignature.id).where(
        StepSignature.step_id == step.id, StepSignature.round == step.round, StepSignature.officer == actor.id,
        StepSignature.withdrawn_at.is_(None),
    )  # fmt: skip
    taken_up = frozenset(other.id for other in step.case.steps if other.read_at is not None)
    steps = [other.as_rule() for other in step.case.steps]
    return session.scalar(mine) is not None and may_be_withdrawn(step.as_rule(), steps, taken_up)


def _placing(area: Area | None) -> Placing | None:
    """The step's box; without one the lower left of the last page."""
    if area is None:
        return Placing(-1, 20.0, 20.0, 70.0, 22.0)
    return Placing(area.page, area.x_mm, area.y_mm, area.width_mm, area.height_mm)
