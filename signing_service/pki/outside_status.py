"""Is an outside CA's certificate revoked? Judged by certvalidator (RFC 5280 6, RFC 6960) over what the CA's own sources
say: OCSP first, CRLs where that is not enough. Unknown is refused, unless the settings accept it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    CRLNoMatchesError,
    CRLValidationIndeterminateError,
    OCSPNoMatchesError,
    OCSPValidationIndeterminateError,
    PathError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from signing_service.errors import Text
from signing_service.kernel.clock import Clock
from signing_service.pki.errors import PkiError
from signing_service.pki.outside_sources import Addresses, OutsideSources
from signing_service.pki.revocation_evidence import Evidence

_LOG = logging.getLogger(__name__)
_NOT_GOOD = (ValidationError, CRLNoMatchesError, CRLValidationIndeterminateError)


class Standing(StrEnum):
    """What the outside CA says of a certificate and those above it."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class OutsideRevoked(PkiError):
    """The outside CA has revoked it, or a certificate above it."""

    code = "outside_certificate_revoked"

    def __init__(self, subject: str, why: str) -> None:
        super().__init__(
            Text("外部证书已被其签发机构吊销或暂停。", "The outside certificate was revoked or suspended by its CA."),
            why=Text(f"“{subject}”:{why}。", f'"{subject}": {why}.'),
            advice=Text("请持有人向签发机构换领证书。", "Its holder gets another one from that CA."),
        )


class OutsideStatusUnknown(PkiError):
    """Nobody who may say so was reached."""

    code = "outside_status_unknown"

    def __init__(self, subject: str, why: str) -> None:
        super().__init__(
            Text("查不到外部证书是否已吊销。", "Whether the outside certificate is revoked cannot be learned."),
            why=Text(f"“{subject}”:{why}。", f'"{subject}": {why}.'),
            advice=Text(
                "请检查网络和签发机构的 OCSP、CRL 地址(内网地址须列入 outbound_hosts),稍后重试。",
                "Check the network and the CA's OCSP and CRL addresses (private ones go into outbound_hosts); retry.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """A standing, why (English, for the log and the error), and what it rests on."""

    standing: Standing
    why: str
    evidence: Evidence


class RequiresStatus(Protocol):
    """What enrolment asks before it takes an outside certificate."""

    def require(self, chain: Sequence[bytes], fallback: Addresses) -> Judgement:
        """Raises OutsideRevoked, OutsideStatusUnknown."""
        ...


class OutsideStatus:
    """Asks and judges. No database transaction is open while a source is waited for."""

    def __init__(self, sources: OutsideSources, clock: Clock, *, accept_unknown: bool = False) -> None:
        self._sources, self._clock, self._accept_unknown = sources, clock, accept_unknown

    def judge(self, chain: Sequence[bytes], fallback: Addresses) -> Judgement:
        """`chain`: DER, the certificate first, its anchor last."""
        below = list(pairwise(chain))
        answers = [answer for pair in below for answer in self._sources.ocsp(*pair, fallback)]
        first = judged(chain, (), answers, self._clock.now())
        if first.standing is not Standing.UNKNOWN:
            return first
        crls = [crl for certificate, _ in below for crl in self._sources.crls(certificate, fallback)]
        return judged(chain, crls, answers, self._clock.now())

    def require(self, chain: Sequence[bytes], fallback: Addresses) -> Judgement:
        """Raises OutsideRevoked, and OutsideStatusUnknown unless the settings accept that."""
        found = self.judge(chain, fallback)
        subject = x509.load_der_x509_certificate(chain[0]).subject.rfc4514_string()
        if found.standing is Standing.REVOKED:
            raise OutsideRevoked(subject, found.why)
        if found.standing is Standing.UNKNOWN:
            if not self._accept_unknown:
                raise OutsideStatusUnknown(subject, found.why)
            _LOG.warning("the status of %s is unknown and accepted by the settings: %s", subject, found.why)
        return found


def judged(chain: Sequence[bytes], crls: Sequence[bytes], answers: Sequence[bytes], now: datetime) -> Judgement:
    """Pure: the standing of a chain by the given CRLs and OCSP responses (DER) at `now`."""
    evidence = Evidence(tuple(chain), tuple(answers), tuple(dict.fromkeys(crls)))
    try:
        asyncio.run(_validate(evidence, now))
    except RevokedError as revoked:
        return Judgement(Standing.REVOKED, _plain(revoked), evidence)
    except (*_NOT_GOOD, PathError, ValueError, TypeError) as trouble:
        return Judgement(Standing.UNKNOWN, _plain(trouble), evidence)
    return Judgement(Standing.GOOD, "", evidence)


async def _validate(evidence: Evidence, now: datetime) -> None:
    """1. the path holds (RFC 5280 6.1); 2. for each certificate below the anchor an OCSP response, or else a CRL of its
    own issuer, says good. Raises certvalidator's errors.

    certvalidator's own "require" looks only at what a certificate's addresses declare, so 2 is asked for here; each
    time in a context of its own, since one that knows a CRL's issuer takes that CRL for any certificate.
    """
    chain = [asn1_x509.Certificate.load(each) for each in evidence.certificates]
    crls = [asn1_crl.CertificateList.load(each) for each in evidence.crls]
    answers = [asn1_ocsp.OCSPResponse.load(each) for each in evidence.ocsp_responses]

    def context(lists: Sequence[asn1_crl.CertificateList] = ()) -> ValidationContext:
        return ValidationContext(
            trust_roots=[chain[-1]], other_certs=chain[1:-1], crls=lists, ocsps=answers, moment=now,
            revocation_mode="soft-fail", allow_fetching=False,
        )  # fmt: skip

    path = await CertificateValidator(chain[0], validation_context=context()).async_validate_path()
    for certificate in path.iter_certs(include_root=False):
        try:
            await verify_ocsp_response(certificate, path, context())
        except (OCSPNoMatchesError, OCSPValidationIndeterminateError):
            own = [crl for crl in crls if crl.issuer == certificate.issuer]
            await verify_crl(certificate, path, context(own))


def _plain(trouble: Exception) -> str:
    return str(trouble).strip().rstrip(".")[:300]
