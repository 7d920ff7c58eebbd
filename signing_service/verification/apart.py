"""Timestamps and certificates that stand outside a document, judged by the same rules as those inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from signing_service.verification.certificates import load
from signing_service.verification.chain import TrustStore
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import RevocationData
from signing_service.verification.timestamps import Token, judge_token
from signing_service.verification.trust import judge_trust


@dataclass(frozen=True, slots=True)
class _Apart:
    policy: Policy
    store: TrustStore
    revocation: RevocationData

    @classmethod
    def of(cls, policy: Policy, others: Iterable[bytes]) -> _Apart:
        store = TrustStore(policy, others)
        return cls(policy, store, RevocationData(policy.crls, policy.ocsp_responses, store))


def judge_timestamp(token: bytes, stamped: bytes, policy: Policy, others: Iterable[bytes] = ()) -> Token:
    """An RFC 3161 token (DER) over `stamped`, judged at the policy's time. `others`: certificates at hand, DER."""
    return judge_token(token, stamped, policy.at, _Apart.of(policy, others))


def why_not_trusted(
    certificate: bytes, others: Iterable[bytes], purposes: Sequence[Purpose], policy: Policy, proven: datetime | None
) -> str | None:
    """None when `certificate` (DER) is good for one of `purposes`; else why it is not.

    `proven`: the time at which a believed timestamp shows its signature to have existed; None: judged as of now.
    """
    loaded = load(certificate)
    if loaded is None:
        return "it is no certificate"
    when = min(proven or policy.at, policy.at)
    trust = judge_trust(loaded, purposes, when, proven is not None, _Apart.of(policy, others))
    return None if trust.code is None else trust.detail
