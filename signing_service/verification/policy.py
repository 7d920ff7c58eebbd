"""What the caller decides before judging: whom to trust for what, when, and how fresh revocation data must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from signing_service.verification.limits import Limits
from signing_service.verification.path_parameters import PathParameters
from signing_service.verification.ports import Fetcher


class Purpose(StrEnum):
    """What a trust anchor is trusted for. `simulated` anchors make a document recognisable, never passed;
    `outside-timestamps` are authorities that are independent of those who sign and seal here."""

    OFFICERS = "officers"
    SEALS = "seals"
    TIMESTAMPS = "timestamps"
    OUTSIDE_TIMESTAMPS = "outside-timestamps"
    OUTSIDE = "outside"
    SIMULATED = "simulated"


TIME = (Purpose.TIMESTAMPS, Purpose.OUTSIDE_TIMESTAMPS)
SIGNERS = (Purpose.SEALS, Purpose.OFFICERS, Purpose.OUTSIDE, Purpose.SIMULATED)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a verdict depends on besides the file and the facts. Certificates, CRLs and OCSP responses are DER.

    anchors: certificates by purpose (a CA's or a signer's own). at: the instant of judging, aware. fetcher: None means
    offline, nothing is fetched. crls, ocsp_responses: revocation data known locally. certificates: intermediates known
    locally. revocation_required: without revocation data a signature is `revocation_unknown`. freshness: how old
    revocation data may be at the time that it is used for, beyond its own period. identifiers: licence identifiers
    that the caller already knows. recipient, matter: who is asked to accept the document, and for what; a purpose-bound
    copy for anybody else is not usable. Empty: nobody said. paths: what is asked of certificate paths, by purpose;
    RFC 5280's defaults where nothing is said.
    """

    anchors: Mapping[Purpose, Sequence[bytes]]
    at: datetime
    fetcher: Fetcher | None = None
    crls: Sequence[bytes] = ()
    ocsp_responses: Sequence[bytes] = ()
    certificates: Sequence[bytes] = ()
    revocation_required: bool = True
    freshness: timedelta = timedelta(hours=1)
    clock_skew: timedelta = timedelta(minutes=5)
    identifiers: Sequence[str] = ()
    recipient: str = ""
    matter: str = ""
    limits: Limits = field(default_factory=Limits)
    paths: Mapping[Purpose, PathParameters] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the validation time must be aware")
