"""The demo's case: taken in, reviewed and signed by two USB keys, sealed under the holder's authorisation, released."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli import cast
from cli.demo_tokens import DemoTokens
from cli.pdfsig import require_valid
from cli.reviewing import Opinion, sign_step
from cli.sealing import SealUseOf, sealing_desk
from cli.stage import Stage
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.areas import Area
from signing_service.approvals.course import begin_review, mark_read, release, sealed, step_signed, to_sign
from signing_service.approvals.intake import CaseRequest, OpenedCase, accept, open_case
from signing_service.approvals.outward import CodeMaker, typeset_outward
from signing_service.approvals.rules import Actor
from signing_service.errors import SigningServiceError, Text
from signing_service.pades.placing import AnyPlacing, Placing
from signing_service.pades.ports import Timestamper
from signing_service.verification.report import Report

CLERK = Actor("clerk", cast.APPROVING.id, frozenset({"clerk"}))
TWO_DOCUMENTS, GIVEN_DOCUMENT = "project-plan", "given-document"
PROJECT = {
    "project_name": "示例产业园",
    "location": "示例市示例区示例路1号",
    "content": "总建筑面积12000平方米",
}
FIELD_MM, GAP_MM, MARGIN_MM = (78.0, 21.0), 3.0, 15.0


class NotPassed(SigningServiceError):
    """Our own engine does not pass a file that the demo made."""

    code = "demo_not_passed"

    def __init__(self, report: Report) -> None:
        super().__init__(
            Text("核验引擎没有通过本次生成的文件。", "The engine does not pass the file that was made."),
            why=Text(f"结论:{report.summary.zh}", f"Verdict: {report.summary.en}"),
        )


@dataclass(frozen=True, slots=True)
class DemoCase:
    """What became of the case. `form` is empty where one given file was signed and sealed."""

    opened: OpenedCase
    form: bytes
    unsealed: bytes
    outward: bytes
    report: Report


@dataclass(frozen=True)
class CaseRunner:
    """Runs a case on an opened home; `timestamper` is the server's TSA over HTTP."""

    stage: Stage
    tokens: DemoTokens
    timestamper: Timestamper

    def open(self, given: bytes | None) -> OpenedCase:
        """A case from the applicant's data, or from one given file. Accepted at once: its material is complete."""
        applicant = Applicant(cast.APPLICANT_NAME, cast.APPLICANT_CODE)
        matter = GIVEN_DOCUMENT if given is not None else TWO_DOCUMENTS
        request = CaseRequest(matter, applicant, PROJECT, given=given, real_name_check="示例统一身份认证")
        opened = open_case(self.stage.work, request, CLERK)
        accept(self.stage.work, opened.case_id, CLERK)
        begin_review(self.stage.work, opened.case_id, CLERK)
        return opened

    def review(self, opened: OpenedCase, reviewer: cast.OfficerRole, step: int) -> bytes:
        """One step, signed with the reviewer's USB key; the file after it."""
        step_id, signer = opened.step_ids[step], self.tokens.actor(reviewer)
        mark_read(self.stage.work, opened.case_id, step_id, signer)
        revision = to_sign(self.stage.work, opened.case_id, step_id)
        opinion = Opinion(reviewer.name, cast.APPROVING.name, reviewer.opinion, self.stage.clock.now())
        place = placing_of(revision.area) or _corner(step)
        with self.tokens.opened(reviewer) as token:
            completed = sign_step(revision.content, opinion, place, token, self.tokens.chain, self.timestamper)
        step_signed(
            self.stage.work, opened.case_id, step_id, signer, completed,
            opinion=reviewer.opinion, examine=self.stage.examine,
        )  # fmt: skip
        return completed

    def seal(self, opened: OpenedCase, code: CodeMaker | None) -> tuple[bytes, bytes]:
        """The outward document before and after sealing."""
        work, holder = self.stage.work, cast.SEAL_HOLDER
        revision = typeset_outward(work, opened.case_id, CLERK, code=code, seal_mm=cast.SEAL_DIAMETER_MM)
        place = placing_of(revision.area) or Placing(page=-1, x_mm=MARGIN_MM, y_mm=MARGIN_MM, corner="lower-right")
        stage = self.stage
        desk = sealing_desk(stage, self.timestamper)
        use = SealUseOf(opened.case_id, revision.kind, holder.id)
        with self.tokens.opened(holder) as token:
            outward = desk.authorise_and_seal(revision.content, place, token, use, self.stage.clock.now())
        sealed(work, opened.case_id, self.tokens.actor(holder), outward, examine=self.stage.examine)
        return revision.content, outward

    def check(self, content: bytes) -> Report:
        """Both opinions: our engine's, and pdfsig's. Raises NotPassed, SecondOpinionDiffers."""
        report = self.stage.judge(content)
        if report.as_json()["verdict"] != "passed":
            raise NotPassed(report)
        require_valid(content, [entry.field for entry in report.signatures if entry.kind != "timestamp"])
        return report

    def run(
        self, given: bytes | None, code: CodeMaker | None = None, told: Callable[[Text], None] = lambda _: None
    ) -> DemoCase:
        """The whole course, up to the release that hands the approval to the registry."""
        opened = self.open(given)
        form = b""
        for step, reviewer in enumerate(cast.REVIEWERS):
            form = self.review(opened, reviewer, step)
            told(Text(f"{reviewer.name} 已签名", f"{reviewer.id} has signed"))
        unsealed, outward = self.seal(opened, code)
        report = self.check(outward)
        if given is None:
            self.check(form)
        release(self.stage.work, opened.case_id, self.tokens.actor(cast.SEAL_HOLDER), examine=self.stage.examine)
        return DemoCase(opened, b"" if given is not None else form, unsealed, outward, report)


def placing_of(area: Area | None) -> AnyPlacing | None:
    """The box that the layout left for a signature or seal."""
    return None if area is None else Placing(area.page, area.x_mm, area.y_mm, area.width_mm, area.height_mm)


def _corner(step: int) -> Placing:
    """On a given file: stacked in the lower-left corner of the last page."""
    width, height = FIELD_MM
    return Placing(-1, MARGIN_MM, MARGIN_MM + step * (height + GAP_MM), width, height)
