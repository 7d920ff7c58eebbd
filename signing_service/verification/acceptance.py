"""Steps 3, 4 and 8 for a signer: trust at the proven time, kind of signer, what happened to seal and certificate
since."""

from __future__ import annotations

from datetime import datetime

from signing_service.verification.algorithms import believed_until, public_key
from signing_service.verification.certificates import Certificate
from signing_service.verification.chain import Chain
from signing_service.verification.context import Context, Judged
from signing_service.verification.policy import SIGNERS, Purpose
from signing_service.verification.ports import SealEvent, SealState
from signing_service.verification.revocation import Statement
from signing_service.verification.trust import Trust, cause_of, judge_trust
from signing_service.verification.wording import moment


def accept_signer(judged: Judged, context: Context) -> None:
    """Conclude about an intact signature that is no timestamp."""
    certificate, policy = judged.certificate, context.policy
    if certificate is None:
        return
    when = judged.trusted_time or policy.at
    trust = judge_trust(certificate, SIGNERS, when, judged.trusted_time is not None, context)
    if trust.code == "revoked_before_signing" and judged.trusted_time is None:
        trust = _revoked_without_proof(judged, trust)
    if trust.chain is not None:
        judged.report.kind = _kind(certificate, trust.chain, context)
    judged.report.at_signing = trust.state
    judged.report.now = _state_now(certificate, trust, context)
    _conclude(judged, trust, context)
    _check_strength(judged, certificate, when)
    _check_claim(judged, context)
    if judged.report.kind == "seal" and context.facts is not None:
        _seal_history(judged, certificate, context)


def _revoked_without_proof(judged: Judged, trust: Trust) -> Trust:
    """Without a trusted time only a claim of having signed after the revocation is certain."""
    revoked_at = datetime.fromisoformat(trust.values["revoked_at"])
    claimed = judged.report.signed_at
    if claimed is not None and claimed >= revoked_at:
        return trust
    trust.code, trust.sub_indication, trust.failed = "revoked_without_trusted_time", "REVOKED_NO_POE", False
    trust.values["time"] = moment(revoked_at)
    return trust


def _kind(certificate: Certificate, chain: Chain, context: Context) -> str:
    """A seal is what leads to the seals' anchors; where one anchor serves seals and persons, the certificate's name
    tells. A licensed CA's certificate is a seal's where the register of seals knows it."""
    facts = context.facts
    if facts is not None and any(event.certificate_sha256 == certificate.sha256 for event in facts.seals):
        return "seal"
    if chain.purpose not in (Purpose.SEALS, Purpose.SIMULATED):
        return "signature"
    others = [
        anchor for purpose in (Purpose.OFFICERS, Purpose.OUTSIDE) for anchor in context.store.anchors.get(purpose, [])
    ]
    if chain.anchor not in others:
        return "seal"
    usage = certificate.key_usage
    if usage is not None and usage.content_commitment and not usage.digital_signature:
        return "signature"
    name = certificate.common_name().lower()
    return "seal" if "章" in name or "seal" in name.split() else "signature"


def _state_now(certificate: Certificate, trust: Trust, context: Context) -> str:
    if trust.revoked_since is not None:
        return "revoked"
    if trust.code is None and context.policy.at > certificate.not_after:
        return "expired"
    return trust.state


