"""Step 7: timestamps (EN 319 102-1, 5.4 and 5.5): which existed, whom to believe, and since when each signature exists.

The newest document timestamp is judged at the validation time. What it covers is then known to have existed at its
time, so the next older one is judged at that time, and so on down to the signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signing_service.verification.algorithms import believed_until, new_hash, public_key
from signing_service.verification.certificates import Certificate, load_all
from signing_service.verification.container import Container, read_container, read_timestamp
from signing_service.verification.context import Context, Judged, TrustContext
from signing_service.verification.cryptography_check import check_identity, check_value, find_signer
from signing_service.verification.errors import UnreadableCms, UnsupportedAlgorithm
from signing_service.verification.policy import TIME
from signing_service.verification.trust import Trust, judge_trust


@dataclass(frozen=True, slots=True)
class Token:
    """One signature timestamp. `state`: good, bad (does not belong here or is forged), untrusted, unsupported."""

    state: str
    detail: str
    time: datetime | None = None
    certificate: Certificate | None = None
    code: str = "untrusted_timestamp"
    organisation: str = ""
    authority: str | None = None


def prove_times(signatures: list[Judged], context: Context) -> None:
    """Give every intact signature its `trusted_time`; `signatures` in ascending order of coverage."""
    known = context.policy.at
    for judged in reversed(signatures):
        if not judged.intact:
            continue
        if judged.is_timestamp:
            proven = _prove_document_timestamp(judged, known, context)
            known = min(known, proven) if proven else known
        else:
            _prove_signature(judged, known, context)


def _prove_document_timestamp(judged: Judged, known: datetime, context: Context) -> datetime | None:
    """The time it proves, or None when its service is not believed."""
    if judged.certificate is None or judged.report.signed_at is None:
        return None
    trust = judge_trust(judged.certificate, TIME, known, known < context.policy.at, context)
    judged.report.at_signing = judged.report.now = trust.state
    if trust.code is None:
        trust = _strength(judged.container, judged.certificate, known, trust)
    if trust.code is not None:
        judged.note(7, "timestamp service", "failed" if trust.failed else "indeterminate", trust.detail)
        code = "untrusted_timestamp" if trust.code == "untrusted_signer" else trust.code
        judged.conclude(
            code, "INDETERMINATE" if not trust.failed else "TOTAL-FAILED", trust.sub_indication, **trust.values
        )
        return None
    judged.note(7, "timestamp service", "passed", f"{judged.report.signer} at {judged.report.signed_at.isoformat()}")
    judged.trusted_time = judged.report.signed_at
    judged.report.time_authority = authority_of(trust, context)
    return judged.report.signed_at


def _independent(known: str | None, other: str | None) -> str | None:
    """One independent authority is enough."""
    return "outside" if "outside" in (known, other) else other or known


def _strength(container: Container | None, certificate: Certificate, when: datetime, trust: Trust) -> Trust:
    """A timestamp made with an algorithm that was no longer believed proves nothing."""
    weak = believed_until(container.digest, public_key(certificate.x509)) if container else None
    if weak and when > weak[1]:
        return Trust(
            "weak_algorithm", "weak", "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", weak[0], trust.chain, {"name": weak[0]}
        )
    return trust


def _prove_signature(judged: Judged, known: datetime, context: Context) -> None:
    best = known if known < context.policy.at else None
    for raw in judged.container.tokens if judged.container else ():
        token = judge_token(raw, judged.container.signature if judged.container else b"", known, context)
        judged.note(
            7,
            "signature timestamp",
            {"good": "passed", "bad": "failed"}.get(token.state, "indeterminate"),
            token.detail,
        )
        if token.state == "bad":
            judged.conclude("timestamp_invalid", "TOTAL-FAILED", "SIG_CRYPTO_FAILURE")
        elif token.state == "good" and token.time is not None and token.certificate is not None:
            judged.report.time_authority = _independent(judged.report.time_authority, token.authority)
            best = min(best, token.time) if best else token.time
            judged.timestamp_chains.append((token.certificate, token.time))
        else:
            judged.conclude(token.code, "INDETERMINATE", "NO_POE", organisation=token.organisation or "—")
    judged.trusted_time = best
    if best is not None:
        _state_time(judged, best, context)


def _state_time(judged: Judged, best: datetime, context: Context) -> None:
    claimed = judged.report.signed_at
    if claimed is not None and claimed > best + context.policy.clock_skew:
        judged.note(7, "claimed time", "information", f"claims {claimed.isoformat()}, after its own timestamp")
    judged.report.signed_at, judged.report.time_source = best, "timestamp"


def judge_token(raw: bytes, stamped: bytes, known: datetime, context: TrustContext) -> Token:
    """Judge one RFC 3161 token over `stamped`, known to exist at `known`."""
    try:
        container = read_container(raw)
        info = read_timestamp(container)
        certificate = find_signer(container, [*load_all(container.certificates), *context.store.everything()])
        state, content = new_hash(info.digest), new_hash(container.digest)
    except UnsupportedAlgorithm as error:
        return Token("unsupported", error.explain("en"))
    except UnreadableCms as error:
        return Token("bad", error.detail)
    state.update(stamped)
    if state.digest() != info.imprint:
        return Token("bad", "the timestamp was made for another signature", info.time)
    if certificate is None:
        return Token("untrusted", "the timestamp service's certificate is not at hand", info.time)
    content.update(container.content or b"")
    outcome = check_value(container, certificate, content.digest())
    if outcome.code is not None:
        state_word = "unsupported" if outcome.code == "unsupported_algorithm" else "bad"
        return Token(state_word, outcome.detail, info.time, certificate)
    return _token_trust(container, certificate, info.time, known, context)


def _token_trust(
    container: Container, certificate: Certificate, time: datetime, known: datetime, context: TrustContext
) -> Token:
    context.store.add(container.certificates)
    context.revocation.add(container.crls, container.ocsp_responses)
    identity = check_identity(container, certificate, ess_required=False)
    if identity.code is not None:
        return Token("bad", identity.detail, time, certificate)
    trust = judge_trust(certificate, TIME, known, known < context.policy.at, context)
    if trust.code is None:
        trust = _strength(container, certificate, known, trust)
    if trust.code is not None:
        code = "revocation_unknown" if trust.code == "revocation_unknown" else "untrusted_timestamp"
        detail = f"{certificate.common_name()}: {trust.detail}"
        return Token("untrusted", detail, time, certificate, code, trust.values.get("organisation", ""))
    detail = f"{certificate.common_name()} at {time.isoformat()}"
    return Token("good", detail, time, certificate, authority=authority_of(trust, context))


def authority_of(trust: Trust, context: TrustContext) -> str | None:
    """Whose time it is: `outside` is independent of those who sign here, `own` is not; None where that is not known."""
    if trust.chain is None:
        return None
    own, outside = (trust.chain.anchor in context.store.anchors.get(purpose, ()) for purpose in TIME)
    return None if own == outside else "own" if own else "outside"
