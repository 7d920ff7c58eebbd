"""A simulated approval becomes formal (转为正式审批): the formal case is opened from it, takes its own course, and when
it is released the simulated file is recalled in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select

from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.errors import NotConvertible
from signing_service.approvals.intake import CaseRequest, OpenedCase, open_case
from signing_service.approvals.matter_catalogue import GIVEN_FILE, StepPlan
from signing_service.approvals.platform_tables import ApplicantContact
from signing_service.approvals.register import GIVEN, ApprovalCase, RouteStep
from signing_service.approvals.rules import Actor, CaseState
from signing_service.errors import Text

CONVERSION = "conversion"
"""The formal case's `source`; its `source_key` is the simulated case's id, so that one gives one."""
SUFFIX = "（模拟）"


@dataclass(slots=True)
class _Copied:
    """What the formal case takes from the simulated one; sealed values are opened outside the transaction."""

    case: ApprovalCase
    contacts: dict[str, bytes] = field(default_factory=dict)
    given: str = ""


def open_formal(work: Casework, case_id: str, actor: Actor) -> OpenedCase:
    """Open the formal case of a simulated one whose conditions are complete: same matter, applicant, request and route.

    Raises NotConvertible, CaseExists when it was opened before.
    """
    copied = _read(work, case_id)
    opened = open_case(work, _request(work, copied), actor)
    with work.change(case_id) as (session, case):
        case.formal_case = opened.case_id
        work.log(session, case, "conversion_begun", actor, formal=opened.number)
    return opened


def _read(work: Casework, case_id: str) -> _Copied:
    with work.database.read() as session:
        case = find_case(session, case_id)
        problems = {
            Text(
                f"办件 {case.number} 不是模拟审批。", f"Case {case.number} is not a simulated one."
            ): not case.simulated,
            Text("它尚未办结。", "It is not delivered."): CaseState(case.state) is not CaseState.DELIVERED,
            Text("条件尚未齐备。", "Its conditions are not complete."): case.complete_since is None,
        }
        for why, found in problems.items():
            if found:
                raise NotConvertible(why)
        rows = session.scalars(select(ApplicantContact).where(ApplicantContact.case_id == case_id))
        given = [one.digest for one in case.versions if one.kind == GIVEN and one.revision == 0]
        assert case.steps  # noqa: S101  # read while the session is open
        return _Copied(case, {row.channel: row.address_sealed for row in rows}, given[-1] if given else "")


def _request(work: Casework, copied: _Copied) -> CaseRequest:
    case, numbers = copied.case, work.personal_numbers
    code = case.applicant_code
    if case.applicant_code_sealed is not None:
        code = numbers.open(case.applicant_code_sealed, case.id)
    return CaseRequest(
        matter=case.matter,
        applicant=Applicant(case.applicant_name, code, case.applicant_code_type),
        fields=case.content["fields"],
        title=case.title.removesuffix(SUFFIX),
        given=work.blobs.get(copied.given) if case.document_mode == GIVEN_FILE else None,
        route=[_plan(step) for step in case.steps],
        source=CONVERSION,
        source_key=case.id,
        real_name_check=case.real_name_check,
        contacts={channel: numbers.open(sealed, case.id) for channel, sealed in copied.contacts.items()},
    )


def _plan(step: RouteStep) -> StepPlan:
    return StepPlan(
        step.stage, step.title, step.department, step.role, step.promised_days, step.department_name,
        signs_again=step.signs_again, box=step.box,
    )  # fmt: skip
