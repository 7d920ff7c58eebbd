"""The internal form of a case as it stands: what the register knows, laid out for the reviewers to sign."""

from __future__ import annotations

from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework, case_due
from signing_service.approvals.deadlines import due_in_words
from signing_service.approvals.documents import FormContent, FormStep, TypesetDocument, typeset_form
from signing_service.approvals.register import ApprovalCase


def typeset_case_form(work: Casework, session: Session, case: ApprovalCase) -> TypesetDocument:
    """Areas are named "step-PLACE" after the steps' places. Raises LayoutFailed, FontMissing."""
    matter = work.matter_of(case)
    lawful, promised = (case_due(work, session, case, days) for days in (matter.statutory_days, matter.promised_days))
    return typeset_form(
        FormContent(
            form_title=matter.form_title,
            case_number=case.number,
            matter_name=matter.name,
            title=case.title,
            department_name=case.issuer_name,
            issuer_name=case.issuer_name,
            applicant_name=case.applicant_name,
            applicant_code=case.applicant_code,
            applicant_code_type=case.applicant_code_type,
            received_at=case.received_at,
            accepted_at=case.accepted_at,
            statutory_due="—" if lawful is None else due_in_words(lawful),
            promised_due="—" if promised is None else due_in_words(promised),
            legal_basis=matter.legal_basis,
            steps=[FormStep(str(s.place), s.title, s.department_name, s.promised_days) for s in case.steps],
            details=[(label, value) for label, value in case.content["details"]],
            simulated=case.simulated,
        )
    )
