"""Steps 1, 2 and 5: format, identification of the signing certificate, cryptography (EN 319 102-1, 5.2.2, 5.2.3,
5.2.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from re import compile as pattern

from signing_service.verification.algorithms import new_hash
from signing_service.verification.byte_range import Coverage, Unsigned
from signing_service.verification.certificates import load_all
from signing_service.verification.container import TST_INFO, Container, read_container, read_timestamp
from signing_service.verification.context import Context, Judged
from signing_service.verification.cryptography_check import FINE, Outcome, check_identity, check_value, find_signer
from signing_service.verification.discovery import Found
from signing_service.verification.errors import UnreadableCms, UnsupportedAlgorithm
from signing_service.verification.fields import certification_level, text
from signing_service.verification.report import SignatureReport

_KNOWN = {"adbe.pkcs7.detached", "adbe.pkcs7.sha1", "ETSI.CAdES.detached", "ETSI.RFC3161"}
_DATE = pattern(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([Zz+\-])(?:(\d\d)'?(\d\d)?)?)?")
PASSED, FAILED, INDETERMINATE = "TOTAL-PASSED", "TOTAL-FAILED", "INDETERMINATE"


def judge_integrity(found: Found, context: Context) -> Judged:
    """Everything about a signature that does not depend on trust or time."""
    report = SignatureReport(found.field.name, covered=found.end, removed=found.removed)
    judged = Judged(found, report)
    subfilter = found.dictionary.get("SubFilter")
    if subfilter == "ETSI.RFC3161" or found.dictionary.get("Type") == "DocTimeStamp":
        report.kind = "timestamp"
    report.signer = text(found.dictionary.get("Name"))
    report.signed_at = pdf_date(text(found.dictionary.get("M")))
    if _format(judged, context):
        _cryptography(judged, context)
    return judged


def _format(judged: Judged, context: Context) -> bool:
    """Step 1. True when it makes sense to go on."""
    found, coverage = judged.found, judged.found.coverage
    if isinstance(coverage, Unsigned):
        judged.note(1, "format", "failed" if coverage.forged else "indeterminate", coverage.problem)
        judged.report.integrity = "broken" if coverage.forged else "unverifiable"
        if coverage.forged:
            judged.conclude("signature_malformed", FAILED, "FORMAT_FAILURE")
        else:
            judged.conclude("not_signed_yet", INDETERMINATE, "SIGNED_DATA_NOT_FOUND")
        return False
    problem = coverage.problem or found.problem
    subfilter = found.dictionary.get("SubFilter")
    if "Filter" not in found.dictionary and subfilter is None:
        judged.note(1, "format", "indeterminate", "the dictionary does not say how it was signed")
        judged.conclude("unverifiable_signature", INDETERMINATE, "FORMAT_FAILURE")
        return False
    if coverage.end > len(context.revisions.current.file.data) and context.revisions.current.rebuilt:
        judged.note(1, "format", "indeterminate", "the file is cut short")
        judged.conclude("unreadable", INDETERMINATE, "FORMAT_FAILURE")
        return False
    if problem or subfilter not in (*_KNOWN, "adbe.x509.rsa_sha1"):
        judged.note(1, "format", "failed", problem or f"unknown signature format {subfilter}")
        judged.report.integrity = "broken"
        judged.conclude("signature_malformed", FAILED, "FORMAT_FAILURE")
        return False
    judged.report.docmdp = certification_level(
        context.revisions.current if found.revision is None else found.revision, found.dictionary
    )
    if subfilter == "adbe.x509.rsa_sha1":
        judged.note(1, "format", "indeterminate", "obsolete signature format adbe.x509.rsa_sha1")
        judged.conclude("unsupported_algorithm", INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", name="adbe.x509.rsa_sha1")
        return False
    judged.note(1, "format", "passed", f"{subfilter}, covers bytes 0 to {coverage.end}")
    return True


def _cryptography(judged: Judged, context: Context) -> None:
    """Steps 2 and 5."""
    try:
        container = judged.container = read_container(judged.found.dictionary["Contents"])
    except UnsupportedAlgorithm as error:
        judged.note(2, "signing certificate", "indeterminate", error.explain("en"))
        judged.conclude("unsupported_algorithm", INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", name=error.name)
        return
    except UnreadableCms as error:
        judged.note(2, "signing certificate", "indeterminate", error.detail)
        judged.conclude("unverifiable_signature", INDETERMINATE, "FORMAT_FAILURE")
        return
    _describe(judged, container, context)
    subfilter = judged.found.dictionary.get("SubFilter")
    identity = check_identity(container, judged.certificate, ess_required=subfilter == "ETSI.CAdES.detached")
    _apply(judged, 2, "signing certificate", identity)
    if judged.certificate is None:
        return
    outcome = _check_content(judged, container, context)
    if outcome is FINE:
        outcome = check_value(container, judged.certificate, _content_digest(judged, container, context))
    judged.report.integrity = {None: "intact", "unsupported_algorithm": "unverifiable"}.get(outcome.code, "broken")
    _apply(judged, 5, "cryptography", outcome)


def _describe(judged: Judged, container: Container, context: Context) -> None:
    report = judged.report
    known = [*container.certificates, *context.policy.certificates]
    anchors = [certificate for group in context.store.anchors.values() for certificate in group]
    certificate = find_signer(container, [*load_all(known), *context.store.everything(), *anchors])
    report.algorithm = f"{container.algorithm.family}/{container.algorithm.digest or container.digest}"
    if report.signed_at is None and container.claimed is not None:
        report.signed_at = container.claimed if container.claimed.tzinfo else container.claimed.replace(tzinfo=UTC)
    if certificate is not None:
        judged.certificate = certificate
        report.signer, report.organisation = certificate.common_name(), certificate.organisation()
        report.certificate_sha256 = certificate.sha256
    context.store.add(container.certificates)
    context.revocation.add(container.crls, container.ocsp_responses)


def _check_content(judged: Judged, container: Container, context: Context) -> Outcome:
    """What the container says it signs must be this file, not content that it brings along."""
    coverage, subfilter = judged.found.coverage, judged.found.dictionary.get("SubFilter")
    if not isinstance(coverage, Coverage):
        return Outcome("signature_malformed", "no byte range", "FORMAT_FAILURE")
    if judged.is_timestamp:
        return _check_imprint(judged, container, context, coverage)
    if subfilter == "adbe.pkcs7.sha1":
        carried = container.content == context.digests.of(coverage, "sha1")
        return (
            FINE
            if carried
            else Outcome("modified_after_sealing", "the carried digest is not the file's", "HASH_FAILURE")
        )
    if container.content is not None:
        return Outcome("signature_malformed", "a detached signature that carries content of its own", "FORMAT_FAILURE")
    return FINE


def _check_imprint(judged: Judged, container: Container, context: Context, coverage: Coverage) -> Outcome:
    if container.content_type != TST_INFO:
        return Outcome("signature_malformed", "a document timestamp without a timestamp token", "FORMAT_FAILURE")
    try:
        info = read_timestamp(container)
        judged.report.signed_at, judged.report.time_source = info.time, "timestamp"
        if context.digests.of(coverage, info.digest) != info.imprint:
            return Outcome("modified_after_sealing", "the timestamp is for other content", "HASH_FAILURE")
    except UnsupportedAlgorithm as error:
        return Outcome("unsupported_algorithm", error.explain("en"), "CRYPTO_CONSTRAINTS_FAILURE", error.name)
    except UnreadableCms as error:
        return Outcome("timestamp_invalid", error.detail, "FORMAT_FAILURE")
    return FINE


def _content_digest(judged: Judged, container: Container, context: Context) -> bytes:
    if container.content is not None:
        state = new_hash(container.digest)
        state.update(container.content)
        return bytes(state.digest())
    coverage = judged.found.coverage
    return context.digests.of(coverage, container.digest) if isinstance(coverage, Coverage) else b""


def _apply(judged: Judged, number: int, name: str, outcome: Outcome) -> None:
    if outcome.code is None:
        judged.note(number, name, "passed")
        return
    failed = outcome.code in ("signature_malformed", "signature_broken", "modified_after_sealing", "timestamp_invalid")
    judged.note(number, name, "failed" if failed else "indeterminate", outcome.detail)
    judged.conclude(outcome.code, FAILED if failed else INDETERMINATE, outcome.sub_indication, name=outcome.name)


def pdf_date(value: str) -> datetime | None:
    """A PDF date (7.9.4) as an aware instant; without an offset it is taken as UTC; None when it is none."""
    match = _DATE.match(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(part or standard) for part, standard in zip(match.groups()[:6], "011000", strict=True)
    )
    sign, hours, minutes = match[7], int(match[8] or 0), int(match[9] or 0)
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1) if sign in ("+", "-") else timedelta()
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset) if offset else UTC)
    except ValueError:
        return None
