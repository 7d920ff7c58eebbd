"""Has a case's outward document sealed under the holder's standing order, for the clerk's page."""

from __future__ import annotations

from cli import cast
from cli.demo_case import placing_of
from cli.paper_codes import PaperCodes
from cli.sealing import SealUseOf, sealing_desk
from cli.stage import Stage, http_timestamper
from signing_service.approvals.casework import find_case
from signing_service.approvals.course import sealed
from signing_service.approvals.outward import typeset_outward
from signing_service.approvals.rules import Actor
from signing_service.errors import SigningServiceError, Text
from signing_service.pades.placing import Placing
from signing_service.seals.rules import Kind, State
from signing_service.web.case_pages import SealCase

CORNER = Placing(page=-1, x_mm=15.0, y_mm=15.0, corner="lower-right")


class SimulationSealMissing(SigningServiceError):
    """A simulated approval never gets the formal seal (DESIGN 19)."""

    code = "simulation_seal_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("没有启用的模拟审批印章,没有盖章。", "No simulation seal is active; nothing was sealed."),
            why=Text("模拟审批不能加盖正式印章。", "A simulated approval never gets the formal seal."),
            advice=Text("请印章管理员申请并启用模拟审批印章。", "Have a simulation seal made and activated."),
        )


def case_sealing(stage: Stage, url: str) -> SealCase:
    """`url`: where the home's TSA answers. The standing order's type is the document's kind: reply, or given."""
    desk = sealing_desk(stage, http_timestamper(stage.settings, url))
    codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)

    def seal(case_id: str, actor: Actor) -> None:
        """Raises NoStandingOrder, SimulationSealMissing, and what typesetting, sealing and verification raise."""
        seal_id = _seal_for(stage, case_id)
        revision = typeset_outward(
            stage.work, case_id, actor, code=codes.of_approval, seal_mm=cast.SEAL_DIAMETER_MM
        )  # fmt: skip
        place = placing_of(revision.area) or CORNER
        use = SealUseOf(case_id, revision.kind, actor.id)
        outward = desk.seal_under_order(revision.content, place, use, stage.clock.now(), seal_id=seal_id)
        sealed(stage.work, case_id, actor, outward, examine=stage.examine)

    return seal


def _seal_for(stage: Stage, case_id: str) -> str:
    """The formal seal, or the department's simulation seal for a simulated case. Raises SimulationSealMissing."""
    register = stage.seal_register()
    with stage.database.read() as session:
        case = find_case(session, case_id)
        if not case.simulated:
            return cast.DEFAULT_SEAL
        for row in register.all(session):
            if row.kind == Kind.SIMULATION and row.state == State.ACTIVE and row.department == case.department:
                return row.id
    raise SimulationSealMissing
