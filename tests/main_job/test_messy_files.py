"""Every file of the messy corpus, as the one document of a case: signed twice, sealed, judged by two engines.

`sign` rows must be sealed; `sign_or_named_refusal` rows too, or refused by a named error; `refuse` rows are refused.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo_case import CaseRunner
from cli.demo_tokens import demo_tokens
from cli.init import SQLITE_URL, STEPS, make_home
from cli.opened_home import open_home
from cli.own_services import OwnTimestamper
from cli.progress import Progress
from cli.stage import open_stage
from signing_service.errors import ExplainedError
from tests.conftest import CORPORA

pytestmark = pytest.mark.corpora
OURS = ("error", "not_verified", "demo_not_passed", "second_opinion_differs")
"""Codes that mean that we signed what we should have refused, or judged wrongly what we signed."""


def rows(expected: str) -> list[str]:
    manifest = CORPORA / "MANIFEST.tsv"
    if not manifest.exists():
        return []
    with manifest.open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file, delimiter="\t") if row["sign_expected"] == expected]
    return [row["path"] for row in found]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseRunner]:
    """A home's case runner. The TSA is the home's own, asked in this process; the demo's tests ask it over HTTP."""
    home = tmp_path_factory.mktemp("messy") / "home"
    make_home(home, SQLITE_URL, Progress(STEPS, "en"))
    stage = open_stage(open_home(home))
    yield CaseRunner(stage, demo_tokens(stage), OwnTimestamper(stage.pki.tsa))
    stage.close()


def test_the_corpus_is_there(corpora: Path) -> None:
    assert len(rows("sign")) >= 50


@pytest.mark.parametrize("path", rows("sign"))
def test_a_file_that_can_be_signed_is(runner: CaseRunner, corpora: Path, path: str) -> None:
    given = (corpora / path).read_bytes()
    made = runner.run(given)
    assert made.outward.startswith(given)
    report = made.report.as_json()
    assert (report["verdict"], len(report["signatures"])) == ("passed", 3)


@pytest.mark.parametrize("path", rows("sign_or_named_refusal"))
def test_a_doubtful_file_is_signed_or_refused_by_name(runner: CaseRunner, corpora: Path, path: str) -> None:
    given = (corpora / path).read_bytes()
    try:
        made = runner.run(given)
    except ExplainedError as error:
        refusal = error
    else:
        assert made.outward.startswith(given)
        return
    assert refusal.code not in OURS, refusal
    assert refusal.explain("zh")


@pytest.mark.parametrize("path", rows("refuse"))
def test_a_hopeless_file_is_refused_by_name(runner: CaseRunner, corpora: Path, path: str) -> None:
    with pytest.raises(ExplainedError) as refused:
        runner.run((corpora / path).read_bytes())
    assert refused.value.code != "error"
