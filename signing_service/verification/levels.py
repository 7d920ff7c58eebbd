"""Step 8: the PAdES level that a signature reaches (EN 319 142-1): B-B, B-T, B-LT, B-LTA."""

from __future__ import annotations

from collections.abc import Sequence

from signing_service.verification.byte_range import Coverage
from signing_service.verification.certificates import Certificate
from signing_service.verification.chain import Chain
from signing_service.verification.context import Context, Judged
from signing_service.verification.dss import SecurityStore, read_security_store
from signing_service.verification.policy import SIGNERS, TIME, Purpose
from signing_service.verification.revocation import RevocationData


def level_of(judged: Judged, later_timestamps: Sequence[Judged], context: Context) -> str:
    """Of an intact signature; `later_timestamps` are the intact, believed document timestamps that cover it, oldest
    first."""
    if judged.trusted_time is None or judged.certificate is None:
        return "B-B"
    if not _carried(judged, later_timestamps, read_security_store(context.revisions.current), context):
        return "B-T"
    for stamp in later_timestamps:
        coverage = stamp.found.coverage
        if isinstance(coverage, Coverage):
            earlier = [other for other in later_timestamps if other.found.end < coverage.end]
            if _carried(judged, earlier, read_security_store(context.revisions.at(coverage.end)), context):
                return "B-LTA"
    return "B-LT"


def _carried(judged: Judged, stamps: Sequence[Judged], store: SecurityStore, context: Context) -> bool:
    """Does the document itself carry revocation data for the signer's and the signature timestamp's whole chains?"""
    certificates = [
        (judged.certificate, SIGNERS),
        *((stamp, TIME) for stamp, _ in judged.timestamp_chains),
    ]
    if not judged.timestamp_chains:
        certificates += [(stamp.certificate, TIME) for stamp in stamps[:1]]
    containers = [item.container for item in (judged, *stamps) if item.container is not None]
    crls = [*store.crls, *(raw for container in containers for raw in container.crls)]
    responses = [*store.ocsp_responses, *(raw for container in containers for raw in container.ocsp_responses)]
    if not crls and not responses:
        return False
    carried = RevocationData(crls, responses, context.store)
    return all(
        certificate is not None and _covered(certificate, purposes, carried, context)
        for certificate, purposes in certificates
    )


def _covered(certificate: Certificate, purposes: Sequence[Purpose], carried: RevocationData, context: Context) -> bool:
    chain = context.store.find_chain(certificate, purposes, context.policy.at)
    if not isinstance(chain, Chain):
        return False
    return all(carried.statements(below, above) for below, above in chain.pairs())
