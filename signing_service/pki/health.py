"""The certificate part of `zhengyin doctor`: what is wrong now, or will be soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused, Reply
from signing_service.pki.certificates import OWN, CertificateRow, CrlRow
from signing_service.pki.expiry import EndingSoon, ending_soon
from signing_service.pki.ocsp import request_for
from signing_service.pki.rules import State

LARGEST_SKEW = timedelta(seconds=30)
CA_PROFILES = ("root", "issuing-ca", "simulation-ca")


class Level(StrEnum):
    """`fail` stops work or deceives; `warn` will do so soon."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `subject` is a certificate's reference, an address or an issuer."""

    level: Level
    code: str
    subject: str
    text: Text


def register_findings(session: Session, now: datetime, *, production: bool) -> list[Finding]:
    """What the register itself shows: endings, stale CRLs, missing issuers, formal seals under our own CA."""
    active = list(session.scalars(select(CertificateRow).where(CertificateRow.state == State.ACTIVE)))
    known = set(session.scalars(select(CertificateRow.fingerprint).where(CertificateRow.profile.in_(CA_PROFILES))))
    found = [_ending(entry) for entry in ending_soon(session, now)]
    found += [finding for row in active if row.profile in CA_PROFILES for finding in _crl(session, row, now)]
    found += [_incomplete(row) for row in active if row.origin == OWN and row.issuer not in known]
    if production:
        found += [_unlicensed(row) for row in active if row.profile == "seal" and row.origin == OWN]
    return found


def network_findings(certificate: bytes, issuer: bytes, outbound: Outbound, now: datetime) -> list[Finding]:
    """Whether the addresses in a certificate (DER) answer, and how far their clock is from ours."""
    read = x509.load_der_x509_certificate(certificate)
    found: list[Finding] = []
    for url in _crl_urls(read):
        reply = _ask(found, outbound, "GET", url, None)
        if reply is not None and not _is_crl(reply):
            found.append(_unusable(url, "CRL"))
    for url in _ocsp_urls(read):
        reply = _ask(found, outbound, "POST", url, request_for(certificate, issuer))
        if reply is not None and not _is_ocsp(reply):
            found.append(_unusable(url, "OCSP"))
        if reply is not None:
            found += _skew(url, reply, now)
    return found


def _ending(entry: EndingSoon) -> Finding:
    day = f"{entry.not_after:%Y-%m-%d}"
    if entry.step == 0:
        text = Text(
            f"证书已过期({entry.profile},{entry.owner},{day})。", f"{entry.profile} of {entry.owner} ended {day}."
        )
    else:
        text = Text(
            f"证书将于 {day} 到期({entry.profile},{entry.owner})。", f"{entry.profile} of {entry.owner} ends {day}."
        )
    level = Level.FAIL if entry.step <= 1 else Level.WARN
    return Finding(level, "certificate_ending", entry.reference, text)


def _crl(session: Session, ca: CertificateRow, now: datetime) -> Iterator[Finding]:
    query = select(CrlRow.next_update).where(CrlRow.issuer == ca.fingerprint, CrlRow.der != b"")
    until = session.scalar(query.order_by(CrlRow.number.desc()).limit(1))
    if until is None or until <= now:
        yield Finding(
            Level.FAIL, "crl_stale", ca.owner,
            Text(f"“{ca.owner}”的 CRL 缺失或已过期。", f'The CRL of "{ca.owner}" is missing or stale.'),
        )  # fmt: skip
    elif ca.profile == "root" and until - now < timedelta(days=30):
        yield Finding(
            Level.WARN, "crl_ceremony_due", ca.owner,
            Text(
                f"根 CRL 将于 {until:%Y-%m-%d} 到期,需安排密钥仪式。",
                f"The root's CRL ends {until:%Y-%m-%d}: plan a ceremony.",
            ),
        )  # fmt: skip


def _incomplete(row: CertificateRow) -> Finding:
    return Finding(
        Level.FAIL, "issuer_missing", row.reference,
        Text(f"缺少 {row.subject} 的签发者证书。", f"The issuer's certificate of {row.subject} is missing."),
    )  # fmt: skip


def _unlicensed(row: CertificateRow) -> Finding:
    return Finding(
        Level.FAIL, "seal_not_licensed", row.reference,
        Text(
            f"正式印章 {row.owner} 使用内部 CA 证书;须换为依法许可的电子认证服务机构证书(国办发〔2025〕33号第十二条)。",
            f"The formal seal {row.owner} has a certificate of our internal CA; a licensed CA's is required.",
        ),
    )  # fmt: skip


def _ask(found: list[Finding], outbound: Outbound, method: str, url: str, body: bytes | None) -> Reply | None:
    headers = {"Content-Type": "application/ocsp-request"} if body else {}
    try:
        return outbound.request(method, url, body=body, headers=headers)
    except (OutboundFailed, OutboundRefused) as failure:
        found.append(Finding(Level.FAIL, "address_unreachable", url, failure.why or failure.what))
        return None


def _unusable(url: str, kind: str) -> Finding:
    return Finding(Level.FAIL, "address_unusable", url, Text(f"{url} 没有给出 {kind}。", f"{url} gave no {kind}."))


def _skew(url: str, reply: Reply, now: datetime) -> Iterator[Finding]:
    """The Date header has whole seconds; half a minute is far beyond that."""
    try:
        theirs = parsedate_to_datetime(next(v for k, v in reply.headers.items() if k.lower() == "date"))
    except (StopIteration, ValueError):
        return
    if abs(theirs - now) > LARGEST_SKEW:
        seconds = round((now - theirs).total_seconds())
        yield Finding(
            Level.FAIL, "clock_skew", url,
            Text(f"本机时钟与 {url} 相差 {seconds} 秒。", f"This clock is {seconds} s ahead of {url}."),
        )  # fmt: skip


def _is_crl(reply: Reply) -> bool:
    try:
        x509.load_der_x509_crl(reply.body)
    except ValueError:
        return False
    return reply.status == 200


def _is_ocsp(reply: Reply) -> bool:
    try:
        answer = ocsp.load_der_ocsp_response(reply.body)
    except ValueError:
        return False
    return answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL


def _crl_urls(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for point in points for name in point.full_name or ()]


def _ocsp_urls(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    method = AuthorityInformationAccessOID.OCSP
    return [str(entry.access_location.value) for entry in access if entry.access_method == method]
