"""Keeping a judged file in the home's archive, under a fresh timestamp over all of it."""

from __future__ import annotations

from cli.own_services import OwnTimestamper
from cli.stage import Stage
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.pades.sign import add_archive_timestamp
from signing_service.verification.archive import index_kept
from signing_service.verification.reasons import Verdict
from signing_service.verification.report import Report

KEPT = "archive.kept"


class NotForTheArchive(SigningServiceError):
    """Only what passes is worth a timestamp."""

    code = "not_for_the_archive"

    def __init__(self, report: Report) -> None:
        super().__init__(
            Text("没有归档:该文件未通过核验。", "Not archived: the file did not pass."),
            why=Text(report.summary.zh, report.summary.en),
        )


def archive(stage: Stage, content: bytes, report: Report, actor: str) -> str:
    """The digest of the kept file, which begins with `content`. Raises NotForTheArchive and the TSA's errors."""
    if report.verdict is not Verdict.PASSED:
        raise NotForTheArchive(report)
    stamped = add_archive_timestamp(content, OwnTimestamper(stage.pki.tsa))
    digest, now = stage.blobs.put(stamped), stage.clock.now()
    with stage.database.write() as session:
        index_kept(session, stamped, now)
        details = {"judged": report.digest.hex()}
        AuditLog().record(session, Act(KEPT, actor, f"file:{report.digest.hex()}", digest=digest, details=details), now)
    return digest
