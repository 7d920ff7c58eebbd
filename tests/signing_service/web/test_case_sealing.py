"""A clerk has an approved case sealed on its page, over a whole home: custody seals under the standing order."""

import io
import re
from datetime import timedelta

import pikepdf
import pytest

from cli import cast
from cli.demo_case import CLERK, PROJECT, CaseRunner
from cli.demo_tokens import demo_tokens
from cli.seal_making import make_structure
from cli.seal_stops import SealStops
from cli.sealing import ORDER_COUNT, signed_by
from cli.stage import http_timestamper
from signing_service.approvals import course, intake
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.intake import CaseRequest
from signing_service.kernel.audit_log import AuditEntry, AuditLog
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import Role
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation import standing_order
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application
from signing_service.seals.rules import Kind, Why

CLERK_ID = "reviewer-2"
TWO, GIVEN = "project-plan", "given-document"


@pytest.fixture(scope="module")
def clerk(whole_home):
    """A browser of an officer whom two administrators made a clerk."""
    whole_home.activate()
    people = PeopleRegister(whole_home.stage.database, whole_home.stage.clock, AuditLog())
    with people.database.write() as session:
        grant = people.propose_grant(session, CLERK_ID, Role.CLERK, "窗口轮岗", actor="seal-admin-1")
        session.flush()
        people.decide_grant(session, grant.id, confirm=True, actor="seal-admin-2")
    browser = whole_home.browser(CLERK_ID)
    yield browser
    browser.close()


@pytest.fixture
def runner(seals):
    stage = seals.stage
    return CaseRunner(stage, demo_tokens(stage), http_timestamper(stage.settings, seals.origin))


@pytest.fixture
def one_page():
    """A4, empty."""
    made, kept = pikepdf.new(), io.BytesIO()
    made.add_blank_page(page_size=(595, 842))
    made.save(kept)
    return kept.getvalue()


def approved(runner, matter=TWO, **more):
    """A case that both reviewers signed with their USB keys."""
    applicant = Applicant(cast.APPLICANT_NAME, cast.APPLICANT_CODE)
    opened = intake.open_case(runner.stage.work, CaseRequest(matter, applicant, PROJECT, **more), CLERK)
    intake.accept(runner.stage.work, opened.case_id, CLERK)
    course.begin_review(runner.stage.work, opened.case_id, CLERK)
    for step, reviewer in enumerate(cast.REVIEWERS):
        runner.review(opened, reviewer, step)
    return opened


def order(runner, seal_id, document_type):
    """The holder's standing order, signed with the USB key; its id."""
    stage = runner.stage
    begin = stage.clock.now().replace(microsecond=0)
    what = standing_order(seal_id, document_type, ORDER_COUNT, not_before=begin, until=begin + timedelta(days=1))
    with runner.tokens.opened(cast.SEAL_HOLDER) as token:
        signed = signed_by(token, what)
    holder = Actor(cast.SEAL_HOLDER.id, department=cast.SEAL_HOLDER.department)
    return stage.order_book().keep(signed, stage.custody.pinned(seal_id), holder).id


def withdraw(runner, order_id):
    holder, custody = Actor(cast.SEAL_HOLDER.id, department=cast.SEAL_HOLDER.department), runner.stage.custody
    runner.stage.order_book().withdraw(order_id, "不再需要", holder, tell=custody.withdraw)


def simulation_seal(stage, seal_id):
    """From application to use, by two administrators."""
    register, now = stage.seal_register(), stage.clock.now()
    first, second = (Actor(one.id, frozenset(one.roles)) for one in (cast.SEAL_ADMIN_1, cast.SEAL_ADMIN_2))
    design, owner = SealDesign("示例市行政审批局", bottom_line="模拟审批专用章"), cast.APPROVING
    until = now + timedelta(days=365)
    application = Application(
        seal_id, Kind.SIMULATION, owner.name, owner.code, owner.id, (cast.SEAL_HOLDER.id,), design, now, until
    )
    why = Why("模拟审批", "示例备案 2026-0009")
    register.apply(application, first, why)
    register.change(seal_id, "approve", second, why)
    with register.database.read() as session:
        row = register.find(session, seal_id)
    register.make(seal_id, make_structure(stage.settings, register, row), first)
    for name in ("file", "activate"):
        register.change(seal_id, name, first, why)
    SealStops(stage.settings, register, stage.custody).agree()


def act(clerk, case, name):
    return clerk.post(f"/desk/cases/{case.case_id}/{name}")


def state_of(page):
    return re.search(r'id="state">([^<]+)<', page.text)[1]


def outward(clerk, page):
    """The newest version on the case's page."""
    return clerk.get(re.findall(r'href="(/desk/cases/[^"]+\.pdf)"', page.text)[-1]).content


def test_nothing_is_sealed_without_the_holders_order_and_all_of_it_with_one(runner, clerk):
    case = approved(runner)
    refused = act(clerk, case, "seal")
    assert (refused.status_code, state_of(refused)) == (422, "已批准")
    assert "用印人没有授权批量加盖“reply”" in refused.text
    given = order(runner, cast.DEFAULT_SEAL, "reply")
    page = act(clerk, case, "seal")
    assert state_of(page) == "已用印"
    report = runner.check(outward(clerk, page))
    assert [entry.kind for entry in report.signatures if entry.kind != "timestamp"] == ["seal"]
    (use,) = [use for use in runner.stage.use_book().uses(cast.DEFAULT_SEAL) if use.reference == case.case_id]
    assert (use.actor, use.document_type, use.authorisation, use.state) == (CLERK_ID, "reply", given, "released")
    assert act(clerk, case, "seal").status_code == 422
    assert runner.stage.use_book().used_under(given) == 1
    assert state_of(act(clerk, case, "release")) == "已办结"
    withdraw(runner, given)
    with runner.stage.database.read() as session:
        entries = session.query(AuditEntry).where(AuditEntry.subject == f"case:{case.case_id}").all()
    refusals = [(entry.actor, entry.reason) for entry in entries if entry.result == "refused"]
    assert refusals[0] == (CLERK_ID, "no_standing_order")


def test_a_given_file_is_sealed_behind_the_signatures_that_it_carries(runner, clerk, one_page):
    case, given = approved(runner, GIVEN, given=one_page), order(runner, cast.DEFAULT_SEAL, "given")
    page = act(clerk, case, "seal")
    assert state_of(page) == "已用印"
    report = runner.check(outward(clerk, page))
    kinds = [entry.kind for entry in report.signatures if entry.kind != "timestamp"]
    assert (len(kinds), kinds[-1]) == (3, "seal")
    withdraw(runner, given)
    assert "没有授权" in act(clerk, approved(runner, GIVEN, given=one_page), "seal").text


def test_a_simulated_case_has_the_simulation_seal_and_never_the_formal_one(runner, clerk, one_page):
    formal = order(runner, cast.DEFAULT_SEAL, "reply")
    case = approved(runner, simulated=True, commitment=one_page)
    refused = act(clerk, case, "seal")
    assert (refused.status_code, "没有启用的模拟审批印章" in refused.text) == (422, True)
    assert runner.stage.use_book().used_under(formal) == 0
    simulation_seal(runner.stage, "simulation")
    simulated = order(runner, "simulation", "reply")
    page = act(clerk, case, "seal")
    assert state_of(page) == "已用印"
    report = runner.stage.judge(outward(clerk, page)).as_json()
    assert (report["verdict"], report["reason"]) == ("indeterminate", "simulated")
    uses = runner.stage.use_book()
    assert (uses.used_under(simulated), uses.used_under(formal)) == (1, 0)
    withdraw(runner, formal)
