"""Steps 3 and 4: chain and revocation at an instant (EN 319 102-1, 5.2.6), the same for signers and timestamp
services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from signing_service.verification.algorithms import believed_until, public_key, signature_algorithm
from signing_service.verification.certificate_form import usage_fault
from signing_service.verification.certificates import Certificate
from signing_service.verification.chain import Chain, NoChain, outside_validity
from signing_service.verification.context import TrustContext
from signing_service.verification.errors import UnsupportedAlgorithm
from signing_service.verification.fetching import fetch_for
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import COMPROMISE, Standing, Statement

_DOCUMENT_SIGNING = {"1.3.6.1.5.5.7.3.36", "1.2.840.113583.1.1.5", "1.3.6.1.4.1.311.10.3.12"}
_OWN = (Purpose.SEALS, Purpose.OFFICERS)
_SIGNING_PURPOSES = {
    "1.3.6.1.5.5.7.3.4",
    "1.3.6.1.5.5.7.3.36",
    "1.2.840.113583.1.1.5",
    "1.3.6.1.4.1.311.10.3.12",
}


@dataclass(slots=True)
class Trust:
    """The outcome for one certificate at one instant. `code` None: trusted. `state` is a word for the report."""

    code: str | None = None
    state: str = "valid"
    sub_indication: str | None = None
    detail: str = ""
    chain: Chain | None = None
    values: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    revoked_since: Statement | None = None


def judge_trust(
    certificate: Certificate, purposes: Sequence[Purpose], when: datetime, proven: bool, context: TrustContext
) -> Trust:
    """Is `certificate` good for one of `purposes` at `when`? `proven`: a trusted time shows the signature existed
    then."""
    chain = context.store.find_chain(certificate, _fitting(certificate, purposes), when)
    if isinstance(chain, NoChain):
        return _untrusted(chain)
    usage = _usage_problem(certificate, purposes)
    if usage:
        return Trust("untrusted_signer", "untrusted", "CHAIN_CONSTRAINTS_FAILURE", usage, chain)
    trust = _validity(chain, when, proven) or _revocation(chain, when, proven, context)
    if trust.code is None:
        weak = _weak(chain, when)
        if weak:
            return Trust(
                "weak_algorithm",
                "weak",
                "CRYPTO_CONSTRAINTS_FAILURE_NO_POE",
                f"{weak} in the chain",
                chain,
                {"name": weak},
            )
    return trust


def _fitting(certificate: Certificate, purposes: Sequence[Purpose]) -> Sequence[Purpose]:
    """Our own authorities also certify log-in, receipts and paper codes: only a certificate for signing documents
    (RFC 9336) can be a seal's or an officer's."""
    if certificate.purposes is not None and certificate.purposes & _DOCUMENT_SIGNING:
        return purposes
    return [purpose for purpose in purposes if purpose not in _OWN]


def _untrusted(problem: NoChain) -> Trust:
    if problem.kind == "unsupported":
        return Trust(
            "unsupported_algorithm",
            "unknown",
            "CRYPTO_CONSTRAINTS_FAILURE",
            problem.detail,
            values={"name": problem.detail},
        )
    sub = "NO_CERTIFICATE_CHAIN_FOUND" if problem.kind == "no_issuer" else "CHAIN_CONSTRAINTS_FAILURE"
    return Trust("untrusted_signer", "untrusted", sub, problem.detail)


def _usage_problem(certificate: Certificate, purposes: Sequence[Purpose]) -> str | None:
    if Purpose.TIMESTAMPS in purposes:
        return None if certificate.is_timestamper else "the certificate is not for timestamping alone"
    return usage_fault(certificate, _SIGNING_PURPOSES)


def _validity(chain: Chain, when: datetime, proven: bool) -> Trust | None:
    outside = outside_validity(chain, when)
    if outside is None:
        return None
    certificate, how = outside
    detail = f"{certificate.common_name()} is {how.replace('_', ' ')} at {when.isoformat()}"
    if how == "expired":
        return Trust("no_trusted_time", "expired", "EXPIRED" if proven else "OUT_OF_BOUNDS_NO_POE", detail, chain)
    return Trust("certificate_not_yet_valid", "not_yet_valid", "NOT_YET_VALID", detail, chain)


def _revocation(chain: Chain, when: datetime, proven: bool, context: TrustContext) -> Trust:
    """Every certificate below the anchor, the leaf first; the first problem counts, and a later revocation is
    remembered."""
    since: Statement | None = None
    unknown: Certificate | None = None
    for certificate, issuer in chain.pairs():
        standing = _standing(certificate, issuer, when, context)
        if standing.state in ("revoked", "held") and standing.statement is not None:
            return _revoked(certificate, standing, chain, proven)
        later = standing.statement
        if later is not None and later.revoked_at is not None:
            if _compromised(later, when):
                return _compromise(certificate, chain)
            since = since or later
        if standing.state == "unknown":
            unknown = unknown or certificate
    if unknown is not None and context.policy.revocation_required:
        values = {"organisation": chain.anchor.organisation() or chain.anchor.common_name()}
        return Trust(
            "revocation_unknown", "unknown", "TRY_LATER", f"no status of {unknown.common_name()}", chain, values
        )
    return Trust(chain=chain, revoked_since=since)


def _standing(certificate: Certificate, issuer: Certificate, when: datetime, context: TrustContext) -> Standing:
    policy: Policy = context.policy
    standing = context.revocation.standing(certificate, issuer, when, policy.at, policy.freshness)
    if policy.fetcher is not None and (standing.state == "unknown" or _may_have_changed(certificate, standing, policy)):
        context.revocation.add(*fetch_for(certificate, issuer, policy.fetcher))
        standing = context.revocation.standing(certificate, issuer, when, policy.at, policy.freshness)
    return standing


def _may_have_changed(certificate: Certificate, standing: Standing, policy: Policy) -> bool:
    """Is the newest word out of date at the validation time, while the certificate is not? What a document brings along
    tells of its sealing, not of today."""
    newest = standing.newest
    if newest is None or certificate.not_after < policy.at or (newest.revoked_at is not None and not newest.hold):
        return False
    ends = newest.next_update or newest.this_update + policy.freshness
    return ends < policy.at


def _compromised(statement: Statement, when: datetime) -> bool:
    """A compromise dated before the trusted time, though revoked after it."""
    return statement.reason in COMPROMISE and statement.invalid_since is not None and statement.invalid_since <= when


def _compromise(certificate: Certificate, chain: Chain) -> Trust:
    values = {"organisation": certificate.organisation() or chain.anchor.organisation() or certificate.common_name()}
    return Trust(
        "compromised_before_signing",
        "revoked",
        "REVOKED_NO_POE",
        "the key leaked before the trusted time",
        chain,
        values,
    )


def _revoked(certificate: Certificate, standing: Standing, chain: Chain, proven: bool) -> Trust:
    statement = standing.statement
    if statement is None or statement.revoked_at is None:
        return Trust("revocation_unknown", "unknown", "TRY_LATER", chain=chain)
    detail = f"{certificate.common_name()} was revoked at {statement.revoked_at.isoformat()}"
    values = {"revoked_at": statement.revoked_at.isoformat(), "cause": cause_of(statement)}
    if standing.state == "held":
        return Trust(
            "seal_suspended",
            "suspended",
            "REVOKED" if proven else "REVOKED_NO_POE",
            detail,
            chain,
            values,
            failed=proven,
        )
    sub = "REVOKED" if certificate == chain.path[0] else "REVOKED_CA_NO_POE"
    return Trust("revoked_before_signing", "revoked", sub, detail, chain, values, failed=True)


def cause_of(statement: Statement) -> str:
    """The CRL reason as a word of the standard."""
    return statement.reason.value if statement.reason is not None else "unspecified"


def _weak(chain: Chain, when: datetime) -> str | None:
    """The first algorithm below the anchor that was no longer believed at `when`."""
    for certificate, issuer in chain.pairs():
        try:
            algorithm = signature_algorithm_of(certificate)
            found = believed_until(algorithm, public_key(issuer.x509))
        except UnsupportedAlgorithm:
            continue
        if found and when > found[1]:
            return found[0]
    return None


def signature_algorithm_of(certificate: Certificate) -> str:
    """The digest that a certificate's own signature uses."""
    oid = certificate.x509.signature_algorithm_oid.dotted_string
    if oid == "1.2.840.113549.1.1.10":
        return "sha256"
    return signature_algorithm(oid).digest or "sha512"
