"""What `zhengyin verify` does besides judging: files written, reports issued and fetched, the archive."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cli.stage import Stage
    from signing_service.verification.report import Report

ACTOR = "process:cli"


@dataclass(frozen=True, slots=True)
class Extras:
    """Files to write, for whom and what a report is issued, and whether the file goes into the archive."""

    intact: Path | None
    etsi: Path | None
    report: Path | None
    for_whom: str
    purpose: str
    archive: bool

    def write(self, home: Path, file: Path, found: Report) -> None:
        """Each file whole or not at all; what was done is told on stderr."""
        from signing_service.kernel.blobs import write_atomically

        if self.intact is not None:
            _save_intact(self.intact, file, found)
        if self.etsi is not None:
            from signing_service.verification.etsi_report import etsi_report

            write_atomically(self.etsi, etsi_report(found), mode=0o644)
        if self.report is not None:
            with _stage(home) as stage:
                self._issue(stage, self.report, file, found)
        if self.archive:
            from cli.archiving import archive

            with _stage(home) as stage:
                print(f"archive: {archive(stage, file.read_bytes(), found, ACTOR)}", file=sys.stderr)

    def _issue(self, stage: Stage, output: Path, file: Path, found: Report) -> None:
        from cli.own_services import OwnTimestamper
        from cli.verification_reports import ReportDesk
        from signing_service.kernel.blobs import write_atomically
        from signing_service.verification.issued_reports import Asker

        desk = ReportDesk(stage, OwnTimestamper(stage.pki.tsa))
        made = desk.issue(found, file.stat().st_size, Asker(self.for_whom, self.purpose, ACTOR))
        write_atomically(output, made.content, mode=0o644)
        print(f"{made.number}  {made.code}", file=sys.stderr)


def fetch_report(home: Path, number: str, code: str, output: Path) -> None:
    """An issued report again, by its number and code. Raises ReportUnknown."""
    from cli.verification_reports import report_book
    from signing_service.kernel.blobs import write_atomically

    with _stage(home) as stage:
        write_atomically(output, stage.blobs.get(report_book(stage).fetch(number, code, ACTOR)), mode=0o644)


def _save_intact(output: Path, file: Path, found: Report) -> None:
    from signing_service.kernel.blobs import write_atomically

    length = found.intact_revision
    if length is None:
        raise typer.BadParameter("no signature vouches for any version / 没有签名能证明的版本")
    write_atomically(output, file.read_bytes()[:length], mode=0o644)
    print(f"{output}: {length} bytes", file=sys.stderr)


@contextmanager
def _stage(home: Path) -> Iterator[Stage]:
    """Raises SettingsUnreadable where there is no home."""
    from cli.opened_home import open_home
    from cli.stage import open_stage

    stage = open_stage(open_home(home))
    try:
        yield stage
    finally:
        stage.close()
