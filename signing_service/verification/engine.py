"""`verify`: the numbered procedure of EN 319 102-1 over every signature of a file, and one judgement of the whole.

For each signature: 1 format, 2 identification of the signing certificate, 3 certificate chain, 4 validity and
revocation, 5 cryptography, 6 changes after signing, 7 timestamps, 8 level. Integrity (1, 2, 5) comes first for all,
because a signature may only count on timestamps and later signatures that are themselves intact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from signing_service.verification.acceptance import accept_signer
from signing_service.verification.ambiguity import ambiguity
from signing_service.verification.byte_range import Coverage
from signing_service.verification.chain import TrustStore
from signing_service.verification.conclusion import headline, settle
from signing_service.verification.context import Context, Judged
from signing_service.verification.digests import Digests
from signing_service.verification.discovery import Found, Revisions, find_signatures
from signing_service.verification.document import Document, PdfFile
from signing_service.verification.dss import read_security_store
from signing_service.verification.encryption import open_encrypted
from signing_service.verification.errors import DamagedPdf, PasswordNeeded, ResourceLimit, VerificationError
from signing_service.verification.facts_check import conclusions_from, hint_from, joined
from signing_service.verification.identifiers import identifiers_in
from signing_service.verification.integrity import judge_integrity
from signing_service.verification.later_changes import Step, is_junk, judge_changes, judge_later_levels, steps_between
from signing_service.verification.levels import level_of
from signing_service.verification.limits import Spending
from signing_service.verification.policy import Policy
from signing_service.verification.ports import Facts, StatusSource
from signing_service.verification.purpose_copy import copy_in
from signing_service.verification.reasons import REASONS, Usable
from signing_service.verification.report import Check, Report
from signing_service.verification.revocation import RevocationData
from signing_service.verification.timestamps import prove_times

_MOST_ASKED = 50


def verify(pdf: bytes, policy: Policy, status: StatusSource | None = None, *, file_name: str = "") -> Report:
    """Judge `pdf`. Any bytes give a report; nothing is raised for what a file contains, nothing fetched without a
    fetcher."""
    try:
        return _verify(pdf, policy, status, file_name)
    except _SourceFailed as failure:
        raise (failure.__cause__ or failure) from None
    except (ResourceLimit, RecursionError, MemoryError) as error:
        return _stopped(file_name, pdf, policy, "resource_limit", str(error))
    except PasswordNeeded as error:
        return _stopped(file_name, pdf, policy, "password_needed", error.explain("en"))
    except VerificationError as error:
        return _stopped(file_name, pdf, policy, "unreadable", error.explain("en"))
    except Exception as error:  # the last line of defence: a hostile file must never become a traceback
        return _stopped(file_name, pdf, policy, "unreadable", f"{type(error).__name__}: {error}")


def _stopped(file_name: str, pdf: bytes, policy: Policy, reason: str, detail: str) -> Report:
    report = Report(file_name, hashlib.sha256(pdf).digest(), policy.at, reason, REASONS[reason].usable)
    report.checks.append(Check("0 reading", "indeterminate", detail[:400]))
    return report


def _verify(pdf: bytes, policy: Policy, status: StatusSource | None, file_name: str) -> Report:
    document = _open(pdf, policy)
    revisions = Revisions(document.file, document)
    found = find_signatures(document.file, revisions)
    if not found and not document.catalog:
        raise DamagedPdf("no document catalog")
    digests = Digests(
        pdf, document.file.spending, [item.coverage for item in found if isinstance(item.coverage, Coverage)]
    )
    digest = digests.of_file()
    signed = _signed_revisions(found)
    identifiers = _identifiers(document, signed, policy)
    known = [digest, *(digests.of_beginning(view.end) for view in signed)] if status is not None else []
    facts = _with_copy(_facts(status, identifiers, known, policy), signed, policy)
    store = read_security_store(document)
    trust = TrustStore(policy, store.certificates)
    revocation = RevocationData([*policy.crls, *store.crls], [*policy.ocsp_responses, *store.ocsp_responses], trust)
    context = Context(policy, revisions, trust, revocation, digests, facts)
    signatures = [judge_integrity(item, context) for item in found]
    steps = steps_between(signatures, revisions)
    _judge_each(signatures, steps, context, _archived_time(pdf, context))
    return _report(file_name, digest, signatures, steps, context, identifiers)


def _signed_revisions(found: Sequence[Found]) -> list[Document]:
    """The revisions that signatures cover, the newest first; few of them, since each is asked about."""
    views = {item.revision.end: item.revision for item in found if item.revision is not None}
    return [views[end] for end in sorted(views, reverse=True)][:_MOST_ASKED]


def _identifiers(document: Document, signed: Sequence[Document], policy: Policy) -> tuple[str, ...]:
    """Named by the caller, by what was signed, and by the file as it is: taking a name out later hides nothing."""
    named = [identifier for view in [*signed, document] for identifier in identifiers_in(view)]
    return tuple(dict.fromkeys([*policy.identifiers, *named]))


def _facts(
    status: StatusSource | None, identifiers: tuple[str, ...], digests: Sequence[bytes], policy: Policy
) -> Facts | None:
    """Of the file, and of each signed revision in it: bytes appended later do not make it another document."""
    if status is None:
        return None
    return joined([_ask(status, identifiers, digest, policy) for digest in dict.fromkeys(digests)])


def _with_copy(facts: Facts | None, signed: Sequence[Document], policy: Policy) -> Facts | None:
    """A purpose-bound copy says so itself; the register's word on it comes first."""
    told = next((copy for view in signed if (copy := copy_in(view, policy.recipient, policy.matter))), None)
    if told is None or (facts is not None and facts.copy is not None):
        return facts
    return replace(facts or Facts(), copy=told)


