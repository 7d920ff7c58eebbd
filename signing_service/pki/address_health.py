"""Whether a certificate's addresses answer, with something usable and by the same clock: part of `zhengyin doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing_service.errors import Text
from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused, Reply
from signing_service.pki.health import SET_CLOCK, Finding, Level
from signing_service.pki.ocsp import request_for

LARGEST_SKEW = timedelta(seconds=30)
CHECK_NETWORK = Text(
    "请检查网络、代理和该服务;地址须在 outbound_hosts 允许之列。",
    "Check network, proxy and that service; the address must be one that outbound_hosts allows.",
)


def network_findings(certificate: bytes, issuer: bytes, outbound: Outbound, now: datetime) -> list[Finding]:
    """Whether the addresses in a certificate (DER) answer, and how far their clock is from ours."""
    read = x509.load_der_x509_certificate(certificate)
    found: list[Finding] = []
    for url in _crl_urls(read):
        reply = _ask(found, outbound, "GET", url, None)
        if reply is not None:
            found += _crl_faults(url, reply, issuer, now)
    for url in _ocsp_urls(read):
        reply = _ask(found, outbound, "POST", url, request_for(certificate, issuer))
        if reply is not None and not _is_ocsp(reply):
            found.append(_unusable(url, "OCSP"))
        if reply is not None:
            found += _skew(url, reply, now)
    return found


def addresses_of(certificate: bytes) -> list[str]:
    """The CRL and OCSP addresses that a certificate (DER) names."""
    read = x509.load_der_x509_certificate(certificate)
    return _crl_urls(read) + _ocsp_urls(read)


def _ask(found: list[Finding], outbound: Outbound, method: str, url: str, body: bytes | None) -> Reply | None:
    headers = {"Content-Type": "application/ocsp-request"} if body else {}
    try:
        return outbound.request(method, url, body=body, headers=headers)
    except (OutboundFailed, OutboundRefused) as failure:
        found.append(Finding(Level.FAIL, "address_unreachable", url, failure.why or failure.what, CHECK_NETWORK))
        return None


def _unusable(url: str, kind: str) -> Finding:
    words = Text(f"{url} 没有给出可用的 {kind}。", f"{url} gave no usable {kind}.")
    return Finding(Level.FAIL, "address_unusable", url, words, CHECK_NETWORK)


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
            Text(f"本机时钟与 {url} 相差 {seconds} 秒。", f"This clock is {seconds} s ahead of {url}."), SET_CLOCK,
        )  # fmt: skip


def _crl_faults(url: str, reply: Reply, issuer: bytes, now: datetime) -> Iterator[Finding]:
    try:
        crl = x509.load_der_x509_crl(reply.body)
        signed = crl.is_signature_valid(x509.load_der_x509_certificate(issuer).public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        signed = False
    if reply.status != 200 or not signed:
        yield _unusable(url, "CRL")
    elif crl.next_update_utc is not None and crl.next_update_utc <= now:
        words = Text(f"{url} 的 CRL 已过期。", f"The CRL at {url} is stale.")
        yield Finding(Level.FAIL, "crl_stale", url, words, CHECK_NETWORK)


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
