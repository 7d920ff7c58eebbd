"""Issuing verification reports (核验报告): numbered, typeset, sealed under the holder's standing order, kept."""

from __future__ import annotations

from dataclasses import dataclass

from cli import cast
from cli.sealing import SealUseOf, sealing_desk
from cli.stage import Stage
from signing_service.errors import ExplainedError
from signing_service.kernel.audit_log import AuditLog
from signing_service.pades.placing import Placing
from signing_service.pades.ports import Timestamper
from signing_service.verification.issued_reports import Asker, ReportBook
from signing_service.verification.report import Report
from signing_service.verification.written_report import typeset_report, written_report

REPORT_ORDER = "verification-report"
PREFIX = "示核验"
MARGIN_MM, ABOVE_EDGE_MM = 24.0, 24.0


@dataclass(frozen=True, slots=True)
class SealedReport:
    """A report as it is handed out; `code` fetches it again."""

    number: str
    code: str
    content: bytes


class ReportDesk:
    """Issues reports on an opened home, and finds them again."""

    def __init__(self, stage: Stage, timestamper: Timestamper) -> None:
        self._stage = stage
        self._sealing = sealing_desk(stage, timestamper)
        self.book = report_book(stage)

    def issue(self, report: Report, size: int, asker: Asker) -> SealedReport:
        """A report on this judgement of a file of `size` bytes. Raises NoStandingOrder and what sealing raises; its
        number is then void."""
        row = self.book.draw(report, asker)
        try:
            written = written_report(report, number=row.number, requested_by=asker.requested_by, purpose=asker.purpose)
            pdf = typeset_report(written, issuer=cast.APPROVING.name, code=row.code, size=size)
            use = SealUseOf(f"report:{row.number}", REPORT_ORDER, asker.actor)
            place = Placing(page=-1, x_mm=MARGIN_MM, y_mm=ABOVE_EDGE_MM, corner="lower-right")
            sealed = self._sealing.seal_under_order(pdf, place, use, self._stage.clock.now())
            digest = self._stage.blobs.put(sealed)
        except ExplainedError as failure:
            self.book.void(row.number, failure.code)
            raise
        self.book.close(row.number, digest)
        return SealedReport(row.number, row.code, sealed)

    def issue_on(self, content: bytes, name: str, requested_by: str, purpose: str, actor: str) -> SealedReport:
        """Judge the file as of now, then `issue`."""
        report = self._stage.judge(content, name)
        return self.issue(report, len(content), Asker(requested_by, purpose, actor))

    def fetch(self, number: str, code: str, actor: str) -> bytes:
        """An issued report again. Raises ReportUnknown, BlobMissing."""
        return self._stage.blobs.get(self.book.fetch(number, code, actor))


def report_book(stage: Stage) -> ReportBook:
    """This home's book of reports."""
    return ReportBook(stage.database, stage.clock, AuditLog(), PREFIX)