def _conclude(judged: Judged, trust: Trust, context: Context) -> None:
    report = judged.report
    if trust.chain is None:
        judged.note(3, "certificate chain", "indeterminate", trust.detail)
    else:
        path = " < ".join(certificate.common_name() for certificate in trust.chain.path)
        judged.note(3, "certificate chain", "passed", f"{path} ({trust.chain.purpose})")
    simulated = trust.chain is not None and trust.chain.purpose is Purpose.SIMULATED
    if simulated or (judged.certificate is not None and "模拟" in judged.certificate.x509.subject.rfc4514_string()):
        judged.conclude("simulated", "INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")
    if trust.code is not None:
        result = "failed" if trust.failed else "indeterminate"
        judged.note(4, "validity and revocation", result, trust.detail)
        judged.conclude(
            trust.code, "TOTAL-FAILED" if trust.failed else "INDETERMINATE", trust.sub_indication, **trust.values
        )
        return
    judged.note(4, "validity and revocation", "passed", _since(trust.revoked_since))
    if trust.revoked_since is not None and trust.revoked_since.revoked_at is not None:
        values = {"time": moment(trust.revoked_since.revoked_at), "cause": cause_of(trust.revoked_since)}
        judged.conclude("revoked_since", "TOTAL-PASSED", None, **values)
    time = moment(report.signed_at) if report.signed_at else "—"
    organisation = report.organisation or report.signer
    if report.kind == "seal":
        judged.conclude(
            "passed",
            "TOTAL-PASSED",
            None,
            organisation=organisation,
            time=time,
            seal=report.signer,
            signer=report.signer,
        )
    else:
        name = f"{report.signer}({report.organisation})" if report.organisation else report.signer
        judged.conclude("passed_signature", "TOTAL-PASSED", None, signer=name, organisation=organisation, time=time)


def _since(statement: Statement | None) -> str:
    if statement is None or statement.revoked_at is None:
        return ""
    return f"revoked later, at {statement.revoked_at.isoformat()} ({cause_of(statement)})"


def _check_strength(judged: Judged, certificate: Certificate, when: datetime) -> None:
    """The signature's own digest and key at the proven time (EN 319 102-1, 5.2.8; ETSI TS 119 312)."""
    weak = believed_until(judged.container.digest, public_key(certificate.x509)) if judged.container else None
    if weak is not None and when > weak[1]:
        judged.note(5, "algorithm strength", "indeterminate", f"{weak[0]} is believed until {weak[1].date()}")
        judged.conclude("weak_algorithm", "INDETERMINATE", "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", name=weak[0])
    else:
        judged.note(5, "algorithm strength", "passed", judged.report.algorithm)


def _check_claim(judged: Judged, context: Context) -> None:
    claimed = judged.report.signed_at
    if (
        judged.report.time_source == "claimed"
        and claimed is not None
        and claimed > context.policy.at + context.policy.clock_skew
    ):
        judged.note(7, "claimed time", "indeterminate", f"claims {claimed.isoformat()}, in the future")
        judged.conclude("claimed_time_in_future", "INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")


def _seal_history(judged: Judged, certificate: Certificate, context: Context) -> None:
    """The seal's register at sealing: suspended or cancelled then is a failure, a later succession is only told."""
    facts = context.facts
    events = sorted(
        (event for event in (facts.seals if facts else ()) if event.certificate_sha256 == certificate.sha256),
        key=lambda e: e.at,
    )
    proven = judged.trusted_time
    when = proven or judged.report.signed_at or context.policy.at
    before = [event for event in events if event.at <= when]
    after = [event for event in events if when < event.at <= context.policy.at]
    state = before[-1].state if before else SealState.ACTIVE
    if state is SealState.SUSPENDED:
        judged.note(4, "seal register", "failed", "suspended when applied")
        judged.conclude("seal_suspended", "TOTAL-FAILED", "REVOKED")
    elif state in (SealState.CANCELLED, SealState.SUCCEEDED):
        judged.note(4, "seal register", "failed", f"{state} when applied")
        judged.conclude("seal_cancelled", "TOTAL-FAILED", "REVOKED")
    else:
        _seal_since(judged, after, proven)


def _seal_since(judged: Judged, after: list[SealEvent], proven: datetime | None) -> None:
    ending = [event for event in after if event.state is not SealState.ACTIVE]
    judged.note(
        4, "seal register", "passed", f"valid when applied{', ' + ending[-1].state + ' since' if ending else ''}"
    )
    if ending and proven is None:
        judged.conclude("no_trusted_time", "INDETERMINATE", "REVOKED_NO_POE")
    succeeded = next((event for event in reversed(after) if event.state is SealState.SUCCEEDED), None)
    if succeeded is not None:
        organisation = succeeded.organisation or judged.report.organisation
        values = {"organisation": organisation, "time": moment(succeeded.at), "successor": succeeded.successor}
        judged.conclude("seal_succeeded", "TOTAL-PASSED", None, **values)
