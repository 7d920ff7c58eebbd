"""`zhengyin licences` on a home with a SQLite database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cert_registry.errors import ExplainedError
from cert_registry.licences.issue import Issuing
from cli.main import app
from tests.cert_registry.world import CLERK, business, paper_code, seal

Run = Callable[..., Result]


@pytest.fixture
def run(issuing: Issuing, tmp_path: Path) -> Run:
    """Runs the command on a home whose database is the test's."""
    url = issuing.database.url.render_as_string(hide_password=False)
    (tmp_path / "settings.toml").write_text(
        f'profile = "demo"\ndatabase_url = "{url}"\ntoken_module = ""\ncity = "示例市"\n'
        'base_url = "https://zw.example.cn"\noutbound_hosts = []\n',
        encoding="utf-8",
    )

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["--home", str(tmp_path), "licences", *arguments], env={"LANG": "zh_CN.UTF-8"})

    return invoke


def test_types_and_check_tell_what_is_there(run: Run) -> None:
    assert {row["key"] for row in json.loads(run("types", "--json").stdout)} >= {"business-licence", "approval-reply"}
    good = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9"
    assert json.loads(run("check", good).stdout)["issuer"] == "340100"
    wrong = run("check", good[:-1] + "8")
    assert isinstance(wrong.exception, ExplainedError)
    assert wrong.exception.code == "bad_check_character"


def test_a_licence_is_shown_suspended_and_returned(run: Run, issuing: Issuing) -> None:
    done = issuing.issue(business(), CLERK, paper_code=paper_code, seal=seal)
    by = ("--as", "7", "--department", "approvals")
    refused = run("operate", done.identifier, "suspend", *by)
    assert isinstance(refused.exception, ExplainedError)
    why = ("--reason", "示例违法", "--basis", "示例条例第3条")
    assert (
        run("operate", done.identifier, "suspend", *by, *why, "--effective-from", "2026-11-25T00:00:00+08:00").exit_code
        == 0
    )
    shown = json.loads(run("show", done.identifier, "--json").stdout)
    assert shown["metadata"]["ZZBH"] == done.number
    assert [row["operation"] for row in shown["history"]] == ["issue", "suspend"]
    assert run("operate", done.identifier, "return", *by, "--effective-from", "tomorrow").exit_code == 2
    assert "示例条例第3条" in run("show", done.identifier).stdout


def test_grants_are_given_listed_and_withdrawn(run: Run) -> None:
    given = ("--action", "verify", "--matter", "M1", "--as", "1", "--basis", "示例")
    made = run("grant", "housing", "business-licence", *given)
    grant_id = made.stdout.strip()
    rows = json.loads(run("grants", "housing", "--json").stdout)
    assert [(row["id"], row["actions"], row["active"]) for row in rows] == [(grant_id, "verify", True)]
    assert run("withdraw", grant_id, "--as", "1", "--reason", "示例").exit_code == 0
    assert json.loads(run("grants", "housing", "--json").stdout)[0]["active"] is False
    assert (
        run("grant", "housing", "*", "--action", "operate", "--matter", "*", "--as", "1", "--basis", "x").exit_code == 2
    )


def test_a_body_is_permitted_to_issue(run: Run) -> None:
    assert run("permit", "food-licence", "11990100MB000102XT", "--as", "1", "--basis", "示例").exit_code == 0
    unknown = run("permit", "fishing", "1", "--as", "1", "--basis", "x")
    assert isinstance(unknown.exception, ExplainedError)
    assert unknown.exception.code == "unknown_licence_type"


def test_a_bulk_file_is_validated_row_by_row(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "holder_name,holder_code,content\n示例市甲公司,91990100MA0000015X,同意\n乙,1,同意\n", encoding="utf-8"
    )
    result = run("validate", str(path), "approval-reply", "--json")
    assert [(row["row"], row["code"]) for row in json.loads(result.stdout)] == [(2, "holder_code_invalid")]
    assert result.exit_code == 1
