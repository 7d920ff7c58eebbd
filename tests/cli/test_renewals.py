"""Renewing stored documents on a home of its own: what an old timestamp key stamped is due once it was rotated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cli import service_rotation
from cli.due_work import due_rows
from cli.init import SQLITE_URL, STEPS, make_home
from cli.own_services import OwnTimestamper
from cli.progress import Progress
from cli.renewing import RENEWED, Renewals
from cli.stage import Stage, open_stage
from signing_service.errors import Text
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.typesetting import typeset
from signing_service.pki.rules import OPERATOR, Actor
from signing_service.pki.tsp_client import TimestampUnreachable
from signing_service.settings import Settings
from signing_service.verification.renewal_book import StoredDocument

ALWAYS = timedelta(days=36500)
BY = Actor("test", frozenset({OPERATOR}))


class NoTsa:
    def timestamp(self, digest: bytes) -> bytes:
        raise TimestampUnreachable("http://tsa.example.test/tsa", Text("连接被拒绝。", "Connection refused."))


def zhengyin(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8"}
    command = [sys.executable, "-m", "cli", "--home", str(home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """A home with one sealed document in its archive; its digest."""
    folder = tmp_path_factory.mktemp("renewals")
    settings = make_home(folder / "zhengyin-home", SQLITE_URL, Progress(STEPS, "en"))
    page, sealed = folder / "page.pdf", folder / "sealed.pdf"
    page.write_bytes(typeset('#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n示例', {}))
    done = zhengyin(settings.home, "sign", str(page), "-o", str(sealed), "--seal", "default", "--level", "B-LT")
    assert done.returncode == 0, done.stderr
    kept = zhengyin(settings.home, "verify", "--offline", "--archive", str(sealed))
    assert kept.returncode == 0, kept.stderr
    return settings, kept.stderr.split("archive: ")[1].split()[0]


def test_the_course_of_a_renewal(archived: tuple[Settings, str]) -> None:
    settings, digest = archived
    stage = open_stage(settings)
    try:
        assert [(row.count, row.by) for row in due_rows(stage)] == [(1, "—")]  # nobody has looked yet
        _with_the_same_key_nothing_is_gained(stage, digest)
        old = service_rotation.plan(settings, "tsa", "p256", timedelta(hours=1), stage.clock.now())
        service_rotation.rotate(settings, old, BY)
    finally:
        stage.close()
    stage = open_stage(settings)  # with the new key
    try:
        _a_failing_authority_leaves_it_due(stage, digest)
        _renewed_beside_the_old_file(stage, digest)
    finally:
        stage.close()


def _with_the_same_key_nothing_is_gained(stage: Stage, digest: str) -> None:
    before = set(stage.blobs.digests())
    done = Renewals(stage, OwnTimestamper(stage.pki.tsa), ALWAYS).run()
    assert (done.looked_at, done.renewed, done.failed) == (1, {}, {digest: "renewal_gains_nothing"})
    assert set(stage.blobs.digests()) == before
    assert [row.count for row in due_rows(stage)] == [1]
    again = Renewals(stage, OwnTimestamper(stage.pki.tsa), ALWAYS).run()
    assert (again.looked_at, again.failed) == (0, {})  # left alone for a while


def _a_failing_authority_leaves_it_due(stage: Stage, digest: str) -> None:
    done = Renewals(stage, NoTsa(), ALWAYS).run(at_once=True)
    assert (done.renewed, list(done.failed)) == ({}, [digest])
    told = zhengyin(stage.settings.home, "audit", "renewals", "--within", "36500", "--json")
    report = json.loads(told.stdout)
    assert [(row["document"], row["failure"] != "") for row in report["due"]] == [(digest, True)]


def _renewed_beside_the_old_file(stage: Stage, digest: str) -> None:
    told = zhengyin(stage.settings.home, "audit", "renewals", "--run", "--within", "36500", "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 0, told.stderr
    assert (list(report["renewed"]), report["failed"]) == ([digest], {})
    fresh = stage.blobs.get(report["renewed"][digest])
    assert fresh.startswith(stage.blobs.get(digest))
    judged = stage.judge(fresh).as_json()
    assert (judged["verdict"], judged["signatures"][0]["level"]) == ("passed", "B-LTA")
    with stage.database.read() as session:
        row = session.get_one(StoredDocument, digest)
        assert (row.newest, row.failure) == (report["renewed"][digest], "")
        results = session.scalars(select(AuditEntry.result).where(AuditEntry.kind == RENEWED)).all()
    assert results.count("allowed") == 1
    assert due_rows(stage) == []
