"""`zhengyin approvals` on a home: cases taken in, platforms let in and ended, formal cases, notices that failed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import typer

from cli.approvals_parts import ApprovalsUsage
from cli.founding_records import CLIENT_ID
from cli.main import app
from cli.opened_home import open_home
from cli.stage import Stage, open_stage
from signing_service.approvals.errors import (
    CaseExists,
    MatterUnknown,
    NotConvertible,
    PlatformUnknown,
    RequestIncomplete,
)
from signing_service.approvals.platforms import platform_of
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CaseState
from signing_service.errors import Text
from signing_service.people.errors import Unknown
from signing_service.people.notice_outbox import Notice, To, queue_notice
from signing_service.settings import Settings

MATTER, NUMBER = "project-plan", "91010119900101123X"
FIELDS = ("--field", "project_name=示例产业园", "--field", "location=示例区示例路1号", "--field", "content=示例")
BY = ("--as", "reviewer-1")
OPEN = ("open", "--matter", MATTER, *FIELDS, *BY)
Run = Callable[..., Any]


@pytest.fixture
def run(home: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as a user gives it; what it prints, as JSON where it is."""

    def call(*arguments: str) -> Any:
        open_home(home.home)
        app(["--home", str(home.home), "approvals", *arguments], standalone_mode=False)
        printed = capsys.readouterr().out
        return json.loads(printed) if printed.startswith(("{", "[")) else printed

    return call


@pytest.fixture
def stage(home: Settings) -> Iterator[Stage]:
    opened = open_stage(open_home(home.home))
    yield opened
    opened.close()


@pytest.fixture
def number_fd() -> Iterator[str]:
    reading, writing = os.pipe()
    os.write(writing, f"{NUMBER}\n".encode())
    os.close(writing)
    yield str(reading)
    os.close(reading)


def case_of(stage: Stage, opened: dict[str, str]) -> ApprovalCase:
    with stage.database.read() as session:
        return session.get_one(ApprovalCase, opened["id"])


def test_an_organisation_is_taken_in_and_shown(run: Run) -> None:
    opened = run(*OPEN, "--applicant", "示例建设有限公司", "--code", "91990000MA990001X2")
    shown = run("show", opened["case"])
    assert (shown["number"], shown["state"], shown["applicant_name"]) == (
        opened["case"],
        "received",
        "示例建设有限公司",
    )


def test_a_persons_number_comes_by_descriptor_and_is_kept_sealed(run: Run, stage: Stage, number_fd: str) -> None:
    opened = run(*OPEN, "--applicant", "示例人", "--person", "--number-fd", number_fd)
    case = case_of(stage, opened)
    assert (case.applicant_code_type, NUMBER[2:-2] in case.applicant_code) == ("111", False)
    assert case.applicant_code_sealed is not None
    assert NUMBER.encode() not in case.applicant_code_sealed
    assert stage.vault().open(case.applicant_code_sealed, case.id) == NUMBER
    assert NUMBER not in json.dumps(run("show", opened["case"]), ensure_ascii=False)


def test_a_persons_number_is_asked_for_unseen(run: Run, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[bool] = []

    def terminal(_asked: str, *, hide_input: bool, **_more: object) -> str:
        hidden.append(hide_input)
        return NUMBER

    monkeypatch.setattr("typer.prompt", terminal)
    opened = run(*OPEN, "--applicant", "示例人", "--person", "--number-type", "414")
    assert (hidden, case_of(stage, opened).applicant_code_type) == ([True], "414")


@pytest.mark.parametrize(
    "wrong",
    [("--code", "91990000MA990001X2", "--person"), (), ("--code", "91990000MA990001X2", "--number-fd", "0")],
)
def test_a_number_in_the_wrong_way_is_refused(run: Run, wrong: tuple[str, ...]) -> None:
    with pytest.raises(ApprovalsUsage):
        run(*OPEN, "--applicant", "示例人", *wrong)


def test_an_empty_number_is_no_number(run: Run) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(RequestIncomplete):
        run(*OPEN, "--applicant", "示例人", "--person", "--number-fd", str(reading))
    os.close(reading)


def test_a_platform_is_let_in_for_matters_and_ended(run: Run, stage: Stage) -> None:
    with pytest.raises(PlatformUnknown):
        run("platform", "nobody", "--matter", MATTER, *BY)
    with pytest.raises(MatterUnknown):
        run("platform", CLIENT_ID, "--matter", "nonsense", *BY)
    with pytest.raises(typer.BadParameter):
        run("platform", CLIENT_ID, *BY)
    run("platform", CLIENT_ID, "--matter", MATTER, "--own-route", *BY)
    with stage.database.read() as session:
        row = platform_of(session, CLIENT_ID)
        assert (row.matters, row.may_route, row.created_by) == ([MATTER], True, "reviewer-1")
    run("platform", CLIENT_ID, "--end", "合同到期", *BY)
    with stage.database.read() as session, pytest.raises(PlatformUnknown):
        platform_of(session, CLIENT_ID)


def test_the_formal_case_of_a_complete_simulated_one_is_opened_once(run: Run, stage: Stage) -> None:
    opened = run(*OPEN, "--applicant", "示例建设有限公司", "--code", "91990000MA990001X2")
    with pytest.raises(NotConvertible):
        run("formal", opened["case"], *BY)
    with stage.database.write() as session:
        case = session.get_one(ApprovalCase, opened["id"])
        case.simulated, case.state = True, CaseState.DELIVERED
        case.complete_since = stage.work.today
    formal = run("formal", opened["case"], *BY)
    assert (case_of(stage, opened).formal_case, case_of(stage, formal).simulated) == (formal["id"], False)
    with pytest.raises(CaseExists):
        run("formal", opened["case"], *BY)


def test_notices_that_were_given_up_are_shown_without_addresses_and_sent_again(run: Run, stage: Stage) -> None:
    now = stage.clock.now() - timedelta(hours=1)
    with stage.database.write() as session:
        to = To("mail", "li@zw.example.cn")
        queue_notice(
            session, "deadline:cli", "deadline", to, Text("有环节将到期。{site}", "A step is due. {site}"), now
        )
        row = session.query(Notice).filter(Notice.key == "deadline:cli").one()
        row.state, row.last_error, row.attempts = "dead", "recipient refused (550)", 1
        session.flush()
        id = row.id
    (shown,) = run("notices", "--json")
    assert shown == {"id": id, "kind": "deadline", "channel": "mail", "tries": 1, "cause": "recipient refused (550)"}
    assert run("notices", "--replay", str(id), "--json") == []
    with pytest.raises(Unknown):
        run("notices", "--replay", str(id))
