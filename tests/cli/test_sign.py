"""`zhengyin sign` as a user runs it: the contract, and every refusal with nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signing_service.kernel.typesetting import typeset
from signing_service.settings import Settings

PAGE = '#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n请在此盖章:盖章处'


def zhengyin(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8"}
    command = [sys.executable, "-m", "cli", "--home", str(home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.pdf"
    path.write_bytes(typeset(PAGE, {}))
    return path


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_every_level_is_sealed_and_verifies(home: Settings, page: Path, tmp_path: Path, level: str) -> None:
    sealed = tmp_path / "sealed.pdf"
    done = zhengyin(home.home, "sign", str(page), "-o", str(sealed), "--seal", "default", "--level", level)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sealed)
    assert sealed.read_bytes().startswith(page.read_bytes())
    judged = zhengyin(home.home, "verify", "--json", "--offline", str(sealed))
    report = json.loads(judged.stdout)
    assert (judged.returncode, report["verdict"], report["usable_now"]) == (0, "passed", "yes")
    assert report["covers_whole_file"] is True or level in ("B-LT",)
    seal = next(entry for entry in report["signatures"] if entry["kind"] == "seal")
    assert (seal["integrity"], seal["indication"], seal["level"]) == ("intact", "TOTAL-PASSED", level)


def test_a_key_named_by_uri_signs(home: Settings, page: Path, tmp_path: Path) -> None:
    uri = f"pkcs11:token=reviewer-1;object=signing?pin-source=file:{home.pins}/reviewer-1.pin"
    done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "out.pdf"), "--key", uri)
    assert done.returncode == 0, done.stderr
    judged = zhengyin(home.home, "verify", "--json", "--offline", str(tmp_path / "out.pdf"))
    assert json.loads(judged.stdout)["reason"] == "passed_signature"


@pytest.mark.parametrize("place", ["keyword=盖章处", "free", "page=0,left=10,top=10"])
def test_places(home: Settings, page: Path, tmp_path: Path, place: str) -> None:
    done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "o.pdf"), "--seal", "default", "--place", place)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give either --seal or --key"),
        (["--seal", "default", "--place", "somewhere"], 'The place "somewhere" is not understood'),
        (["--seal", "default", "--level", "B-X"], 'There is no level "B-X"'),
        (["--seal", "other"], 'There is no picture of the seal "other"'),
    ],
)
def test_refusals_name_the_cause_and_write_nothing(
    home: Settings, page: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    output = tmp_path / "out.pdf"
    done = zhengyin(home.home, "sign", str(page), "-o", str(output), *options)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_file_is_named(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "not.pdf").write_bytes(b"hello")
    done = zhengyin(home.home, "sign", str(tmp_path / "not.pdf"), "-o", str(tmp_path / "o.pdf"), "--seal", "default")
    assert done.returncode == 1
    assert "PDF" in done.stderr
    assert not (tmp_path / "o.pdf").exists()


def test_the_input_is_never_replaced(home: Settings, page: Path) -> None:
    before = page.read_bytes()
    done = zhengyin(home.home, "sign", str(page), "-o", str(page), "--seal", "default")
    assert done.returncode == 1
    assert page.read_bytes() == before


def test_usage_errors_exit_with_two(home: Settings) -> None:
    assert zhengyin(home.home, "sign").returncode == 2