class _SourceFailed(Exception):
    """The caller's status source raised; its own error is the cause and goes back to the caller."""


def _ask(status: StatusSource, identifiers: tuple[str, ...], digest: bytes, policy: Policy) -> Facts:
    try:
        return status.facts(identifiers, digest, policy.at)
    except Exception as error:
        raise _SourceFailed from error


def _open(pdf: bytes, policy: Policy) -> Document:
    if pdf.find(b"%PDF-", 0, 1024) < 0 and b"%%EOF" not in pdf[-2048:]:
        raise DamagedPdf("no PDF header")
    file = PdfFile(pdf, Spending(policy.limits))
    document = Document(file, len(pdf))
    if "Encrypt" in document.trailer:
        found = open_encrypted(document)
        if found is not None:
            file.encrypted(*found)
        document = Document(file, len(pdf))
    return document


def _judge_each(
    signatures: Sequence[Judged], steps: Sequence[Step], context: Context, archived: Sequence[Judged]
) -> None:
    prove_times([*signatures, *archived], context)
    for judged in signatures:
        judge_changes(judged, steps, context)
        if judged.intact and not judged.is_timestamp:
            accept_signer(judged, context)
    judge_later_levels(signatures, context)
    for judged in signatures:
        if judged.intact:
            stamps = [
                other
                for other in [*signatures, *archived]
                if _believed_stamp(other) and other.found.end > judged.found.end
            ]
            judged.report.level = None if judged.is_timestamp else level_of(judged, stamps, context)
            judged.note(8, "level", "information", judged.report.level or "document timestamp")
        settle(judged)


def _believed_stamp(judged: Judged) -> bool:
    return judged.is_timestamp and judged.trusted_time is not None


def _archived_time(pdf: bytes, context: Context) -> list[Judged]:
    """Later document timestamps from the own archive's longer copy of this very file."""
    archived = context.facts.archived if context.facts is not None else None
    if archived is None or len(archived) <= len(pdf) or not archived.startswith(pdf):
        return []
    document = _open(archived, context.policy)
    revisions = Revisions(document.file, document)
    store = read_security_store(document)
    context.store.add(store.certificates)
    context.revocation.add(store.crls, store.ocsp_responses)
    own = Context(
        context.policy, revisions, context.store, context.revocation, Digests(archived, document.file.spending)
    )
    later = [item for item in find_signatures(document.file, revisions) if item.end > len(pdf)]
    judged = [judge_integrity(item, own) for item in later]
    return [item for item in judged if item.is_timestamp and item.intact]


def _report(
    file_name: str,
    digest: bytes,
    signatures: Sequence[Judged],
    steps: Sequence[Step],
    context: Context,
    identifiers: tuple[str, ...],
) -> Report:
    policy, document = context.policy, context.revisions.current
    organisation = next((j.report.organisation for j in signatures if j.report.kind == "seal"), "")
    others = list(conclusions_from(context.facts, identifiers, organisation, policy.at))
    checks, intact = _structure(signatures, steps, context)
    others += [(check.name.split(" ", 1)[1], {}) for check in checks if check.name.split(" ", 1)[1] in REASONS]
    reason, values, usable = headline(signatures, others)
    report = Report(file_name, digest, policy.at, reason, usable, values, identifiers=identifiers)
    report.signatures = [judged.report for judged in signatures]
    report.checks, report.intact_revision = checks, intact
    report.covers_whole_file = any(judged.intact and judged.found.end == document.end for judged in signatures)
    report.modified_after_signing = (
        any(j.report.modified_after for j in signatures) or reason == "unsigned_data_after_last_signature"
    )
    report.modified_after_signing = report.modified_after_signing or any(
        _digest_differs(judged) for judged in signatures
    )
    report.hint = hint_from(context.facts)
    if usable is Usable.YES and reason == "passed_timestamp":
        report.usable_now = Usable.UNKNOWN
    return report


def _digest_differs(judged: Judged) -> bool:
    return any(finding.code == "modified_after_sealing" for finding in judged.findings)


def _structure(signatures: Sequence[Judged], steps: Sequence[Step], context: Context) -> tuple[list[Check], int | None]:
    """Checks of the file as a whole; the newest revision that an intact signature still vouches for."""
    document, checks = context.revisions.current, list[Check]()
    checks += [Check("0 structure", "information", problem[:300]) for problem in document.problems[:5]]
    intact = [judged.found.end for judged in signatures if judged.intact and not judged.is_timestamp]
    if not intact:
        return checks, None
    if steps and is_junk(steps[-1], context.revisions):
        checks.append(
            Check("6 unsigned_data_after_last_signature", "failed", f"{steps[-1].end - steps[-1].start} bytes")
        )
    newest = max(judged.found.end for judged in signatures if judged.intact)
    problem = ambiguity(context.revisions.at(newest))
    if problem:
        checks.append(Check("1 ambiguous_structure", "indeterminate", problem))
    return checks, max(intact)
